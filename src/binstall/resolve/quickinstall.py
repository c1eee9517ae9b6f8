"""QuickInstall: a third party that builds crates of crates.io and signs every package with one key.

    targets      https://raw.githubusercontent.com/cargo-bins/cargo-quickinstall/main/supported-targets
    package      https://github.com/cargo-bins/cargo-quickinstall/releases/download/CRATE-VERSION/
                 CRATE-VERSION-TARGET.tar.gz       binaries at its top
    signature    the same, and `.sig`

One key signs everything, so a good signature proves nothing about *which* package it is: the signed comment
must name the very file, and through it crate, version and target. The key is pinned here, and neither an
option nor the environment changes it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Final

from binstall.errors import RemoteError
from binstall.formats.manifest import Manifest, PackageMeta, SigningConfig
from binstall.formats.package_format import PackageFormat
from binstall.formats.target import TargetTriple
from binstall.formats.template import parse_template
from binstall.formats.url import normal_url
from binstall.limits import MAX_SUPPORTED_TARGETS_BYTES
from binstall.net.transfers import Transfers, wait
from binstall.progress import Progress
from binstall.resolve.candidates import Candidate

PUBLIC_KEY: Final = "RWTdnnab2pAka9OdwgCMYyOE66M/BlQoFWaJ/JjwcPV+f3n24IRTj97t"
"""Of cargo-bins/cargo-quickinstall; key id 6B2490DA9B769EDD."""
TARGETS_URL: Final = (
    "https://raw.githubusercontent.com/cargo-bins/cargo-quickinstall/main/supported-targets"
)
PACKAGES_URL: Final = "https://github.com/cargo-bins/cargo-quickinstall/releases/download"
USUAL_TARGETS: Final = frozenset(
    {
        "aarch64-apple-darwin",
        "aarch64-pc-windows-msvc",
        "aarch64-unknown-linux-gnu",
        "aarch64-unknown-linux-musl",
        "armv7-unknown-linux-gnueabihf",
        "armv7-unknown-linux-musleabihf",
        "x86_64-apple-darwin",
        "x86_64-pc-windows-msvc",
        "x86_64-unknown-linux-gnu",
        "x86_64-unknown-linux-musl",
    }
)
"""The list of 2026-08. It stands in where the list cannot be had: it only saves requests."""
_TEMPLATE: Final = f"{PACKAGES_URL}/{{ name }}-{{ version }}/{{ name }}-{{ version }}-{{ target }}.tar.gz"


class QuickInstall:
    """The candidates of one run; the list of targets is asked for once, and only when it is needed."""

    def __init__(self, transfers: Transfers, progress: Progress, *, public_key: str = PUBLIC_KEY) -> None:
        self._transfers = transfers
        self._progress = progress
        self._listed: Future[bytes] | None = None
        self._lock = threading.Lock()
        bin_dir = parse_template("{ bin }{ binary-ext }")
        self._meta = PackageMeta(
            pkg_url=None,
            pkg_fmt=PackageFormat.TGZ,
            bin_dir=bin_dir,
            signing=SigningConfig("minisign", public_key, None, None, None),
            disabled_strategies=frozenset(),
            declares_signature=True,
            warnings=(),
        )

    def supports(self, target: TargetTriple) -> bool:
        """Tell whether packages are built for `target`."""
        return target.text in self._targets()

    def candidates(self, manifest: Manifest, target: TargetTriple) -> Iterator[Candidate]:
        """Yield the one place where a package for `target` would be, if it is a target at all."""
        if not self.supports(target):
            self._progress.detail(f"QuickInstall builds nothing for {target.text}")
            return
        name, version = manifest.name, str(manifest.version)
        tag, file = f"{name}-{version}", f"{name}-{version}-{target.text}.tar.gz"
        url = normal_url(f"{PACKAGES_URL}/{tag}/{file}", what="the QuickInstall URL")
        yield Candidate(
            url=url,
            format=PackageFormat.TGZ,
            target=target,
            meta=self._meta,
            signature_url=f"{url}.sig",
            values={"name": name, "version": version, **target.template_values()},
            template=_TEMPLATE,
            party="third party",
        )

    def _targets(self) -> frozenset[str]:
        with self._lock:
            if self._listed is None:
                self._listed = self._transfers.fetch(
                    TARGETS_URL, limit=MAX_SUPPORTED_TARGETS_BYTES, what="QuickInstall's list of targets"
                )
        try:
            return frozenset(wait(self._listed).decode("ascii", "replace").split())
        except RemoteError as error:
            self._progress.detail(f"{error.message}; the list of 2026-08 is used")
            return USUAL_TARGETS
