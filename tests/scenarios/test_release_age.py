"""How old a version must be, by cargo's settings and by --min-age, with the clock of the real machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from support_machine import Machine
from support_registry import Publisher


def _ago(**span: int) -> str:
    return (datetime.now(UTC) - timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def _two_versions(publisher: Publisher) -> None:
    publisher.release("hello", "1.0.0", pubtime=_ago(days=30))
    publisher.release("hello", "1.1.0", pubtime=_ago(hours=5))


@pytest.mark.usefixtures("_two_versions")
@pytest.mark.parametrize(
    ("words", "environment", "version"),
    [
        ([], {}, "1.1.0"),
        (["--min-age", "3d"], {}, "1.0.0"),
        (["--min-age", "4h"], {}, "1.1.0"),
        ([], {"CARGO_REGISTRY_GLOBAL_MIN_PUBLISH_AGE": "7 days"}, "1.0.0"),
        ([], {"CARGO_REGISTRIES_CRATES_IO_MIN_PUBLISH_AGE": "7 days"}, "1.0.0"),
        (["--min-age", "0"], {"CARGO_REGISTRY_GLOBAL_MIN_PUBLISH_AGE": "7 days"}, "1.1.0"),
        (
            [],
            {
                "CARGO_REGISTRY_GLOBAL_MIN_PUBLISH_AGE": "7 days",
                "CARGO_RESOLVER_INCOMPATIBLE_PUBLISH_AGE": "allow",
            },
            "1.1.0",
        ),
    ],
)
def test_a_version_that_is_too_new_is_passed_over(
    machine: Machine, words: list[str], environment: dict[str, str], version: str
) -> None:
    machine.environment.update(environment)
    run = machine.install("hello", *words).expect(0)
    assert f"installed hello {version}" in run.out
    assert ("1.1.0 is passed over: published 5 hours ago" in run.err) == (version == "1.0.0")


@pytest.mark.usefixtures("_two_versions")
@pytest.mark.parametrize("program", ["binstall", "cargo-binstall"])
def test_an_exact_version_is_not_exempt_in_either_command(machine: Machine, program: str) -> None:
    words = ["install"] if program == "binstall" else ["-y"]
    run = machine.run(*words, "hello@1.1.0", "--min-age", "3d", program=program).expect(76)
    assert "too new" in run.out + run.err
    assert not machine.bin.exists() or not list(machine.bin.iterdir())


def test_the_file_of_cargos_home_is_honoured(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0", pubtime=_ago(hours=1))
    config = machine.root / "config.toml"
    config.write_text(config.read_text() + '[registry]\nglobal-min-publish-age = "1 day"\n')
    run = machine.install("hello").expect(76)
    assert "registry.global-min-publish-age" in run.err


def test_a_version_without_a_publish_time_passes_and_that_is_said(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("hello", "1.0.0")
    run = machine.install("hello", "--min-age", "3d").expect(0)
    assert "does not say when hello 1.0.0 was published" in run.err
    assert "does not say when" not in machine.install("hello", "--force").expect(0).err


@pytest.mark.parametrize(("minutes", "said"), [(12, True), (90, False)])
def test_a_package_missing_within_the_hour_may_still_be_uploading(
    publisher: Publisher, machine: Machine, minutes: int, said: bool
) -> None:
    release = publisher.release("hello", "1.0.0", pubtime=_ago(minutes=minutes))
    publisher.host.remove(release.package_path)
    publisher.host.remove(release.signature_path)
    run = machine.install("hello").expect(94)
    assert (f"published {minutes} minutes ago, and its publisher may still be uploading" in run.err) == said


def test_what_is_no_time_span_is_a_usage_error(machine: Machine) -> None:
    machine.install("hello", "--min-age", "soon").expect(2)
    machine.environment["CARGO_REGISTRY_GLOBAL_MIN_PUBLISH_AGE"] = "soon"
    machine.install("hello").expect(16)
