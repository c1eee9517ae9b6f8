"""The action of this repository, its shell steps run by bash as a runner runs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from binstall.formats.package_format import PackageFormat
from binstall.hosting.packing import build_package
from binstall.publish.age import generate_identity
from binstall.signing.minisign_keys import generate, lock
from signature_vectors import needs_minisign
from support_keys import CHEAP, needs_pyrage
from support_machine import Machine
from support_registry import Publisher
from support_workflow import GitHub, Runner, StepFailed, load, programs

REPOSITORY = Path(__file__).parent.parent.parent
ACTION = load(REPOSITORY / "action.yml")
TARGET = "x86_64-unknown-linux-musl"
PACKAGE = f"hello-{TARGET}-v1.0.0.tgz"
MANIFEST = """\
[package]
name = "hello"
version = "1.0.0"
edition = "2021"
repository = "https://github.com/you/hello"
"""

Act = Callable[..., str]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What GitHub has of the action when it runs it."""
    folder = tmp_path_factory.mktemp("action")
    for name in ("pyproject.toml", "README.md", "LICENSE-MIT", "LICENSE-APACHE"):
        shutil.copyfile(REPOSITORY / name, folder / name)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(REPOSITORY / "src", folder / "src", ignore=ignored)
    return folder


@pytest.fixture(scope="module")
def runner(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """A machine on which the action's first steps have run, without a network."""
    folder = tmp_path_factory.mktemp("github")
    libraries = sysconfig.get_path("purelib")
    github = GitHub(
        folder=folder,
        origin=folder,
        environment={
            "GITHUB_ACTION_PATH": str(checkout),
            "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup")),
            # Dependencies are those of this interpreter; what builds the package, too.
            "PYTHONPATH": libraries,
            "PIP_NO_INDEX": "true",
            "PIP_NO_DEPS": "true",
            "PIP_NO_BUILD_ISOLATION": "false",
        },
        programs={name: text for name, text in programs().items() if name != "binstall"},
    )
    runner = Runner(github, folder / "runner", "v1.0.0", permissions={}, environment=None, matrix={})
    first, second, _ = ACTION["runs"]["steps"]
    # Nothing in the working directory is a module to the Python that installs and runs binstall.
    for name in ("pip", "binstall", "click", "json"):
        (runner.workspace / f"{name}.py").write_text("raise SystemExit('taken from the working directory')")
    assert list(runner.steps([first, second], [])) == [""]
    home = folder / "runner/temp/binstall-action"
    (packages,) = home.glob("lib/python*/site-packages")
    assert (packages / "binstall").is_dir()
    (packages / "dependencies.pth").write_text(f"{libraries}\n{sysconfig.get_path('platlib')}\n")
    return runner


@pytest.fixture
def act(runner: Runner, tmp_path: Path) -> Act:
    """Run the action with inputs, in a package with one release file; return what it said."""
    for path in runner.workspace.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    (runner.workspace / "src").mkdir()
    (runner.workspace / "src/main.rs").write_text("fn main() {}\n")
    (runner.workspace / "Cargo.toml").write_text(MANIFEST)
    (runner.workspace / "dist").mkdir()
    package = build_package(PackageFormat.TGZ, {"hello": b"#!/bin/sh\n"})
    (runner.workspace / "dist" / PACKAGE).write_bytes(package)

    def run(**inputs: str) -> str:
        given = {name.replace("_", "-"): text for name, text in inputs.items()}
        assert given.keys() <= ACTION["inputs"].keys()
        defaults = {name: about.get("default", "") for name, about in ACTION["inputs"].items()}
        runner.inputs = defaults | given
        return "".join(runner.steps(ACTION["runs"]["steps"][2:], []))

    return run


@pytest.fixture
def secret_key(tmp_path: Path) -> Path:
    with generate() as key:
        (tmp_path / "signing.key").write_bytes(lock(key, b"pass word", cost=CHEAP))
        (tmp_path / "signing.pub").write_text(key.public_key.base64)
    return tmp_path / "signing.key"


def test_it_signs_just_in_time_checks_here_and_online_and_verifies(
    act: Act, runner: Runner, publisher: Publisher, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {**runner.github.environment, "CARGO_HOME": str(machine.root)}
    monkeypatch.setattr(runner.github, "environment", environment)
    publisher.release("another", "1.0.0")
    manifest = runner.workspace / "Cargo.toml"
    manifest.write_text(
        f'{MANIFEST}\n[package.metadata.binstall]\npkg-url = "{publisher.host.base_url}/{{ name }}-{{ target }}-v'
        '{ version }.tgz"\n'
    )
    with pytest.raises(StepFailed) as failed:
        act(command="verify", files="dist/*.tgz")
    assert failed.value.code == 41
    assert PACKAGE in act(command="sign", just_in_time="true", files="dist/*.tgz")
    assert 'release = "1.0.0"' in manifest.read_text()
    assert "nothing was changed" in act(command="sign", just_in_time="true", files="dist/*.tgz")
    assert "verified" in act(command="verify", files="dist/*.tgz")
    assert TARGET in act(command="check", dist="dist", targets=TARGET)
    with pytest.raises(StepFailed) as failed:
        act(command="check", dist="dist", targets=TARGET, online="true")
    assert failed.value.code == 94
    for path in (runner.workspace / "dist").iterdir():
        publisher.host.put(f"/{path.name}", path.read_bytes())
    assert TARGET in act(command="check", dist="dist", targets=TARGET, online="true")
    package = runner.workspace / "dist" / PACKAGE
    package.write_bytes(package.read_bytes() + b"!")
    for command in ("check", "verify"):
        with pytest.raises(StepFailed) as failed:
            act(command=command, dist="dist", files=f"dist/{PACKAGE}")
        assert failed.value.code == 40


def test_a_key_from_secrets_signs_and_is_nowhere_in_the_log(
    act: Act, runner: Runner, secret_key: Path
) -> None:
    public = secret_key.with_suffix(".pub").read_text()
    said = act(
        command="sign",
        files="dist/*.tgz",
        secret_key=secret_key.read_text(),
        password="pass word",
        trusted_comment='-q from $(id) `id`\\ "quoted"',
    )
    assert "-q from $(id) `id`" in said
    assert secret_key.read_text().splitlines()[1] not in said
    assert "pass word" not in said
    assert "verified" in act(command="verify", files="dist/*.tgz", public_key=public)


@needs_pyrage
def test_an_encrypted_key_file_is_opened_by_an_identity_from_secrets(
    act: Act, runner: Runner, tmp_path: Path
) -> None:
    identity = generate_identity()
    command = [str(runner.outputs["install"]["python"]), "-I", "-m", "binstall", "keygen"]
    words = [
        "-r",
        identity.recipient,
        "-s",
        str(tmp_path / "release.key"),
        "-p",
        str(tmp_path / "pub"),
    ]
    subprocess.run([*command, *words, "-q"], check=True)
    act(
        command="sign",
        files="dist/*.tgz",
        secret_key_file=str(tmp_path / "release.key.age"),
        age_identity=identity.text.data.decode() + "\n",
    )
    public = (tmp_path / "pub").read_text().splitlines()[1]
    assert "verified" in act(command="verify", files="dist/*.tgz", public_key=public)


@needs_minisign
def test_files_are_patterns_one_per_line_and_may_have_any_name(
    act: Act, runner: Runner, secret_key: Path
) -> None:
    names = ["two words.zip", "-m", "$(touch hacked).tgz", "'; exit 1; '.tgz", "ünï.tgz"]
    for name in names:
        (runner.workspace / "dist" / name).write_bytes(name.encode())
    act(
        command="sign",
        files="dist/*.zip\r\n\ndist/-m\ndist/*.tgz\n",
        manifest_path="",
        secret_key=secret_key.read_text(),
        password="pass word",
    )
    for name in [*names, PACKAGE]:
        path = runner.workspace / "dist" / name
        public = secret_key.with_suffix(".pub").read_text()
        subprocess.run(
            ["minisign", "-V", "-q", "-P", public, "-m", str(path), "-x", f"{path}.sig"], check=True
        )
    assert not list(runner.workspace.rglob("hacked"))


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        pytest.param({"command": "install"}, "takes sign, check or verify", id="another command"),
        pytest.param(
            {"command": "sign", "just_in_time": "yes"}, "just-in-time takes true or false", id="no flag"
        ),
        pytest.param({"command": "sign", "files": "dist/*.rpm"}, r"dist/\*.rpm", id="no such file"),
        pytest.param({"command": "sign"}, "there is no file", id="no file"),
        pytest.param({"command": "verify", "files": "--help"}, "--help", id="a file like an option"),
    ],
)
def test_what_makes_no_sense_is_said(act: Act, inputs: dict[str, str], said: str) -> None:
    with pytest.raises(StepFailed, match=said):
        act(**inputs)
