"""A key for one release: made in memory, used for every file, stamped into `Cargo.toml`, forgotten.

    ask the registry     a published version never gets a second key
    look at what stands  our stamp of this version with a good signature for every file: nothing to do
    hash                 before there is a key
    make, sign, judge    the key lives for these steps, in memory only
    place                `Cargo.toml` first, then the signatures, in one go that signals wait for
    judge again          everything read from the disk, as an installer reads it

The manifest goes first because whoever publishes what a killed run has left then publishes a declared key:
installers refuse the packages whose signature is missing or old. The other way round they would find
signatures that nobody asks for, and install what they take for unsigned. Whatever a kill leaves, the next run
finds a stamp of ours for this version that not every file has a signature for, and starts over with a new
key; no version is published with the old one by then, the registry was asked.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from binstall.errors import (
    BadPublicKey,
    BadSignature,
    BinstallError,
    LocalIOError,
    LocalManifestError,
    ManifestError,
    RegistryError,
    TemplateError,
    TrustError,
    UsageError,
)
from binstall.formats.manifest import Manifest
from binstall.formats.minisig import has_control_characters, parse_signature
from binstall.formats.minisign_key import parse_public_key
from binstall.formats.template import parse_template
from binstall.limits import MAX_SIGNATURE_BYTES
from binstall.publish.cargo_package import CargoPackage, open_package
from binstall.publish.file_facts import demands_other_key, facts_of, is_key
from binstall.publish.hashing import Hashed, Tick
from binstall.publish.leftovers import remove_leftovers
from binstall.publish.new_files import write_files
from binstall.publish.secrets import Warn, hold_secrets
from binstall.publish.signer import (
    ALGORITHM,
    SIGNATURE_SUFFIXES,
    MadeSignature,
    SignedFile,
    ToSign,
    check_files,
    hash_all,
    make_signatures,
    place_signatures,
    plan_signatures,
    read_back,
)
from binstall.publish.stamp import SigningSection, manifest_file, signing_of, stamp
from binstall.signing.minisign_keys import SIGNATURE_COMMENT, generate


@dataclass(frozen=True, slots=True)
class PublishedVersion:
    """A version that the registry has already."""

    registry: str
    """In words."""
    public_key: str | None
    """The key that its manifest declares; None where it declares none or cannot be had."""


Ask = Callable[[Manifest], PublishedVersion | None]
"""Asks the registry whether the version of a manifest is published; raises BinstallError if nobody knows."""


@dataclass(frozen=True, slots=True)
class Comments:
    """What the signatures are to say."""

    timestamp: int
    """Seconds since 1970."""
    trusted: str | None = None
    """Template of the trusted comment; None for the default one."""
    values: Mapping[str, str] | None = None
    """Of `git` and `run`, where they are known."""
    untrusted: str = SIGNATURE_COMMENT

    def rendered(self, manifest: Manifest) -> str | None:
        """Return the trusted comment for all files, or None for the default ones.

        Raises:
            TemplateError: it does not parse, names what has no value, or a value cannot stand in a comment.
        """
        if self.trusted is None:
            return None
        values = {"name": manifest.name, "version": str(manifest.version), **(self.values or {})}
        for name, value in values.items():
            if not value or "\t" in value or has_control_characters(value):
                raise TemplateError(
                    f"the value of `{name}`, {value!r:.200}, cannot stand in a trusted comment"
                )
        return parse_template(self.trusted).render(values)


@dataclass(frozen=True, slots=True)
class Release:
    """What came of it."""

    manifest: Manifest
    """As it now stands on the disk."""
    public_key: str
    key_id: str
    files: tuple[SignedFile, ...]
    was_complete: bool
    """All of it stood already, and nothing was changed."""
    is_published: bool
    """By this very key."""


def sign_just_in_time(
    package: CargoPackage,
    files: Sequence[Path],
    comments: Comments,
    *,
    ask: Ask | None,
    force: bool,
    warn: Warn,
    threads: int = 0,
    tick: Tick | None = None,
) -> Release:
    """Sign `files`, the packages of one release, with a key of its own, and stamp it into the manifest.

    `ask` is None where nobody is to be asked. `force` replaces a section that is not ours, and lets a file of
    an earlier run that is not given now keep a signature that nobody will accept. What stands complete is
    left as it is.

    Raises:
        RegistryError: the version is published, and not with what stands here.
        LocalManifestError: the manifest cannot be stamped, or has a section that is not ours.
        UsageError, LocalIOError: a file or the place of its signature is of no use.
        TemplateError: a trusted comment or a `file` template is of no use.
        BinstallError: what `ask` raises.
    """
    files = tuple(dict.fromkeys(files))
    check_files(files)
    manifest = package.manifest()
    trusted_comment = comments.rendered(manifest)
    published = ask(manifest) if ask is not None else None
    hashed = dict(zip(files, hash_all(files, threads=threads, tick=tick), strict=True))
    standing = _standing(package, manifest, hashed, warn)
    if published is not None:
        return _of_published(manifest, standing, published)
    if standing is not None:
        return standing
    section = signing_of(package.text, what=str(package.manifest_path))
    if section is not None and "release" not in section and not force:
        raise LocalManifestError(
            f"{package.manifest_path} has a signing section that was not made for one release",
            hint="--force replaces it with a new key; to keep its key, sign with that: binstall sign -s KEY",
        )
    with hold_secrets(), generate() as key:
        public = key.public_key
        new_section = SigningSection(public.base64, release=str(manifest.version))
        text = stamp(package.text, new_section, what=str(package.manifest_path))
        tasks = _plan(package.manifest(text), files, public.base64, warn)
        if not force and section is not None and section.get("release") == str(manifest.version):
            remove_leftovers(task.signature_path for task in tasks)
            _refuse_strays(section, tasks)
        made = make_signatures(
            tasks,
            [hashed[task.path] for task in tasks],
            key,
            timestamp=comments.timestamp,
            trusted_comment=trusted_comment,
            untrusted_comment=comments.untrusted,
        )
    stamped = manifest_file(package.manifest_path, package.text, text)
    try:
        place_signatures(made, public.base64, before=[stamped])
        placed = open_package(package.manifest_path, None)
        return replace(_verified(placed, placed.manifest(), hashed), was_complete=False)
    except BaseException:
        _take_back(package, text, made)
        raise


def _take_back(package: CargoPackage, text: str, made: Sequence[MadeSignature]) -> None:
    """Take away the signatures, then put the manifest back as it was: at no time the other way round.

    Where that fails, too, what made the run fail is told, and the next run repairs the rest.
    """
    with contextlib.suppress(BinstallError, OSError):
        for one in made:
            place = one.task.signature_path
            if place.exists() and place.read_bytes() == one.data:
                place.unlink()
        write_files([manifest_file(package.manifest_path, text, package.text)])


def _of_published(manifest: Manifest, standing: Release | None, published: PublishedVersion) -> Release:
    """Return what stands if it is what was published; anything else would be a second key.

    Raises:
        RegistryError: it is not.
    """
    what = f"{manifest.name} {manifest.version} is published already in {published.registry}"
    hint = "raise the version in Cargo.toml; --force does not help, for users pin the key of a published version"
    if standing is None:
        raise RegistryError(f"{what}, and a published version gets no second key", hint=hint)
    if published.public_key is None or not is_key(published.public_key, standing.public_key):
        raise RegistryError(
            f"{what}, with another key than {standing.key_id}, which signed what stands here",
            hint=f"do not upload these signatures; {hint}",
        )
    return replace(standing, is_published=True)


def _standing(
    package: CargoPackage, manifest: Manifest, hashed: Mapping[Path, Hashed], warn: Warn
) -> Release | None:
    """Return the release that stands on the disk by a stamp of ours for this version; None if none does."""
    section = signing_of(package.text, what=str(package.manifest_path))
    if section is None or section.get("release") != str(manifest.version):
        return None
    try:
        return _verified(package, manifest, hashed)
    except (TrustError, ManifestError, LocalIOError, UsageError) as error:
        warn(
            f"the stamp of {manifest.version} that stands here is not that of a finished run: {error.message}"
        )
        return None


def _verified(package: CargoPackage, manifest: Manifest, hashed: Mapping[Path, Hashed]) -> Release:
    """Return the release that the manifest on the disk stamps, judged as an installer judges it.

    Raises:
        TrustError, ManifestError, LocalIOError, UsageError: an installer would refuse a file of it.
    """
    section = signing_of(package.text, what=str(package.manifest_path)) or {}
    public = parse_public_key(str(section.get("pubkey", "")))
    if section.get("algorithm") != ALGORITHM:
        raise LocalManifestError(f"{package.manifest_path} has a signing section without `algorithm`")
    tasks = _plan(manifest, tuple(hashed), public.base64, None)
    signed = tuple(_read_back(task, hashed[task.path], public.base64) for task in tasks)
    return Release(manifest, public.base64, public.shown_id, signed, was_complete=True, is_published=False)


def _read_back(task: ToSign, hashed: Hashed, public_key: str) -> SignedFile:
    try:
        return read_back(task, hashed, public_key)
    except TrustError as error:
        raise error.about(str(task.path)) from error.__cause__


def _plan(
    manifest: Manifest, files: Sequence[Path], public_key: str, warn: Warn | None
) -> tuple[ToSign, ...]:
    """Plan the signatures; every installer that asks for one of `files` must demand `public_key`."""
    known = {path.name: facts_of(path.name, manifest) for path in files}
    for name, facts in known.items():
        if warn is not None and not facts.targets:
            warn(f"no installer asks for a file of the name {name}, by pkg-url of the manifest")
        if demands_other_key(facts, public_key):
            shown = ", ".join(target.text for target in facts.targets)
            raise LocalManifestError(
                f"an override of the manifest declares another key for {name} ({shown})",
                hint="take the signing section out of the override; one key is for all files of a release",
            )
    return plan_signatures(files, facts=known.__getitem__)


def _refuse_strays(section: Mapping[str, object], tasks: Sequence[ToSign]) -> None:
    """See that no file beside these is signed by the key that is about to be replaced.

    Raises:
        UsageError: one is; its signature would be of no use to anybody.
    """
    try:
        old = parse_public_key(str(section.get("pubkey", "")))
    except BadPublicKey:
        return
    places = {os.path.realpath(task.signature_path) for task in tasks}
    for folder in dict.fromkeys(task.signature_path.parent for task in tasks):
        for path in sorted(folder.iterdir()):
            if path.suffix in SIGNATURE_SUFFIXES and os.path.realpath(path) not in places:
                try:
                    with path.open("rb") as file:
                        found = parse_signature(file.read(MAX_SIGNATURE_BYTES + 1))
                except (OSError, BadSignature):
                    continue
                if found.key_id == old.key_id:
                    raise UsageError(
                        f"{path} is by key {old.shown_id}, which this run would replace, "
                        "and the file that it signs was not named",
                        hint="name every file of the release in one run, or delete that signature; "
                        "--force goes on",
                    )
