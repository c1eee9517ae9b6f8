"""`binstall verify` from its words to its exit code: whose key, which signature, what is said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from binstall.cli.app import main
from binstall.formats.minisign_key import serialize_public_key
from binstall.signing.minisign_keys import SecretKey, generate, lock, sign_digest
from signature_vectors import FOLDER, VECTORS, minisign, needs_minisign, vector, vectors

TARGET = "x86_64-unknown-linux-musl"
OTHER = "aarch64-apple-darwin"
NAME = f"hello-1.2.3-{TARGET}.tgz"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def key() -> SecretKey:
    return generate()


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*words: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["verify", *map(str, words)])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return run


Said = Callable[..., tuple[int, str, str]]


def signed(
    key: SecretKey,
    name: str,
    comment: str | None = None,
    *,
    content: bytes = b"content",
    suffix: str = ".sig",
) -> str:
    Path(name).write_bytes(content)
    text = sign_digest(key, blake2b(content).digest(), comment or f"timestamp:1\tfile:{name}")
    Path(f"{name}{suffix}").write_bytes(text)
    return name


def manifest(metadata: str, *, version: str = "1.2.3") -> str:
    Path("src").mkdir(exist_ok=True)
    Path("src/main.rs").write_text("fn main() {}\n")
    Path("Cargo.toml").write_text(
        f'[package]\nname = "hello"\nversion = "{version}"\n\n[package.metadata.binstall]\n'
        'pkg-url = "https://example.com/v{ version }/{ name }-{ version }-{ target }.tgz"\n'
        f"{metadata}\n"
    )
    return "Cargo.toml"


def signing(key: SecretKey, table: str = "signing", more: str = "") -> str:
    pubkey = key.public_key.base64
    return f'[package.metadata.binstall.{table}]\nalgorithm = "minisign"\npubkey = "{pubkey}"\n{more}\n'


def test_verdict_key_id_and_trusted_comment_are_told(folder: Path, key: SecretKey, said: Said) -> None:
    signed(key, "a.tgz", "timestamp:1\tfile:a.tgz\thashed\x1b".replace("\x1b", "\u202e"))
    code, out, err = said("a.tgz", "-P", key.public_key.base64)
    assert code == 0
    assert out == (
        f"a.tgz: verified, signed by key {key.public_key.shown_id}\n"
        "  trusted comment: timestamp:1  file:a.tgz  hashed\\u{202e}\n"
    )
    assert err == ""


@pytest.mark.parametrize("form", ["-P", "-p", "-P with the comment line", "-m"])
def test_every_way_to_name_key_and_file(folder: Path, key: SecretKey, said: Said, form: str) -> None:
    signed(key, "a")
    text = serialize_public_key(key.public_key)
    Path("k.pub").write_text(text)
    words: dict[str, list[str]] = {
        "-P": ["a", "-P", key.public_key.base64],
        "-p": ["a", "-p", "k.pub"],
        "-P with the comment line": ["a", "--public-key", text],
        "-m": ["-p", "k.pub", "-m", "a"],
    }
    assert said(*words[form])[0] == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(["a"], "-P", id="no key"),
        pytest.param(["-p", "k.pub"], "FILE", id="no file"),
        pytest.param(["a", "-p", "k.pub", "-P", "RW"], "-P and -p", id="two keys"),
        pytest.param(["a", "-p", "k.pub", "--crate", "x@1"], "one of", id="key and crate"),
        pytest.param(["a", "-p", "k.pub", "--package", "x"], "--package", id="package of nothing"),
        pytest.param(["a", "b", "-p", "k.pub", "-x", "a.sig"], "-x", id="one signature, two files"),
        pytest.param(["a", "--crate", "hello"], "hello@VERSION", id="crate without version"),
        pytest.param(["a", "-p", "k.key"], "binstall pubkey", id="secret key as -p"),
        pytest.param(["a", "-p", "a.sig"], "-x takes", id="signature as -p"),
        pytest.param(["a", "-P", "k.pub"], "-p takes it", id="file as -P"),
        pytest.param(["a", "-p", "{key}"], "-P takes the key itself", id="key as -p"),
        pytest.param(["a", "-P", "age1abc"], "age recipient", id="age recipient as -P"),
    ],
)
def test_contradictions_and_swapped_keys_name_what_is_right(
    folder: Path, key: SecretKey, said: Said, words: list[str], expected: str
) -> None:
    signed(key, "a")
    signed(key, "b")
    Path("k.pub").write_text(serialize_public_key(key.public_key))
    Path("k.key").write_bytes(lock(key, None))
    code, out, err = said(*(word.replace("{key}", key.public_key.base64) for word in words))
    assert (code, out) == (2, "")
    assert expected in err


def test_a_secret_key_in_the_wrong_place_is_never_shown(folder: Path, key: SecretKey, said: Said) -> None:
    signed(key, "a")
    text = lock(key, None).decode().splitlines()[1]
    code, out, err = said("a", "-P", text)
    assert code == 2
    assert text[10:40] not in out + err


@pytest.mark.parametrize("option", ["-P", "-p"])
def test_a_malformed_public_key_is_40_whichever_way_it_comes(
    folder: Path, key: SecretKey, said: Said, option: str
) -> None:
    signed(key, "a")
    bad = key.public_key.base64[:-4] + "!!!!"
    Path("k.pub").write_text(bad)
    code, _, err = said("a", option, bad if option == "-P" else "k.pub")
    assert code == 40
    assert "public key" in err


def test_a_public_key_file_that_is_not_there_is_74(folder: Path, said: Said) -> None:
    code, _, err = said("a", "-p", "nowhere.pub")
    assert code == 74
    assert "nowhere.pub" in err


def test_results_come_in_order_and_failures_once_more_at_the_end(
    folder: Path, key: SecretKey, said: Said
) -> None:
    for name in ("a", "b", "c", "d"):
        signed(key, name)
    Path("b").write_bytes(b"changed")
    Path("c.sig").unlink()
    code, out, err = said("a", "b", "c", "d", "missing", "-P", key.public_key.base64)
    assert code == 40
    heads = [line.split(":")[0] + line.partition(":")[2][:9] for line in out.splitlines() if line[0] != " "]
    assert heads == ["a verified", "b FAILED", "c FAILED", "d verified", "missing FAILED"]
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert [line.split()[1].rstrip(":") for line in errors] == ["b", "c", "missing"]
    assert "3 of 5 files failed" in err


def test_a_file_that_one_may_not_read_is_74_and_stops_no_other(
    folder: Path, key: SecretKey, said: Said
) -> None:
    for name in ("a", "b"):
        signed(key, name)
    Path("a").chmod(0)
    if os.access("a", os.R_OK):
        pytest.skip("this user may read any file")
    code, out, err = said("a", "b", "-P", key.public_key.base64)
    assert (code, out.splitlines()[0]) == (74, "a: FAILED")
    assert "b: verified" in out and "a cannot be read: Permission denied" in err


def test_quiet_tells_failures_only(folder: Path, key: SecretKey, said: Said) -> None:
    signed(key, "a", "timestamp:1\tfile:other")
    assert said("-q", "a", "-P", key.public_key.base64) == (0, "", "")
    Path("a").write_bytes(b"changed")
    code, out, err = said("-q", "a", "-P", key.public_key.base64)
    assert (code, out) == (40, "")
    assert err.startswith("error: a: ")


def test_json_is_one_object_a_file_and_one_for_a_run_that_cannot_begin(
    folder: Path, key: SecretKey, said: Said
) -> None:
    signed(key, "ü", "timestamp:1\tfile:ü")
    signed(key, "b", "timestamp:1\tfile:c", suffix=".minisig")
    code, out, _ = said("--json", "ü", "b", "missing", "-P", key.public_key.base64)
    assert code == 74
    objects: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    assert out.isascii()
    assert [each["event"] for each in objects] == ["verified", "verified", "failed"]
    assert objects[0]["file"] == "ü"
    assert objects[0]["signature"] == {
        "verdict": "verified",
        "algorithm": "minisign",
        "key_id": key.public_key.shown_id,
        "public_key": key.public_key.base64,
        "trusted_comment": "timestamp:1\tfile:ü",
        "file": "ü.sig",
        "warnings": [],
    }
    assert len(objects[1]["signature"]["warnings"]) == 1
    assert (objects[2]["exit_code"], objects[2]["error"]) == (74, "LocalIOError")
    code, out, _ = said("--json", "a", "-P", "nonsense")
    assert code == 40
    assert json.loads(out)["file"] is None


def test_under_a_manifest_all_that_the_comment_names_must_be_right(
    folder: Path, key: SecretKey, said: Said
) -> None:
    manifest(signing(key))
    signed(key, NAME, f"timestamp:1\tfile:{NAME}\tcrate:hello\tversion:1.2.3\ttarget:{TARGET}")
    assert said(NAME, "--manifest-path", "Cargo.toml")[0] == 0
    assert said(NAME, "--manifest-path", ".")[0] == 0
    for field in ("file:other.tgz", "crate:bye", "version:1.2.2", f"target:{OTHER}"):
        signed(key, NAME, f"timestamp:1\t{field}")
        code, _, err = said(NAME, "--manifest-path", "Cargo.toml")
        assert code == 40, field
        assert field.partition(":")[2] in err
        assert "--allow-name-mismatch" not in err
        assert said(NAME, "-P", key.public_key.base64)[0] == 0


def test_the_target_decides_about_the_key(folder: Path, key: SecretKey, said: Said) -> None:
    other = generate()
    manifest(signing(key) + signing(other, f"overrides.{OTHER}.signing"))
    mac = f"hello-1.2.3-{OTHER}.tgz"
    signed(key, NAME)
    signed(other, mac)
    assert said(NAME, mac, "--manifest-path", "Cargo.toml")[0] == 0
    signed(key, mac)
    assert said(mac, "--manifest-path", "Cargo.toml")[0] == 40


def test_the_manifest_says_where_the_signature_lies(folder: Path, key: SecretKey, said: Said) -> None:
    manifest(signing(key, more='file = "https://elsewhere.example/{ version }/{ target }.minisig"'))
    signed(key, NAME)
    code, _, err = said(NAME, "--manifest-path", "Cargo.toml")
    assert code == 41
    assert f"{TARGET}.minisig" in err
    assert said(NAME, "--manifest-path", "Cargo.toml", "-x", f"{NAME}.sig")[0] == 0
    Path(f"{NAME}.sig").rename(f"{TARGET}.minisig")
    assert said(NAME, "--manifest-path", "Cargo.toml")[0] == 0


def test_a_file_to_which_no_target_leads_is_judged_by_the_base_table(
    folder: Path, key: SecretKey, said: Said
) -> None:
    manifest(signing(key))
    signed(key, "hello-src.tar", "file:hello-src.tar\tcrate:hello\tversion:1.2.3")
    assert said("hello-src.tar", "--manifest-path", "Cargo.toml")[0] == 0
    signed(key, "hello-src.tar", "file:hello-src.tar\tcrate:hello\tversion:1.2.2")
    assert said("hello-src.tar", "--manifest-path", "Cargo.toml")[0] == 40


def test_a_manifest_that_declares_no_signature_verifies_nothing(
    folder: Path, key: SecretKey, said: Said
) -> None:
    manifest("")
    signed(key, NAME)
    signed(key, "other")
    for name in (NAME, "other"):
        code, out, err = said(name, "--manifest-path", "Cargo.toml")
        assert (code, out) == (41, "")
        assert "declares no signature" in err


def test_a_signing_table_that_is_half_filled_is_an_error_of_the_manifest(
    folder: Path, key: SecretKey, said: Said
) -> None:
    manifest('[package.metadata.binstall.signing]\nalgorithm = "minisign"\n')
    signed(key, NAME)
    signed(key, "other")
    for name in (NAME, "other"):
        code, _, err = said(name, "--manifest-path", "Cargo.toml")
        assert code == 99
        assert "pubkey" in err


def test_package_picks_a_member_of_the_workspace(folder: Path, key: SecretKey, said: Said) -> None:
    manifest(signing(key))
    (folder / "hello").mkdir()
    for name in ("Cargo.toml", "src"):
        Path(name).rename(folder / "hello" / name)
    (folder / "bye/src").mkdir(parents=True)
    (folder / "bye/src/main.rs").touch()
    (folder / "bye/Cargo.toml").write_text('[package]\nname = "bye"\nversion = "1.2.3"\n')
    Path("Cargo.toml").write_text('[workspace]\nmembers = ["hello", "bye"]\n')
    signed(key, NAME)
    assert said(NAME, "--manifest-path", "Cargo.toml", "--package", "hello")[0] == 0
    assert said(NAME, "--manifest-path", "Cargo.toml", "--package", "bye")[0] == 41
    code, _, err = said(NAME, "--manifest-path", "Cargo.toml")
    assert code == 99
    assert "--package" in err


def test_a_hostile_name_of_file_or_comment_cannot_reach_the_terminal(
    folder: Path, key: SecretKey, said: Said
) -> None:
    name = "a\x1b[2Jb"
    signed(key, name, "timestamp:1\t\u2066::set-output\u2069")
    Path("c\x1b[2Jd").write_bytes(b"")
    _, out, err = said(name, "c\x1b[2Jd", "-P", key.public_key.base64)
    assert not any(mark in out + err for mark in ("\x1b", "\u2066", "\u2069"))


@needs_minisign
@pytest.mark.parametrize("case", vectors("minisign-verify"))
def test_the_exit_code_over_every_vector_is_what_minisign_allows(case: dict[str, Any], said: Said) -> None:
    words = (FOLDER / case["file"], "-x", FOLDER / case["signature"], "-P", case["public_key"])
    code, _, _ = said("-q", *words)
    accepted = minisign("-V", "-m", words[0], *words[1:]).returncode == 0
    assert code == (0 if case["verdict"] == "accept" else 40)
    assert accepted or code != 0
    assert code == 0 or not accepted or case.get("stricter_than_minisign") is True
    assert said("-q", "--allow-legacy", *words)[0] in ({0} if code == 0 else {0, 40})


def test_the_vectors_that_only_minisign_accepts_are_exactly_those_marked_so() -> None:
    cases = [each for each in VECTORS if each["kind"] == "minisign-verify" and each["verdict"] == "reject"]
    for case in cases:
        assert case.get("stricter_than_minisign", False) == (case["minisign_exit"] == 0), case["id"]


def test_the_short_help_fits_a_screen_and_the_long_one_ends_with_an_example(said: Said) -> None:
    code, short, _ = said("-h")
    assert code == 0
    assert len(short.splitlines()) <= 40
    _, long, _ = said("--help")
    assert long.index("Example") > long.index("--allow-insecure-http")
    assert vector("ok-basic")["public_key"] in long or "binstall verify" in long.splitlines()[-1]


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once(folder: Path, key: SecretKey, number: signal.Signals) -> None:
    for name in ("a", "b", "c"):
        os.truncate(signed(key, name), 64 << 30)  # sparse: minutes of hashing
    code = "import sys; from binstall.cli.app import main; sys.exit(main())"
    words = [sys.executable, "-c", code, "verify", "a", "b", "c", "-P", key.public_key.base64]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 10  # a machine with one core starts no thread
    while threads_of(process.pid) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    start = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - start < 10
    assert (process.returncode, out) == (32, "")
    assert "Traceback" not in err


def threads_of(pid: int) -> int:
    """Return how many threads a process has; 2 where the system does not tell, after time for two."""
    tasks = Path(f"/proc/{pid}/task")
    if not tasks.exists():
        time.sleep(2)
        return 2
    return len(list(tasks.iterdir()))
