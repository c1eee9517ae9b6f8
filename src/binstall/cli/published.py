"""The question that a publisher's command puts to the registry: is this version published, and with which key?"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from binstall.cli.connect import git_rules, open_registry, open_transfers, read_cargo
from binstall.cli.request import Surroundings
from binstall.errors import RegistryError
from binstall.formats.manifest import Manifest
from binstall.formats.version import CrateSpec, parse_requirement
from binstall.progress import Progress
from binstall.publish.just_in_time import Ask, PublishedVersion
from binstall.registry.cargo_home import user_home


def registry_question(progress: Progress, options: Mapping[str, Any]) -> Ask:
    """Return what asks the registry of `registry_options`, or cargo's own."""

    def ask(manifest: Manifest) -> PublishedVersion | None:
        environment = dict(os.environ)
        around = Surroundings(environment, Path.cwd(), user_home(environment))
        config, cargo_home = read_cargo(around)
        with open_transfers(
            around,
            config,
            progress,
            root_certificates=options["root_certificates"],
            allow_insecure_http=options["allow_insecure_http"],
        ) as transfers:
            rules = partial(
                git_rules,
                config,
                working_directory=around.working_directory,
                root_certificates=options["root_certificates"],
                allow_insecure_http=options["allow_insecure_http"],
            )
            registry = open_registry(
                config, cargo_home, transfers, progress, index=options["index"], rules=rules
            )
            try:
                if not registry.has(manifest.name, manifest.version):
                    return None
            except RegistryError as error:
                error.hint = "without an answer no key is made; --offline makes one without asking"
                raise
            found: list[str | None] = []
            exact = CrateSpec(manifest.name, parse_requirement(f"={manifest.version}"))
            with tempfile.TemporaryDirectory(prefix="binstall-") as folder:
                try:
                    base = registry.find(exact, Path(folder)).manifest.metadata.base
                    found.append(base.signing.pubkey if base.signing is not None else None)
                except RegistryError as error:
                    progress.warn(f"the published manifest cannot be read: {error.message}")
            return PublishedVersion(registry.words, found[0] if found else None)

    return ask
