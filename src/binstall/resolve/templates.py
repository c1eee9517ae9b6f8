"""The one list of default places: hosts, release paths and file names, in trial order.

Where a crate declares no `pkg-url`, these are the URLs under which its releases are looked for on the
hosting service that its `repository` names. Order and spelling are cargo-binstall's, so that a project
that it finds is found here too.
"""

from __future__ import annotations

_VERSIONED_NAMES = (
    "{ name }-{ target }-v{ version }",
    "{ name }-{ target }-{ version }",
    "{ name }-{ version }-{ target }",
    "{ name }-v{ version }-{ target }",
    "{ name }_{ target }_v{ version }",
    "{ name }_{ target }_{ version }",
    "{ name }_{ version }_{ target }",
    "{ name }_v{ version }_{ target }",
)
_BARE_NAMES = ("{ name }-{ target }", "{ name }_{ target }")

_TAG_PATHS = ("{ version }", "v{ version }")
_SUBCRATE_TAG_PATHS = ("{ subcrate }%2F{ version }", "{ subcrate }%2Fv{ version }")

SIGNATURE_TEMPLATE = "{ url }.sig"


def default_templates(service: str, *, subcrate: bool) -> tuple[str, ...]:
    """Return the `pkg-url` templates of a hosting service, file name outermost, in trial order."""
    tags = _TAG_PATHS + (_SUBCRATE_TAG_PATHS if subcrate else ())
    names: tuple[str, ...] = _VERSIONED_NAMES + _BARE_NAMES
    suffix = ""
    match service:
        case "github" | "codeberg":
            paths = [f"{{ repo }}/releases/download/{tag}" for tag in tags]
        case "gitlab":
            paths = [f"{{ repo }}/-/releases/{tag}/downloads/binaries" for tag in tags]
        case "bitbucket":
            paths, names = ["{ repo }/downloads"], _VERSIONED_NAMES
        case "sourceforge":
            paths, suffix = [f"{{ repo }}/files/binaries/{tag}" for tag in tags], "/download"
        case _:
            return ()
    return tuple(f"{path}/{name}{{ archive-suffix }}{suffix}" for name in names for path in paths)
