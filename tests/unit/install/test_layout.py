from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from binstall.archive.archive import Extraction
from binstall.errors import ArchiveError, BinstallError, DuplicateSource, InstallError, TemplateError
from binstall.formats.binaries import Binary
from binstall.formats.package_format import PackageFormat
from binstall.formats.target import parse_target
from binstall.formats.template import parse_template
from binstall.install.layout import InstallPlan, Layout, plan_layout

_LINUX, _WINDOWS = "x86_64-unknown-linux-gnu", "x86_64-pc-windows-msvc"


def layout(
    bin_dir: str | None,
    *names: str,
    target: str = _LINUX,
    only: Collection[str] = (),
    package_format: PackageFormat = PackageFormat.TGZ,
    features: tuple[str, ...] = (),
) -> Layout:
    triple = parse_target(target)
    return plan_layout(
        [Binary(name, features) for name in names or ("foo",)],
        only=only,
        target=triple,
        package_format=package_format,
        bin_dir=None if bin_dir is None else parse_template(bin_dir),
        values={
            "name": "krate",
            "version": "1.2.3",
            "repo": "https://host.example/r.git",
            **triple.template_values(),
        },
    )


def settled(plan: Layout, *members: str) -> InstallPlan:
    folders = {parent.as_posix() for member in members for parent in Path(member).parents} - {"."}
    files = {member: Path("/staged") / member for member in members if member in plan.wanted}
    return plan.settle(Extraction(frozenset(members), frozenset(folders), files), Path("/bin"))


def placed(plan: InstallPlan) -> dict[str, str]:
    return {str(one.destination): str(one.staged) for one in plan.placements}


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{ bin }{ binary-ext }", "foo"),
        ("{ name }-{ version }-{ target }/{ bin }", f"krate-1.2.3-{_LINUX}/foo"),
        ("bin/{ bin }{ format }", "bin/foo"),
        ("./a//b/../{ bin }", "a/foo"),
        ("../../{ bin }/", "foo"),
        (
            "{ target-family }/{ os-name }/{ target-arch }/{ target-libc }/{ bin }",
            "linux/linux/x86_64/gnu/foo",
        ),
        ("x/{ repo }/{ bin }", "x/https:/host.example/r.git/foo"),
    ],
)
def test_bin_dir_is_rendered_and_cleaned(template: str, path: str) -> None:
    plan = layout(template)
    assert plan.wanted == {path}
    assert placed(settled(plan, path, "README")) == {"/bin/foo": f"/staged/{path}"}


@pytest.mark.parametrize(
    ("template", "error"),
    [
        ("", InstallError),
        ("..", InstallError),
        ("a/..", InstallError),
        ("./", InstallError),
        ("/usr/bin/{ bin }", InstallError),
        ("c:/{ bin }", InstallError),
        (r"\\\\host/{ bin }", InstallError),
        ("{ archive-format }/{ bin }", TemplateError),
        ("{ subcrate }/{ bin }", TemplateError),
        ("{ url }/{ bin }", TemplateError),
    ],
)
def test_bin_dir_that_gives_no_path_in_the_package_is_an_error(
    template: str, error: type[BinstallError]
) -> None:
    with pytest.raises(error):
        layout(template)


_INFERRED = [
    f"krate-{_LINUX}-v1.2.3",
    f"krate-{_LINUX}-1.2.3",
    f"krate-1.2.3-{_LINUX}",
    f"krate-v1.2.3-{_LINUX}",
    f"krate-{_LINUX}",
    "krate-1.2.3",
    "krate-v1.2.3",
    "krate",
]


@pytest.mark.parametrize("at", range(len(_INFERRED)))
def test_without_bin_dir_the_first_folder_that_exists_counts(at: int) -> None:
    plan = layout(None)
    found = settled(plan, *(f"{folder}/foo" for folder in reversed(_INFERRED[at:])), "foo")
    assert placed(found) == {"/bin/foo": f"/staged/{_INFERRED[at]}/foo"}


def test_without_any_of_these_folders_the_top_counts() -> None:
    assert placed(settled(layout(None), "foo", "doc/foo")) == {"/bin/foo": "/staged/foo"}


def test_a_folder_that_exists_counts_even_if_the_binary_is_elsewhere() -> None:
    with pytest.raises(ArchiveError, match="the package has no `krate/foo`"):
        settled(layout(None), "krate/README", "foo")


@pytest.mark.parametrize("name", ["foo", "a.b"])
def test_on_windows_targets_exe_is_appended(name: str) -> None:
    plan = layout(None, name, target=_WINDOWS)
    assert placed(settled(plan, f"{name}.exe")) == {f"/bin/{name}.exe": f"/staged/{name}.exe"}


def test_a_bare_binary_gets_its_own_name() -> None:
    plan = layout("ignored/{ bin }", package_format=PackageFormat.BIN, target=_WINDOWS)
    (only,) = plan.wanted
    assert placed(settled(plan, only)) == {"/bin/foo.exe": f"/staged/{only}"}


def test_two_binaries_from_one_path_are_an_error_even_if_one_is_wanted() -> None:
    with pytest.raises(DuplicateSource, match="`a` and `b` would both come from") as error:
        layout("tool", "a", "b", only=["a"])
    assert error.value.exit_code == 90


@pytest.mark.parametrize(
    ("by_default", "only", "chosen"),
    [
        pytest.param((True, False), (), "a", id="the one that default features build"),
        pytest.param((True, True), ("b",), "b", id="the one that is asked for"),
        pytest.param((True, False), ("b",), "b", id="asked for goes before default features"),
        pytest.param((True, True), (), None, id="two by default"),
        pytest.param((False, False), (), None, id="none by default"),
        pytest.param((True, True), ("a", "b"), None, id="two are asked for"),
    ],
)
def test_a_bare_package_of_a_crate_with_two_binaries_is_one_of_them(
    by_default: tuple[bool, bool], only: tuple[str, ...], chosen: str | None
) -> None:
    def plan() -> Layout:
        return plan_layout(
            [Binary("a", (), by_default[0]), Binary("b", (), by_default[1])],
            only=only,
            target=parse_target(_LINUX),
            package_format=PackageFormat.BIN,
            bin_dir=None,
            values={},
        )

    if chosen is None:
        with pytest.raises(DuplicateSource, match="one binary"):
            plan()
        return
    (wanted,) = plan().wanted
    assert list(placed(settled(plan(), wanted))) == [f"/bin/{chosen}"]


def test_only_the_binaries_asked_for_are_placed_and_all_are_known() -> None:
    plan = layout("{ bin }", "a", "b", "c", only=["b"], target=_WINDOWS)
    assert plan.wanted == {"b"}
    found = settled(plan, "a", "b")
    assert placed(found) == {"/bin/b.exe": "/staged/b"}
    assert found.binaries == {"a.exe", "b.exe", "c.exe"}


def test_a_binary_that_the_crate_lacks_is_named_with_those_it_has() -> None:
    with pytest.raises(InstallError, match="no binary `x`") as error:
        layout(None, "a", "b", only=["x"])
    assert error.value.hint == "the crate has `a`, `b`"


def test_a_missing_binary_is_named_with_what_the_package_holds() -> None:
    plan = layout("{ bin }", "foo", "bar")
    with pytest.raises(ArchiveError) as error:
        settled(plan, "foo", *(f"doc/{number}" for number in range(9)))
    assert error.value.message == (
        "the package has no `bar`, where the binary `bar` should be; "
        "it holds `doc/0`, `doc/1`, `doc/2`, `doc/3`, `doc/4` and 5 more"
    )
    assert error.value.exit_code == 88


def test_an_empty_package_is_told() -> None:
    with pytest.raises(ArchiveError, match="it holds no files at all"):
        settled(layout(None))


def test_a_binary_with_required_features_may_be_missing() -> None:
    triple = parse_target(_LINUX)
    plan = plan_layout(
        [Binary("foo", ()), Binary("extra", ("x", "y"))],
        only=(),
        target=triple,
        package_format=PackageFormat.TGZ,
        bin_dir=parse_template("{ bin }"),
        values={"name": "krate", "version": "1.2.3", **triple.template_values()},
    )
    found = settled(plan, "foo")
    assert placed(found) == {"/bin/foo": "/staged/foo"}
    assert found.warnings == ("the package lacks `extra`, which only the features x, y would give",)


def test_if_none_is_left_it_is_an_error() -> None:
    with pytest.raises(InstallError, match="none of the binaries") as error:
        settled(layout("{ bin }", features=("x",)), "README")
    assert error.value.exit_code == 88
