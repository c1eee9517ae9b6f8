"""`verify --manifest-path` and `--crate`: the key that a manifest declares for a file of that name.

What leads to the file, the manifest's own candidates for a target, decides about the key, as overrides may
give targets other ones, and about where the signature lies. A file to which nothing leads is judged by the
base table; its signature must still name this crate and version, if it names any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from binstall.errors import MissingSignature, UnsupportedSignature
from binstall.formats.manifest import Manifest, SigningConfig
from binstall.publish.file_facts import facts_of
from binstall.publish.verify_files import Demand, default_names
from binstall.signing.binding import Expected


@dataclass(frozen=True, slots=True)
class DeclaredKey:
    """The keys of one crate version, as its manifest declares them."""

    manifest: Manifest
    key_is_authentic: bool = True
    """False where the manifest came over plain http: whoever changed a file there changed its key, too."""

    def demands(self, file_name: str) -> Sequence[Demand]:
        """Return what an installer would demand of a file of this name, for each target that leads to it.

        Raises:
            MissingSignature: no signature is declared, or its key came over plain http.
            UnsupportedSignature, ManifestError, TemplateError: what is declared cannot be used.
        """
        if not self.key_is_authentic:
            raise MissingSignature(
                f"the manifest of {self._what} came over plain http: the key that it names proves nothing",
                hint="reach the registry over https",
            )
        facts = facts_of(file_name, self.manifest)
        if not facts.targets:
            return [self._demand(self._signing_of_base(file_name), file_name, None, None)]
        if not facts.signings:
            raise self._undeclared(file_name, f"for {', '.join(each.text for each in facts.targets[:4])}")
        return [
            self._demand(signing, file_name, facts.signature_name, target.text)
            for signing in facts.signings
            for target in facts.targets
        ]

    @property
    def _what(self) -> str:
        return f"{self.manifest.name} {self.manifest.version}"

    def _signing_of_base(self, file_name: str) -> SigningConfig:
        metadata = self.manifest.metadata
        base = metadata.base
        if base.signatures:
            raise UnsupportedSignature(
                f"{metadata.what}: `[[package.metadata.binstall.signatures]]` applies to {file_name}, and this "
                "version cannot verify what it declares"
            )
        if base.signing is None:
            raise self._undeclared(file_name, "in general, and none of its targets leads to this file")
        if base.signing.problem:
            raise metadata.error(f"{metadata.what}: {base.signing.problem}", hint=base.signing.hint)
        return base.signing.config()

    def _undeclared(self, file_name: str, where: str) -> MissingSignature:
        return MissingSignature(
            f"{file_name}: the manifest of {self._what} declares no signature {where}",
            hint="-P KEY and -p FILE name a key that you know otherwise",
        )

    def _demand(
        self, signing: SigningConfig, file_name: str, signature_name: str | None, target: str | None
    ) -> Demand:
        return Demand(
            signing.algorithm,
            signing.pubkey,
            Expected(file_name, self.manifest.name, str(self.manifest.version), target),
            default_names(file_name) if signature_name is None else (signature_name,),
            allow_name_mismatch=False,
        )
