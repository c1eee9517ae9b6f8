"""`binstall why` asks about everything, says what an install would do, and the install then does that."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from binstall.hosting.answer import Answer
from binstall.hosting.request import Request
from support_machine import Machine, Run
from support_registry import TARGET, Publisher

OTHER = "aarch64-unknown-linux-musl"


def any_format(publisher: Publisher) -> dict[str, Any]:
    """Return metadata whose URL template stands for many files."""
    base = publisher.host.base_url
    name = "{ name }-{ version }-{ target }{ archive-suffix }"
    return {"pkg-url": f"{base}/releases/{{ name }}/{{ version }}/{name}", "pkg-fmt": None}


def why(machine: Machine, *words: str) -> Run:
    return machine.run("why", "--targets", TARGET, *words)


def candidates(run: Run) -> list[dict[str, Any]]:
    return [each for each in run.objects if each["event"] == "candidate"]


def test_a_signed_crate_is_explained_without_touching_the_machine(
    publisher: Publisher, machine: Machine
) -> None:
    release = publisher.release("hello", "1.2.3")
    before = machine.files()
    run = why(machine, "hello").expect(0)
    key = publisher.key.public_key
    place = f"{publisher.host.base_url}/releases/{{ name }}/{{ version }}"
    template = f"{place}/{{ name }}-{{ version }}-{{ target }}.tgz"
    assert run.out.splitlines() == [
        f"{TARGET}, by pkg-url of its manifest: {template}",
        f"  must be signed by its publisher with minisign key {key.shown_id}",
        f"    exists: {release.package_url}, tgz",
        f"      exists: {release.signature_url}, its signature",
        f"an install of hello 1.2.3 takes {release.package_url}",
    ]
    assert machine.files() == before
    gets = [each.request for each in publisher.host.exchanges if each.request.method == "GET"]
    assert all("/releases/" not in str(request.path) for request in gets), "nothing is downloaded"


def test_the_json_says_the_same(publisher: Publisher, machine: Machine) -> None:
    release = publisher.release("hello", "1.2.3")
    candidate, outcome = why(machine, "hello", "--json").expect(0).objects
    template = candidate.pop("template")
    assert template.endswith("{ name }-{ version }-{ target }.tgz")
    key = publisher.key.public_key
    assert candidate == {
        "schema": 1,
        "event": "candidate",
        "crate": "hello",
        "version": "1.2.3",
        "target": TARGET,
        "party": "publisher",
        "template_from": "manifest",
        "url": release.package_url,
        "format": "tgz",
        "answer": "exists",
        "message": None,
        "verdict": {
            "verdict": "verify",
            "reason": None,
            "algorithm": "minisign",
            "key_id": key.shown_id,
            "public_key": key.base64,
        },
        "signature": {"url": release.signature_url, "answer": "exists", "message": None},
    }
    assert outcome == {
        "schema": 1,
        "event": "outcome",
        "crate": "hello",
        "version": "1.2.3",
        "target": TARGET,
        "url": release.package_url,
        "command": None,
        "exit_code": 0,
        "error": None,
        "message": None,
        "help": None,
    }


def test_it_goes_on_after_the_first_that_exists_and_the_first_wins(
    publisher: Publisher, machine: Machine
) -> None:
    release = publisher.release("hello", "1.0.0", metadata=any_format(publisher))
    package = publisher.host.content(release.package_path)
    publisher.host.put(release.package_path.replace(".tgz", ".zip"), package)
    run = why(machine, "hello", "--targets", OTHER, "--json").expect(0)
    found = candidates(run)
    there = [
        (each["target"], each["url"].rpartition(".")[2]) for each in found if each["answer"] == "exists"
    ]
    assert there == [(TARGET, "tgz"), (TARGET, "zip")]
    assert {each["target"] for each in found} == {TARGET, OTHER}
    assert {each["answer"] for each in found} == {"exists", "absent"}
    assert len({each["url"] for each in found}) == len(found) > 12
    assert [each["signature"]["answer"] for each in found if each["answer"] == "exists"] == [
        "exists",
        "absent",
    ]
    assert run.objects[-1]["url"] == release.package_url
    installed = machine.install("hello", "--json").expect(0)
    assert installed.objects[0]["package"]["url"] == release.package_url


def test_several_places_are_asked_about_at_a_time(tmp_path: Path, machine: Machine) -> None:
    together = threading.Barrier(4)
    met: list[bool] = []

    def on_request(request: Request) -> Answer | None:
        if request.method == "HEAD" and "/releases/" in str(request.path) and not met:
            try:
                together.wait(timeout=10)
            except threading.BrokenBarrierError:
                return None
            met.append(True)
        return None

    folder = tmp_path / "other"
    folder.mkdir()
    with Publisher(folder, on_request=on_request) as publisher:
        machine.trust(publisher)
        publisher.release("hello", "1.0.0", metadata=any_format(publisher))
        why(machine, "hello").expect(0)
    assert met, "four questions were never under way at once"


def refuse(path_part: str, status: int) -> Any:
    def on_request(request: Request) -> Answer | None:
        return Answer(status=status) if path_part in str(request.path) else None

    return on_request


@pytest.mark.parametrize(
    ("status", "word", "code"), [(404, "absent", 94), (403, "refused", 68), (401, "refused", 68)]
)
def test_what_a_host_says_decides_as_it_decides_an_install(
    tmp_path: Path, machine: Machine, status: int, word: str, code: int
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    with Publisher(folder, on_request=refuse("/releases/", status)) as publisher:
        machine.trust(publisher)
        publisher.release("hello", "1.0.0")
        run = why(machine, "hello", "--json").expect(code)
        assert [each["answer"] for each in candidates(run)] == [word]
        outcome = run.objects[-1]
        assert (outcome["exit_code"], outcome["url"]) == (code, None)
        text = why(machine, "hello").expect(code).out.splitlines()
        assert text[-1].startswith(f"an install of hello 1.0.0 ends with exit code {code}: ")
        assert machine.install("hello").expect(code).err


def test_a_host_in_trouble_ends_an_install_and_not_the_questions(tmp_path: Path, machine: Machine) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    with Publisher(folder, on_request=refuse(".tar", 429)) as publisher:
        machine.trust(publisher)
        publisher.release("hello", "1.0.0", metadata=any_format(publisher))
        run = why(machine, "hello", "--json", "--maximum-resolution-timeout", "2").expect(68)
        words = [each["answer"] for each in candidates(run)]
        assert "unknown" in words
        assert len(words) > 6
        assert run.objects[-1]["exit_code"] == 68


def test_an_unsigned_crate_is_called_so_and_refused_where_a_signature_is_demanded(
    publisher: Publisher, machine: Machine
) -> None:
    publisher.release("hello", "1.0.0", sign=False)
    run = why(machine, "hello").expect(0)
    assert "  UNSIGNED: its manifest declares no signature" in run.out.splitlines()
    refused = why(machine, "hello", "--only-signed").expect(41)
    assert "  REFUSED: a signed package was asked for (--only-signed)" in refused.out
    assert "ends with exit code 41" in refused.out
    machine.install("hello", "--only-signed", "-y").expect(41)


def test_a_signature_that_is_not_there_is_said_before_anything_is_downloaded(
    publisher: Publisher, machine: Machine
) -> None:
    release = publisher.release("hello", "1.0.0")
    publisher.host.remove(release.signature_path)
    run = why(machine, "hello").expect(41)
    assert f"      absent: {release.signature_url}, its signature" in run.out.splitlines()
    machine.install("hello").expect(41)


def test_a_bad_key_is_the_verdict_and_the_outcome(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0", metadata={"signing": {"pubkey": "RWnokey"}})
    run = why(machine, "hello", "--json").expect(40)
    assert candidates(run)[0]["verdict"]["verdict"] == "refused"
    assert run.objects[-1]["error"] == "BadPublicKey"
    machine.install("hello").expect(40)


def test_a_target_for_which_the_manifest_is_wrong_is_told_and_the_others_are_asked(
    publisher: Publisher, machine: Machine
) -> None:
    release = publisher.release(
        "hello", "1.0.0", metadata={"overrides": {OTHER: {"signing": {"algorithm": "rot13"}}}}
    )
    words = ["--targets", f"{OTHER},{TARGET}", "hello"]
    run = machine.run("why", *words, "--json")
    installed = machine.run("install", *words)
    assert run.code == installed.code != 0
    assert "Traceback" not in run.err
    unusable = [each for each in run.objects if each["event"] == "unusable-target"]
    assert [each["target"] for each in unusable] == [OTHER]
    assert [(each["url"], each["answer"]) for each in candidates(run)] == [(release.package_url, "exists")]


def test_a_build_on_this_machine_is_named_with_its_command(publisher: Publisher, machine: Machine) -> None:
    release = publisher.release("hello", "1.0.0", sign=False)
    publisher.host.remove(release.package_path)
    words = ["hello", "--strategies", "crate-meta-data,compile"]
    run = why(machine, *words, "--json").expect(0)
    assert run.objects[-1]["command"][:3] == ["cargo", "install", "hello"]
    assert "an install of hello 1.0.0 runs cargo install hello" in why(machine, *words).expect(0).out
    assert not machine.bin.exists()


def test_a_mirror_is_asked_in_place_of_the_host_and_the_host_is_named(
    publisher: Publisher, machine: Machine
) -> None:
    template = "https://downloads.example/releases/{ name }/{ version }/{ name }-{ version }-{ target }.tgz"
    publisher.release("hello", "1.0.0", metadata={"pkg-url": template})
    (machine.root / "binstall.toml").write_text(
        f'[[mirror]]\nfrom = "https://downloads.example/"\nto = "{publisher.host.base_url}/"\n'
    )
    words = ["hello", "--index", publisher.index_url, "--json"]
    (candidate, outcome) = why(machine, *words).expect(0).objects
    assert candidate["answer"] == "exists"
    assert outcome["url"] == f"https://downloads.example/releases/hello/1.0.0/hello-1.0.0-{TARGET}.tgz"


def test_a_crate_that_is_not_there_is_one_failure(publisher: Publisher, machine: Machine) -> None:
    publisher.release("hello", "1.0.0")
    (failure,) = why(machine, "nothere", "--json").expect(76).objects
    assert (failure["event"], failure["error"]) == ("failed", "CrateNotFound")
    why(machine, "hello", "other").expect(2)
    why(machine, "hello", "--root", "x").expect(2)
