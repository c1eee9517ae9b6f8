"""GitHub for scenario tests: plays the jobs of a workflow file, their shell steps in a real bash.

Actions are played by functions that do the same: checkout, artifacts, the exchange of OIDC for a token.
On PATH, `gh` answers from a folder, `pipx` and `rustup` have nothing to do, and `cargo build` builds for this
machine whatever the target; git, tar, the other commands of cargo and `binstall` are real. A token may do
what its job's `permissions` say, and no more. An expression that is not known here is an error.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

GITHUB_PROGRAM = Path(__file__).with_name("support_gh.py")
REPOSITORY = "you/hello"
_EXPRESSION = re.compile(r"\$\{\{\s*([A-Za-z0-9_.-]+)\s*\}\}")
_CARGO = """#!/bin/sh
set -e
if [ "$1" = build ]; then
  while [ $# -gt 0 ]; do
    [ "$1" != --target ] || target=$2
    shift
  done
  {cargo} build --quiet --locked --release
  mkdir -p "target/$target/release"
  for name in hello hello.exe; do cp target/release/hello "target/$target/release/$name"; done
  exit
fi
# The registry here is not crates.io, and its token has another name.
if [ -n "${CARGO_REGISTRY_TOKEN:-}" ]; then export CARGO_REGISTRIES_STANDIN_TOKEN="$CARGO_REGISTRY_TOKEN"; fi
exec {cargo} "$@"
"""


class StepFailed(AssertionError):
    """A step of a job ended with another exit code than 0."""

    def __init__(self, what: str, code: int, said: str) -> None:
        super().__init__(f"{what}: exit code {code}\n{said}")
        self.code = code
        self.said = said


def load(path: Path) -> dict[str, Any]:
    """Return a workflow or an action."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


@dataclass
class GitHub:
    """One repository with its artifacts, releases, secrets and variables."""

    folder: Path
    origin: Path
    """A git repository on this disk."""
    environment: Mapping[str, str]
    """What runners get besides GitHub's own variables: where cargo finds its registry, and the like."""
    programs: Mapping[str, str]
    """Script by name, put on PATH of every runner."""
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    """By environment, then by name."""
    variables: dict[str, str] = field(default_factory=dict)
    registry_token: str = "a token"
    run_id: int = 1
    jobs_played: int = 0

    @property
    def artifacts(self) -> Path:
        """Folder of this run's artifacts, each a folder by its name."""
        return self.folder / "state" / "artifacts" / str(self.run_id)

    @property
    def releases(self) -> Path:
        """Folder of all releases, each a folder by its tag; `.draft` in it marks a draft."""
        return self.folder / "state" / "releases"

    def play(
        self,
        workflow: Mapping[str, Any],
        name: str,
        tag: str,
        *,
        matrix: Mapping[str, str] | None = None,
        kill_after: float | None = None,
    ) -> str:
        """Play one job on a fresh runner; return what its shell steps said.

        With `kill_after`, each of its shell steps that takes longer is killed then, as with a lost runner,
        and the job is over.

        Raises:
            StepFailed: a shell step failed.
        """
        job = workflow["jobs"][name]
        self.jobs_played += 1
        runner = Runner(
            github=self,
            folder=self.folder / f"runner-{self.jobs_played}",
            tag=tag,
            permissions={**workflow["permissions"], **job["permissions"]},
            environment=job.get("environment"),
            matrix=matrix or {},
        )
        layers = [workflow.get("env", {}), job.get("env", {})]
        try:
            return "".join(runner.steps(job["steps"], layers, kill_after))
        finally:
            shutil.rmtree(runner.folder / "workspace")


@dataclass
class Runner:
    """One machine, for one job."""

    github: GitHub
    folder: Path
    tag: str
    permissions: Mapping[str, str]
    environment: str | None
    matrix: Mapping[str, str]
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Of an action that is played."""
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of steps, by their ids."""

    def __post_init__(self) -> None:
        for name in ("workspace", "temp", "programs"):
            (self.folder / name).mkdir(parents=True)
        for name, text in self.github.programs.items():
            program = self.folder / "programs" / name
            program.write_text(text)
            program.chmod(0o755)

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    def steps(
        self,
        steps: list[dict[str, Any]],
        layers: list[Mapping[str, str]],
        kill_after: float | None = None,
    ) -> Iterator[str]:
        """Play steps, one after the other."""
        for step in steps:
            if "uses" in step:
                inputs = {name: self.rendered(str(text)) for name, text in step.get("with", {}).items()}
                outputs = _ACTIONS[step["uses"].partition("@")[0]](self, inputs)
                self.outputs[step.get("id", "")] = outputs
                continue
            values: dict[str, str] = {}
            for layer in [*layers, step.get("env", {})]:
                values |= {name: self.rendered(str(text)) for name, text in layer.items()}
            said = self.bash(step, values, kill_after)
            if said is None:
                return
            yield said

    def rendered(self, text: str) -> str:
        """Return a text with its expressions replaced."""
        return _EXPRESSION.sub(lambda found: self.value(found[1]), text)

    def value(self, name: str) -> str:
        """Return what an expression means; raises KeyError where nobody said."""
        context, _, rest = name.partition(".")
        match context:
            case "matrix":
                return self.matrix[rest]
            case "inputs":
                return self.inputs[rest]
            case "secrets":
                return self.github.secrets.get(self.environment or "", {}).get(rest, "")
            case "vars":
                return self.github.variables.get(rest, "")
            case "steps":
                step, _, output = rest.partition(".outputs.")
                return self.outputs[step][output]
            case _:
                return {
                    "github.token": " ".join(f"{what}:{how}" for what, how in self.permissions.items()),
                    "github.repository": REPOSITORY,
                    "github.ref": f"refs/tags/{self.tag}",
                }[name]

    def bash(
        self, step: Mapping[str, Any], values: Mapping[str, str], kill_after: float | None = None
    ) -> str | None:
        """Run a shell step as GitHub's `shell: bash` does; return what it said, None if it was killed."""
        script = self.folder / "step.sh"
        script.write_text(step["run"])
        output = self.folder / "output"
        output.touch()
        process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.workspace,
            env={
                "PATH": f"{self.folder / 'programs'}:/usr/bin:/bin:{Path(shutil.which('cargo') or '/').parent}",
                "HOME": str(self.folder),
                "CI": "true",
                "GITHUB_ACTIONS": "true",
                "GITHUB_OUTPUT": str(output),
                "GITHUB_REF_NAME": self.tag,
                "GITHUB_REPOSITORY": REPOSITORY,
                "GITHUB_RUN_ID": str(self.github.run_id),
                "GITHUB_WORKSPACE": str(self.workspace),
                "RUNNER_TEMP": str(self.folder / "temp"),
                "GH_STATE": str(self.github.folder / "state"),
                **self.github.environment,
                **values,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=kill_after or 300)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            assert kill_after is not None, f"{step.get('name')} does not come to an end"
            return None
        if process.returncode != 0:
            raise StepFailed(str(step.get("name")), process.returncode, said)
        written = [line.partition("=") for line in output.read_text().splitlines()]
        self.outputs.setdefault(step.get("id", ""), {}).update({name: value for name, _, value in written})
        return said


def _checkout(runner: Runner, inputs: Mapping[str, str]) -> dict[str, str]:
    assert runner.permissions.get("contents") in {"read", "write"}, "checkout needs `contents: read`"
    assert inputs == {"persist-credentials": "False"}
    git = ["git", "-c", "advice.detachedHead=false"]
    origin = str(runner.github.origin)
    command = [*git, "clone", "--quiet", "--branch", runner.tag, origin, str(runner.workspace)]
    subprocess.run(command, check=True, env={"PATH": os.environ["PATH"], "HOME": str(runner.folder)})
    return {}


def _upload(runner: Runner, inputs: Mapping[str, str]) -> dict[str, str]:
    """The files keep their paths below the folder that all patterns have in common."""
    patterns = inputs["path"].split()
    found = sorted(path for pattern in patterns for path in runner.workspace.glob(pattern))
    assert found, f"no file for {patterns}"
    top = Path(os.path.commonpath([runner.workspace / Path(pattern).parent for pattern in patterns]))
    place = runner.github.artifacts / inputs["name"]
    assert inputs["overwrite"] == "True", "a job that is run again uploads again"
    if place.exists():
        shutil.rmtree(place)
    for path in found:
        (place / path.relative_to(top)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place / path.relative_to(top))
    return {}


def _download(runner: Runner, inputs: Mapping[str, str]) -> dict[str, str]:
    names = [inputs["name"]] if "name" in inputs else []
    if "pattern" in inputs:
        assert inputs["merge-multiple"] == "True"
        names = sorted(path.name for path in runner.github.artifacts.glob(inputs["pattern"]))
    for name in names:
        target = runner.workspace / inputs.get("path", ".")
        shutil.copytree(runner.github.artifacts / name, target, dirs_exist_ok=True)
    return {}


def _crates_io_token(runner: Runner, _: Mapping[str, str]) -> dict[str, str]:
    assert runner.permissions.get("id-token") == "write", "OIDC needs `id-token: write`"
    return {"token": runner.github.registry_token}


def _python(_: Runner, inputs: Mapping[str, str]) -> dict[str, str]:
    assert inputs["update-environment"] == "False"
    return {"python-path": sys.executable}


_ACTIONS: Mapping[str, Callable[[Runner, Mapping[str, str]], dict[str, str]]] = {
    "actions/checkout": _checkout,
    "actions/upload-artifact": _upload,
    "actions/download-artifact": _download,
    "actions/setup-python": _python,
    "rust-lang/crates-io-auth-action": _crates_io_token,
}


def programs() -> dict[str, str]:
    """Return what runners have on PATH; cargo and binstall are those of this machine."""
    python = f"#!{sys.executable}\n"
    return {
        "binstall": f"{python}import sys\nfrom binstall.cli.app import main\nsys.exit(main())\n",
        "cargo": _CARGO.replace("{cargo}", str(shutil.which("cargo"))),
        "gh": python + GITHUB_PROGRAM.read_text(encoding="utf-8"),
        "pipx": '#!/bin/sh\n[ "$1" = install ]\n',
        "rustup": "#!/bin/sh\n[ \"$1 $2\" = 'target add' ]\n",
    }
