"""What a publisher gets from `binstall check`, in a process of its own, with real git and cargo."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from binstall.hosting.packing import build_crate
from binstall.signing.minisign_keys import generate
from support_check import GNU, MAC, URL, WINDOWS, Project, needs_cargo, needs_git, tool_environment
from support_files import tree
from support_keys import posix_only
from support_machine import Machine, Run
from support_registry import TARGET, Publisher

AGE = "AGE-SECRET-KEY-1" + "Q" * 58


@pytest.fixture
def publishing(tmp_path: Path) -> Machine:
    folder = tmp_path / "publishing"
    folder.mkdir()
    return Machine(folder, tool_environment() | {"CARGO_NET_OFFLINE": "true"})


@pytest.fixture
def project(publishing: Machine) -> Project:
    project = Project(publishing.work, declares=True)
    project.release(GNU)
    return project


def check(machine: Machine, *words: str, targets: str | None = GNU) -> Run:
    picked = ["--targets", targets] if targets else []
    return machine.run("check", "--dist", "target/dist", *picked, *words)


def row(run: Run, target: str = GNU) -> dict[str, Any]:
    (found,) = (it for it in run.objects if it["event"] == "checked" and it["target"] == target)
    return found


def test_a_release_in_order_is_one_table_and_exit_code_0(publishing: Machine, project: Project) -> None:
    before = tree(publishing.work)
    run = check(publishing).expect(0)
    lines = run.out.splitlines()
    headings = [line for line in lines if line.startswith("TARGET ")]
    assert [line.split() for line in headings] == [
        ["TARGET", "PLACE", "RESULT", "SIGNATURE", "BINARIES", "URL"]
    ]
    key_id = project.key.public_key.shown_id
    url = f"https://example.com/releases/1.0.0/hello-1.0.0-{GNU}.tgz"
    assert [GNU, "dist", "ok", key_id, "hello", url] in [line.split() for line in lines]
    assert f"  trusted comment: timestamp:1769860800  file:hello-1.0.0-{GNU}.tgz  hashed" in lines
    assert tree(publishing.work) == before
    assert list((publishing.folder / "tmp").iterdir()) == []


def test_json_tells_the_same(publishing: Machine, project: Project) -> None:
    told = row(check(publishing, "--json").expect(0))
    assert (told["verdict"], told["place"], told["binaries"]) == ("ok", "dist", ["hello"])
    assert told["signature"]["key_id"] == project.key.public_key.shown_id
    assert told["signature"]["trusted_comment"].startswith("timestamp:1769860800\tfile:")
    assert told["signature_url"] == told["url"] + ".sig"
    assert told["exit_code"] is None


def _rename_signature(project: Project) -> None:
    path = project.dist / f"hello-1.0.0-{GNU}.tgz.sig"
    path.rename(path.with_suffix(".minisig"))


def _another_key(project: Project) -> None:
    project.key = generate()
    project.sign(project.dist / f"hello-1.0.0-{GNU}.tgz")


def _for_another_file(project: Project) -> None:
    project.sign(
        project.dist / f"hello-1.0.0-{GNU}.tgz", comment="timestamp:1\tfile:hello-0.9.0.tgz\thashed"
    )


def _altered(project: Project) -> None:
    with (project.dist / f"hello-1.0.0-{GNU}.tgz").open("ab") as file:
        file.write(b"\0")


def _in_a_folder(project: Project) -> None:
    project.metadata = {"pkg-url": URL, "bin-dir": "bin/{ bin }"}
    project.write_manifest()
    project.pack(f"hello-1.0.0-{GNU}.tgz", {f"hello-1.0.0-{GNU}/hello": b"\x7fELF"})


def _with_metadata(**metadata: Any) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        project.metadata = {key.replace("_", "-"): value for key, value in metadata.items()}
        project.write_manifest()

    return change


def _zipped(project: Project) -> None:
    _with_metadata(
        pkg_url="https://example.com/{ name }-{ version }-{ target }.{ archive-format }", pkg_fmt="tgz"
    )(project)
    (project.dist / f"hello-1.0.0-{GNU}.tgz").unlink()
    project.pack(f"hello-1.0.0-{GNU}.zip", {"hello": b"\x7fELF"})


def _not_there(project: Project) -> None:
    (project.dist / f"hello-1.0.0-{GNU}.tgz").unlink()
    (project.dist / f"hello-1.0.0-{GNU}.tgz.sig").unlink()


def _half_declared(project: Project) -> None:
    text = project.manifest.read_text()
    project.manifest.write_text("\n".join(line for line in text.splitlines() if "pubkey" not in line))


def _truncated(project: Project) -> None:
    path = project.dist / f"hello-1.0.0-{GNU}.tgz"
    path.write_bytes(path.read_bytes()[:-20])
    project.sign(path)


def _outside(project: Project) -> None:
    project.pack(f"hello-1.0.0-{GNU}.tgz", {"../hello": b"x", "hello": b"y"})


@pytest.mark.parametrize(
    ("change", "code", "mend"),
    [
        pytest.param(
            lambda it: (it.dist / f"hello-1.0.0-{GNU}.tgz.sig").unlink(),
            41,
            f"`binstall sign target/dist/hello-1.0.0-{GNU}.tgz` writes hello-1.0.0-{GNU}.tgz.sig",
            id="no signature",
        ),
        pytest.param(_rename_signature, 41, 'rename it, or at Cargo.toml:9 write file = "{ url }.minisig"',
                     id=".minisig where .sig is declared"),
        pytest.param(_another_key, 40, "with the key of Cargo.toml:11", id="another key"),
        pytest.param(_for_another_file, 40, "under this name", id="signed under another name"),
        pytest.param(_altered, 40, "writes hello-1.0.0", id="altered after signing"),
        pytest.param(
            _in_a_folder,
            88,
            'Cargo.toml:8: bin-dir = "{ name }-{ version }-{ target }/{ bin }{ binary-ext }"',
            id="the binary is elsewhere",
        ),
        pytest.param(
            _with_metadata(pkg_url="https://example.com/{ bin }-{ version }-{ target }.tgz"),
            94,
            'Cargo.toml:7: { bin } has no value in a URL; write "https://example.com/hello-{ version }-',
            id="{ bin } in a URL",
        ),
        pytest.param(
            _with_metadata(pkg_url="https://example.com/{ name }-{ vresion }.tgz"),
            94,
            "Cargo.toml:7: { vresion } has no value; write { version }",
            id="a misspelled key",
        ),
        pytest.param(
            _with_metadata(pkg_url="{ repo }/{ name }-{ target }.tgz"),
            94,
            "Cargo.toml:1: [package] has no `repository`",
            id="{ repo } without a repository",
        ),
        pytest.param(
            _with_metadata(pkg_url="https://example.com/{ name }-{ target.tgz"),
            67,
            "Cargo.toml:7: ",
            id="a template that does not parse",
        ),
        pytest.param(
            _with_metadata(pkg_url=URL, disabled_strategies=["crate-meta-data"]),
            94,
            "Cargo.toml:8: `crate-meta-data`",
            id="switched off",
        ),
        pytest.param(
            _zipped,
            94,
            f'below [package.metadata.binstall.overrides.{GNU}] write pkg-fmt = "zip"',
            id="a format that no candidate has",
        ),
        pytest.param(
            _with_metadata(pkg_url="https://example.com/{ name }-v{ version }-{ target }.tgz"),
            94,
            f"rename hello-1.0.0-{GNU}.tgz to hello-v1.0.0-{GNU}.tgz, or change the name at Cargo.toml:7",
            id="another name",
        ),
        pytest.param(_not_there, 94, f"put hello-1.0.0-{GNU}.tgz into target/dist", id="not there at all"),
        pytest.param(
            _with_metadata(pkg_url="https://example.com/{ name }-{ target }"),
            95,
            "Cargo.toml:7: declare pkg-fmt",
            id="no format",
        ),
        pytest.param(
            _with_metadata(pkg_url="http://example.com/{ name }-{ version }-{ target }.tgz"),
            68,
            "Cargo.toml:7: write https:",
            id="plain http",
        ),
        pytest.param(_half_declared, 99, "Cargo.toml:9: `binstall stamp`", id="half a section"),
        pytest.param(_truncated, 88, "pack hello-1.0.0", id="a truncated archive"),
        pytest.param(_outside, 88, "pack hello-1.0.0", id="an archive that leads outside"),
    ],
)  # fmt: skip
def test_a_failing_row_has_the_installers_code_and_what_would_mend_it(
    publishing: Machine, project: Project, change: Callable[[Project], None], code: int, mend: str
) -> None:
    change(project)
    run = check(publishing, "--json").expect(code)
    told = row(run)
    assert (told["verdict"], told["exit_code"]) == ("failed", code)
    assert mend in told["mend"]
    text = check(publishing).expect(code).out
    assert f"FAILED {code}" in text
    assert mend in text
    assert mend in check(publishing, "-q").expect(code).err


def test_an_unsigned_release_is_told_and_passes(publishing: Machine) -> None:
    project = Project(publishing.work)
    project.release(GNU)
    assert "UNSIGNED" in check(publishing).expect(0).out
    project.sign(project.dist / f"hello-1.0.0-{GNU}.tgz")
    assert "no installer looks at hello-1.0.0" in check(publishing).expect(0).out


def test_the_stamp_of_another_release_is_told(publishing: Machine, project: Project) -> None:
    project.manifest.write_text(project.manifest.read_text() + 'release = "0.9.0"\n')
    told = "Cargo.toml:12: the signing section is that of release 0.9.0, and this is 1.0.0"
    assert told in check(publishing).expect(0).out


def test_without_targets_every_name_every_override_and_this_machine_are_asked(
    publishing: Machine, project: Project
) -> None:
    project.metadata = {"pkg-url": URL, "overrides": {WINDOWS: {"pkg-fmt": "tgz"}, "cfg(unix)": {}}}
    project.write_manifest()
    project.release(MAC)
    run = check(publishing, "--json", targets=None).expect(94)
    told = {it["target"]: it["verdict"] for it in run.objects if it["event"] == "checked"}
    assert {WINDOWS: "failed", MAC: "ok", GNU: "ok"}.items() <= told.items()
    assert set(told.values()) <= {"ok", "failed", "none"}
    project.release(WINDOWS)
    check(publishing, targets=None).expect(0)


def test_a_release_without_a_package_for_this_machine_passes_and_an_empty_one_does_not(
    publishing: Machine,
) -> None:
    project = Project(publishing.work)
    check(publishing, targets=None).expect(94)
    project.release(MAC)
    assert "none" in check(publishing, targets=None).expect(0).out


def test_an_archive_that_no_target_leads_to_is_named(publishing: Machine, project: Project) -> None:
    project.pack("hello-linux-x64.tar.gz", {"hello": b"x"})
    project.pack("hello-completions.tar.gz", {"hello.bash": b"x"})
    project.pack("plain.zip", {"bin/hello": b"x"})
    run = check(publishing, "--json", targets=None).expect(94)
    named = [it["file"] for it in run.objects if it["event"] == "unreachable"]
    assert named == ["hello-linux-x64.tar.gz", "plain.zip"]


def test_files_of_another_crate_of_the_workspace_are_not_ours(publishing: Machine) -> None:
    (publishing.work / "Cargo.toml").write_text('[workspace]\nmembers = ["a", "b", "lib", "private"]\n')
    url = {"pkg-url": "https://example.com/{ name }-{ target }.tgz"}
    for name in ("a", "b"):
        Project(publishing.work / name, name=name, metadata=url)
    for name, more in (("lib", ""), ("private", "publish = false\n")):
        (publishing.work / name / "src").mkdir(parents=True)
        (publishing.work / name / "src/lib.rs").write_text("")
        (publishing.work / name / "Cargo.toml").write_text(f'[package]\nname = "{name}"\n{more}')
    (publishing.work / "private/src/main.rs").write_text("")
    dist = Project(publishing.folder / "dist-maker").dist
    maker = Project(publishing.folder / "maker")
    for name, target in (("a", GNU), ("a", MAC), ("b", GNU)):
        path = maker.pack(f"{name}-{target}.tgz", {name: b"x"})
        path.rename(dist / path.name)
    run = publishing.run("check", "--workspace", "--dist", str(dist), "--json").expect(0)
    told = {
        (it["crate"], it["target"])
        for it in run.objects
        if it["event"] == "checked" and it["verdict"] == "ok"
    }
    assert told == {("a", GNU), ("a", MAC), ("b", GNU)}
    run = publishing.run("check", "--package", "b", "--dist", str(dist), "--json").expect(0)
    assert not [it for it in run.objects if it["event"] == "unreachable"]
    assert {it["crate"] for it in run.objects} == {"b"}


@needs_cargo
@needs_git
def test_what_cargo_would_publish_is_judged(publishing: Machine, project: Project) -> None:
    project.commit()
    run = check(publishing).expect(0)
    assert "`cargo package --list` names" in run.out
    assert "warning" not in run.out + run.err
    (project.folder / "notes.txt").write_text(f"remember: {AGE}\n")
    run = check(publishing).expect(2)
    assert "a private key would be published with hello: notes.txt (an age identity)" in run.out
    assert AGE not in run.out + run.err
    project.manifest.write_text(
        project.manifest.read_text().replace("[package]", '[package]\nexclude = ["notes.txt"]')
    )
    project.git("commit", "-qam", "y")
    check(publishing).expect(0)


@needs_git
def test_without_cargo_the_working_tree_is_judged_and_that_is_said(
    publishing: Machine, project: Project
) -> None:
    project.commit()
    bare = publishing.folder / "bare"
    bare.mkdir()
    (bare / "git").symlink_to(shutil.which("git") or "")
    publishing.environment["PATH"] = str(bare)
    run = check(publishing).expect(0)
    assert "the working tree, 3 files that git does not ignore" in run.out
    assert "cargo is not on PATH" in run.out
    publishing.environment["PATH"] = ""
    run = check(publishing).expect(0)
    assert "the working tree" in run.out
    assert "in no git repository that could be asked" in run.out


@needs_git
def test_nothing_but_our_stamp_may_be_uncommitted(publishing: Machine) -> None:
    project = Project(publishing.work)
    project.manifest.write_text(f"# a comment\n{project.manifest.read_text()}\n\n# the end\n")
    project.commit()
    check(publishing, targets=MAC).expect(94)
    public = publishing.folder / "key.pub"
    public.write_text(f"untrusted comment: x\n{project.key.public_key.base64}\n")
    publishing.run("stamp", "-p", str(public)).expect(0)
    assert "signing" in project.git("diff")
    project.release(GNU, sign=True)
    check(publishing).expect(0)

    def problem() -> str:
        (crate,) = (it for it in check(publishing, "--json").expect(99).objects if it["event"] == "crate")
        (only,) = crate["problems"]
        assert (only["exit_code"], only["error"]) == (99, "LocalManifestError")
        return str(only["message"])

    text = project.manifest.read_text()
    project.manifest.write_text(text.replace("# a comment", "# another"))
    assert problem().endswith("not committed: Cargo.toml")
    project.manifest.write_text(text)
    (project.folder / "src/new.rs").write_text("")
    assert problem().endswith("not committed: src/new.rs")
    project.git("add", "src/new.rs")
    assert problem().endswith("not committed: src/new.rs")
    (project.folder / "src/new.rs").unlink()
    project.git("reset", "-q")
    (project.folder / ".gitignore").unlink()
    assert ".gitignore" in problem()


@posix_only
def test_our_stamp_may_be_uncommitted_behind_a_link(publishing: Machine, project: Project) -> None:
    real = project.folder / "real.toml"
    project.manifest.rename(real)
    project.manifest.symlink_to(real.name)
    project.commit()
    key = project.key.public_key.base64
    publishing.run("stamp", "-P", key, "--file", "{ url }.sig").expect(0)
    assert project.manifest.is_symlink()
    assert "real.toml" in project.git("diff")
    project.release(GNU, sign=True)
    check(publishing).expect(0)
    real.write_text(f"{real.read_text()}# more\n")
    assert "not committed: real.toml" in check(publishing).expect(99).out


def test_the_very_crate_is_judged(publishing: Machine, project: Project) -> None:
    crate = publishing.folder / "hello-1.0.0.crate"
    sources = {"src/main.rs": b"fn main() {}\n", "Cargo.toml.orig": project.manifest.read_bytes()}
    crate.write_bytes(build_crate(project.manifest.read_text(), sources))
    (publishing.work / "Cargo.toml").unlink()
    run = check(publishing, "--crate", str(crate)).expect(0)
    assert "judged by hello-1.0.0.crate, 3 files" in run.out
    crate.write_bytes(
        build_crate(project_text(project), sources | {"assets/logo.png": b"\x89PNG" + AGE.encode()})
    )
    assert "assets/logo.png (an age identity)" in check(publishing, "--crate", str(crate)).expect(2).out
    crate.write_bytes(crate.read_bytes()[:-30])
    check(publishing, "--crate", str(crate)).expect(88)
    check(publishing, "--crate", "nothing.crate").expect(74)


def project_text(project: Project) -> str:
    project.write_manifest()
    text = project.manifest.read_text()
    project.manifest.unlink()
    return text


def test_a_crate_whose_folder_is_not_its_name_and_version_is_refused(
    publishing: Machine, project: Project, tmp_path: Path
) -> None:
    crate = tmp_path / "hello-1.0.0.crate"
    folder = tmp_path / "hello-2.0.0"
    (folder / "src").mkdir(parents=True)
    (folder / "src/main.rs").write_text("")
    (folder / "Cargo.toml").write_text(project.manifest.read_text())
    subprocess.run(["tar", "czf", crate, "-C", tmp_path, folder.name], check=True)
    run = check(publishing, "--crate", str(crate)).expect(88)
    assert "holds the folder hello-2.0.0, and its manifest says hello 1.0.0" in run.out


def test_without_a_folder_urls_templates_and_key_are_checked(publishing: Machine, project: Project) -> None:
    run = publishing.run("check", "--targets", GNU).expect(0)
    assert f"https://example.com/releases/1.0.0/hello-1.0.0-{GNU}.tgz" in run.out
    assert "planned" in run.out
    project.manifest.write_text(project.manifest.read_text().replace('pubkey = "RW', 'pubkey = "XX'))
    assert "mend: Cargo.toml:11: " in publishing.run("check", "--targets", GNU).expect(40).out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--workspace", "--package", "hello"), 2),
        (("--workspace", "--crate", "x.crate"), 2),
        (("-q", "-v"), 2),
        (("--targets", "nonsense"), 97),
        (("--package", "other"), 99),
        (("--manifest-path", "nowhere/Cargo.toml"), 99),
        (("--dist", "nowhere"), 74),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    publishing: Machine, project: Project, words: tuple[str, ...], code: int
) -> None:
    publishing.run("check", *words).expect(code)
    assert project.manifest.exists()


def test_foreign_text_cannot_move_the_cursor(publishing: Machine) -> None:
    project = Project(publishing.work)
    project.release(GNU)
    (project.dist / f"hello-\x1b[31m-{MAC}.zip").write_bytes(b"x")
    run = check(publishing, targets=None).expect(94)
    assert "\x1b" not in run.out + run.err
    assert "hello-\\x1b[31m-" in run.out


def test_online_asks_the_real_host_as_an_installer_does(
    publisher: Publisher, machine: Machine, tmp_path: Path
) -> None:
    release = publisher.release("hello", "1.2.3")
    (machine.work / "src/bin").mkdir(parents=True)
    (machine.work / "src/bin/hello.rs").write_text("fn main() {}\n")
    (machine.work / "Cargo.toml").write_text(release.manifest)

    def online(*words: str) -> Run:
        return machine.run("check", "--online", "--targets", TARGET, "--json", *words)

    told = row(online().expect(0), TARGET)
    assert (told["verdict"], told["place"], told["url"]) == ("ok", "online", release.package_url)
    assert told["signature"]["key_id"] == publisher.key.public_key.shown_id
    dist = tmp_path / "dist"
    dist.mkdir()
    (dist / Path(release.package_path).name).write_bytes(publisher.host.content(release.package_path))
    (dist / Path(release.signature_path).name).write_bytes(publisher.host.content(release.signature_path))
    both = online("--dist", str(dist)).expect(0)
    assert [it["place"] for it in both.objects if it["event"] == "checked"] == ["dist", "online"]
    signature = publisher.host.content(release.signature_path)
    publisher.host.remove(release.signature_path)
    told = row(online().expect(41), TARGET)
    assert told["mend"].startswith("upload hello-1.2.3-")
    publisher.host.put(release.signature_path, signature)
    publisher.tamper(release.package_path, lambda data: data[:-1] + b"!")
    online().expect(40)
    publisher.host.remove(release.package_path)
    told = row(online().expect(94), TARGET)
    assert told["mend"] == (
        f"upload {Path(release.package_path).name}, so that {release.package_url} leads to it"
    )


def test_no_secret_of_ours_reaches_cargo_or_git(publishing: Machine, project: Project) -> None:
    spy = publishing.folder / "spy"
    spy.mkdir()
    for name in ("cargo", "git"):
        tool = spy / name
        tool.write_text(f"#!/bin/sh\nenv >> {publishing.folder}/seen\nexit 1\n")
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    publishing.environment |= {
        "PATH": f"{spy}{os.pathsep}/usr/bin{os.pathsep}/bin",
        "BINSTALL_SIGNING_KEY": "hunter2",
        "BINSTALL_AGE_IDENTITY": "hunter3",
    }
    check(publishing).expect(0)
    seen = (publishing.folder / "seen").read_text()
    assert "HOME=" in seen
    assert "hunter" not in seen
    assert project.manifest.exists()
