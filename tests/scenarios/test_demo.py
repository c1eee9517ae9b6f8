from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from binstall.cli.demo import Demo, run
from binstall.errors import BinstallError
from support_machine import Machine


def test_the_demo_tells_the_whole_story_and_touches_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.environment = {
        "CARGO_HOME": "/nonexistent",
        "CARGO_BUILD_TARGET": "nonsense",
        "CARGO_HTTP_CAINFO": "/nonexistent",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "SSL_CERT_FILE": "/nonexistent",
        "BINSTALL_LOG_LEVEL": "off",
        "BINSTALL_NO_CONFIRM": "nonsense",
    }
    before = machine.files()
    began = time.monotonic()
    said = machine.run("demo").expect(0)
    assert time.monotonic() - began < 30, "seconds; one on a quiet machine"
    assert said.err == ""
    assert said.out.count("refused with exit code 40") == 4
    assert "it says: hello 1.1.0" in said.out
    assert 30 <= len(said.out.splitlines()) <= 48
    assert machine.files() == before


def test_the_demo_fails_when_an_attack_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    class Untampered(Demo):
        @contextlib.contextmanager
        def changed(self, path: str, change: Callable[[bytes], bytes]) -> Iterator[None]:
            del path, change
            yield

    with pytest.raises(BinstallError, match="step 1 should have ended with exit code 40"):
        run(Untampered)
    assert "FOUR ATTACKERS" in capsys.readouterr().out
