"""The workflows of the guide and the action of this repository: what they may do, and what they do when played."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from binstall import __version__
from binstall.hosting.answer import Answer
from binstall.hosting.request import Request
from binstall.publish.age import generate_identity
from support_keys import needs_pyrage
from support_machine import Machine
from support_registry import Publisher
from support_upload import UploadRegistry
from support_workflow import GitHub, StepFailed, load, programs

REPOSITORY = Path(__file__).parent.parent.parent
ONE_JOB = REPOSITORY / "docs/workflows/release.yml"
SEVERAL_JOBS = REPOSITORY / "docs/workflows/release-several-jobs.yml"
ACTION = REPOSITORY / "action.yml"
WORKFLOWS = [pytest.param(ONE_JOB, id="one job"), pytest.param(SEVERAL_JOBS, id="several jobs")]
FILES = [*WORKFLOWS, pytest.param(ACTION, id="action")]
TARGETS = ("x86_64-unknown-linux-gnu", "x86_64-pc-windows-msvc")
WRITES = {
    "draft": {"contents": "write"},
    "undraft": {"contents": "write"},
    "publish": {"contents": "read", "id-token": "write"},
    "forget": {"actions": "write"},
}
"""What a job may write; all others read the repository at most."""
ORDER = ["sign|stamp", "draft", "check", "undraft", "check-online", "publish", "verify"]

needs_cargo = pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not on PATH")
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not on PATH")
FORMS = [
    pytest.param(ONE_JOB, id="one job"),
    pytest.param(SEVERAL_JOBS, id="several jobs", marks=needs_pyrage),
]


def steps_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return all steps of a workflow or an action."""
    jobs = document["jobs"].values() if "jobs" in document else [document["runs"]]
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize("path", FILES)
def test_no_expression_is_ever_part_of_a_script(path: Path) -> None:
    scripts = [step["run"] for step in steps_of(load(path)) if "run" in step]
    assert scripts
    assert [script for script in scripts if "${{" in script] == []


@pytest.mark.parametrize("path", FILES)
def test_every_script_is_one_that_bash_can_read(path: Path) -> None:
    for step in steps_of(load(path)):
        if "run" in step:
            subprocess.run(["bash", "-n"], input=step["run"].encode(), check=True)


@pytest.mark.parametrize("path", FILES)
def test_every_action_is_pinned_by_a_commit_that_is_named_by_its_release(path: Path) -> None:
    used = re.findall(r"uses: *(.*)", path.read_text())
    assert len(used) == sum("uses" in step for step in steps_of(load(path)))
    for each in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each), each
    commits = {(name, commit) for path in (ONE_JOB, SEVERAL_JOBS, ACTION) for name, commit in _pins(path)}
    assert len({name for name, _ in commits}) == len(commits), "one release of each action"


def _pins(path: Path) -> list[tuple[str, str]]:
    used = [step["uses"].partition("@") for step in steps_of(load(path)) if "uses" in step]
    return [(name, commit) for name, _, commit in used]


@pytest.mark.parametrize("path", WORKFLOWS)
def test_every_job_has_the_permissions_that_it_needs_and_no_others(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        allowed = WRITES.get(name)
        if allowed is None:
            assert job["permissions"] in ({}, {"contents": "read"}), name
        else:
            assert job["permissions"] == allowed, name


@pytest.mark.parametrize("path", WORKFLOWS)
def test_no_checkout_leaves_its_token_and_no_job_reads_a_cache(path: Path) -> None:
    for step in steps_of(load(path)):
        action = step.get("uses", "")
        assert "cache" not in str(step).lower()
        if action.startswith("actions/checkout"):
            assert step["with"] == {"persist-credentials": False}


def test_one_job_signs_without_any_secret() -> None:
    assert "secrets" not in ONE_JOB.read_text().replace("without a secret", "")
    assert "key" not in load(ONE_JOB)["jobs"]


def test_the_identity_is_in_the_environment_of_the_signing_step_alone() -> None:
    text = SEVERAL_JOBS.read_text()
    assert len(re.findall(r"secrets\.", text)) == 1
    with_secret = [step for step in steps_of(load(SEVERAL_JOBS)) if "secrets." in str(step)]
    assert [step["name"] for step in with_secret] == ["Sign"]


@pytest.mark.parametrize("path", WORKFLOWS)
def test_the_order_leaves_no_window(path: Path) -> None:
    jobs = load(path)["jobs"]
    after = {name: job.get("needs") for name, job in jobs.items()}
    wanted = [next(name for name in each.split("|") if name in jobs) for each in ORDER]
    assert [after[name] for name in wanted[1:]] == wanted[:-1]


@pytest.mark.parametrize("path", WORKFLOWS)
def test_the_workflow_installs_this_version(path: Path) -> None:
    installed = re.findall(r'pipx install "binstall(?:\[age\])?==([^"]+)"', path.read_text())
    assert installed
    assert set(installed) == {__version__}


# --- played ---


class Crate:
    """The git repository of a crate, where its publisher works."""

    def __init__(self, folder: Path, publisher: Publisher) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "src").mkdir()
        (folder / "src/main.rs").write_text(
            'fn main() { println!("hello {}", env!("CARGO_PKG_VERSION")); }\n'
        )
        (folder / ".gitignore").write_text("/target\n")
        self.pkg_url = (
            f"{publisher.host.base_url}/releases/v{{ version }}/{{ name }}-{{ target }}-v{{ version }}.tgz"
        )
        self.git("init", "--quiet", "--initial-branch=main")

    def tag(self, version: str) -> str:
        """Commit this version, tag it, return the tag."""
        (self.folder / "Cargo.toml").write_text(
            f'[package]\nname = "hello"\nversion = "{version}"\nedition = "2021"\nlicense = "MIT"\n'
            f'description = "says hello"\n\n[package.metadata.binstall]\npkg-url = "{self.pkg_url}"\n'
        )
        cargo = ["cargo", "generate-lockfile", "--offline", "--quiet"]
        subprocess.run(cargo, cwd=self.folder, check=True)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", version)
        self.git("tag", f"v{version}")
        return f"v{version}"

    def git(self, *words: str) -> None:
        identity = ["-c", "user.name=you", "-c", "user.email=you@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *words], cwd=self.folder, check=True, env={"PATH": os.defpath})


@pytest.fixture
def registry(publisher: Publisher) -> Iterator[UploadRegistry]:
    with UploadRegistry(publisher) as registry:
        yield registry


@pytest.fixture
def crate(tmp_path: Path, publisher: Publisher) -> Crate:
    return Crate(tmp_path / "crate", publisher)


@pytest.fixture
def github(
    tmp_path: Path, publisher: Publisher, registry: UploadRegistry, machine: Machine, crate: Crate
) -> GitHub:
    cargo_home = tmp_path / "cargo-home"
    cargo_home.mkdir()
    shutil.copyfile(machine.root / "config.toml", cargo_home / "config.toml")
    github = GitHub(
        folder=tmp_path / "github",
        origin=crate.folder,
        environment={
            "CARGO_HOME": str(cargo_home),
            "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup")),
            "CARGO_REGISTRY_DEFAULT": "standin",
            "CARGO_REGISTRIES_STANDIN_INDEX": publisher.index_url,
            "PYTHONWARNINGS": "error",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        programs=programs(),
    )
    registry.token = github.registry_token = "from trusted publishing"

    def release_asset(request: Request) -> Answer | None:
        """Serve what is released and is no draft."""
        if request.path is not None and request.path.startswith("/releases/"):
            asset = github.releases / request.path.removeprefix("/releases/")
            if asset.is_file() and not (asset.parent / ".draft").exists():
                return Answer(200, {"content-type": "application/octet-stream"}, asset.read_bytes())
            return Answer(404)
        return None

    publisher.host.on_request = release_asset
    return github


def play(
    github: GitHub, path: Path, tag: str, *, start: str = "", kill_after: float | None = None
) -> dict[str, str]:
    """Play all jobs in their order, from `start` on; return what each of them said.

    With `kill_after` each job is first played with its steps killed so many seconds after their start.
    """
    workflow = load(path)
    said: dict[str, str] = {}
    names = list(workflow["jobs"])
    assert all(
        names.index(job["needs"]) < names.index(name)
        for name, job in workflow["jobs"].items()
        if "needs" in job
    )
    for name in names[names.index(start) if start else 0 :]:
        matrix = "strategy" in workflow["jobs"][name]
        for values in [{"target": target} for target in TARGETS] if matrix else [None]:
            if kill_after is not None:
                github.play(workflow, name, tag, matrix=values, kill_after=kill_after)
            said[name] = said.get(name, "") + github.play(workflow, name, tag, matrix=values)
    return said


def keys_of_release(github: GitHub, tag: str) -> str:
    """Return the key in the `Cargo.toml` that is attached to a release, and see that all else is there."""
    assets = {path.name: path for path in (github.releases / tag).iterdir()}
    packages = {f"hello-{target}-{tag}.tgz" for target in TARGETS}
    assert set(assets) == {"Cargo.toml", *packages, *(f"{name}.sig" for name in packages)}
    section = tomllib.loads(assets["Cargo.toml"].read_text())["package"]["metadata"]["binstall"]["signing"]
    return str(section["pubkey"])


def new_identity(github: GitHub, tag: str) -> str:
    """Do what the guide says before a tag is pushed; return the secret half."""
    identity = generate_identity()
    text = identity.text.data.decode()
    github.variables["RELEASE_AGE_RECIPIENT"] = f"{tag} {identity.recipient}"
    github.secrets["release"] = {"RELEASE_AGE_IDENTITY": f"# made for {tag}\n{text}\n"}
    return text


@needs_cargo
@needs_git
@pytest.mark.parametrize("path", FORMS)
def test_a_release_goes_from_tag_to_user_and_the_next_one_has_another_key(
    github: GitHub, crate: Crate, registry: UploadRegistry, machine: Machine, path: Path
) -> None:
    keys = []
    for number, version in enumerate(["1.0.0", "1.1.0"]):
        tag = crate.tag(version)
        github.run_id = number
        identity = new_identity(github, tag)
        said = play(github, path, tag)
        assert "verified, signed by key" in said["verify"]
        assert registry.versions[-1] == ("hello", version)
        keys.append(keys_of_release(github, tag))
        run = machine.run("install", "hello", "--only-signed", "--targets", TARGETS[0]).expect(0)
        assert f"hello {version}" in run.out
        done = subprocess.run([machine.bin / "hello"], capture_output=True, text=True, check=True)
        assert done.stdout == f"hello {version}\n"
        left = "".join(path.read_text("latin-1") for path in github.folder.rglob("*") if path.is_file())
        assert identity not in left
        assert not (github.artifacts / "signing-key").exists()
    assert len(set(keys)) == 2


@needs_cargo
@needs_git
@pytest.mark.parametrize("path", FORMS)
def test_every_job_may_be_killed_and_played_again(
    github: GitHub, crate: Crate, registry: UploadRegistry, machine: Machine, path: Path
) -> None:
    tag = crate.tag("1.0.0")
    new_identity(github, tag)
    play(github, path, tag, kill_after=0.3)
    keys_of_release(github, tag)
    assert registry.versions == [("hello", "1.0.0")]
    machine.run("install", "hello", "--only-signed", "--targets", TARGETS[0]).expect(0)


@needs_cargo
@needs_git
@pytest.mark.parametrize("path", FORMS)
def test_all_of_a_run_may_be_played_again_until_the_version_is_published(
    github: GitHub, crate: Crate, registry: UploadRegistry, machine: Machine, path: Path
) -> None:
    tag = crate.tag("1.0.0")
    new_identity(github, tag)
    workflow = load(path)
    before = list(workflow["jobs"]).index("publish")
    for name in list(workflow["jobs"])[:before]:
        matrix = "strategy" in workflow["jobs"][name]
        for values in [{"target": target} for target in TARGETS] if matrix else [None]:
            github.play(workflow, name, tag, matrix=values)
    first = keys_of_release(github, tag)
    play(github, path, tag)
    published = keys_of_release(github, tag)
    assert published != first
    machine.run("install", "hello", "--only-signed", "--targets", TARGETS[0]).expect(0)

    # From then on nothing that users rely on is touched.
    assets = {path.name: path.read_bytes() for path in (github.releases / tag).iterdir()}
    with pytest.raises(StepFailed) as failed:
        play(github, path, tag)
    assert "published already" in failed.value.said or "crates.io has this version" in failed.value.said
    assert {path.name: path.read_bytes() for path in (github.releases / tag).iterdir()} == assets
    play(github, ONE_JOB, tag, start="publish")
    assert registry.versions == [("hello", "1.0.0")]


@needs_cargo
@needs_git
@needs_pyrage
@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            lambda github: github.variables.update(RELEASE_AGE_RECIPIENT="v0.9.0 age1something"),
            "RELEASE_AGE_RECIPIENT is not for this tag",
            id="identity of another release",
        ),
        pytest.param(lambda github: github.variables.clear(), "is not for this tag", id="no variable"),
        pytest.param(
            lambda github: github.secrets.clear(), "BINSTALL_AGE_IDENTITY is empty", id="no secret"
        ),
    ],
)
def test_several_jobs_stop_where_the_identity_is_not_that_of_the_release(
    github: GitHub, crate: Crate, registry: UploadRegistry, change: Any, said: str
) -> None:
    tag = crate.tag("1.0.0")
    new_identity(github, tag)
    change(github)
    with pytest.raises(StepFailed, match=said):
        play(github, SEVERAL_JOBS, tag)
    assert registry.versions == []
    assert not github.releases.exists()


@needs_cargo
@needs_git
def test_a_package_that_was_changed_on_its_way_to_the_draft_stops_the_release(
    github: GitHub, crate: Crate, registry: UploadRegistry
) -> None:
    tag = crate.tag("1.0.0")
    workflow = load(ONE_JOB)
    for name in ("build", "sign"):
        for values in [{"target": target} for target in TARGETS] if name == "build" else [None]:
            github.play(workflow, name, tag, matrix=values)
    package = github.artifacts / "signed/target/dist" / f"hello-{TARGETS[0]}-{tag}.tgz"
    package.write_bytes(package.read_bytes() + b"\0")
    with pytest.raises(StepFailed, match="Would an installer succeed") as failed:
        play(github, ONE_JOB, tag, start="draft")
    assert failed.value.code == 40
    assert registry.versions == []
    assert (github.releases / tag / ".draft").exists(), "nobody but its publisher sees it"


@needs_cargo
@needs_git
def test_a_tag_that_is_not_the_version_is_not_built(github: GitHub, crate: Crate) -> None:
    crate.tag("1.0.0")
    crate.git("tag", "v2.0.0")
    with pytest.raises(StepFailed, match="the tag is not the version"):
        play(github, ONE_JOB, "v2.0.0")
