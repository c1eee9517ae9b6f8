"""Signing files: each gets a signature beside it, all of them or none.

    look        names, kinds, places: whatever can be refused is refused before a key is asked for
    hash        BLAKE2b-512 of every file, in parallel
    sign        in memory; each signature is judged there as an installer judges it
    place       written beside their places, synced, and put there in one go
    read back   from the disk, and judged once more

The same file, key and comments give the same signature, byte for byte.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from binstall.artifact import Download, Evidence
from binstall.errors import BadSignature, LocalIOError, UsageError
from binstall.limits import MAX_SIGNATURE_BYTES
from binstall.publish.hashing import Hashed, Tick, hash_files, open_regular
from binstall.publish.key_kinds import KeyKind, kind_of
from binstall.publish.new_files import PUBLIC_MODE, NewFile, write_files
from binstall.signing.binding import Expected, trusted_comment_for
from binstall.signing.minisign_keys import SIGNATURE_COMMENT, SecretKey, sign_digest
from binstall.signing.verifier import new_verifier, verify

if TYPE_CHECKING:
    from binstall.publish.file_facts import FileFacts

ALGORITHM: Final = "minisign"
SIGNATURE_SUFFIXES: Final = (".sig", ".minisig")
_SECRET_KINDS: Final = frozenset({KeyKind.MINISIGN_SECRET, KeyKind.AGE_IDENTITY, KeyKind.SSH_PRIVATE})


class ToSign(NamedTuple):
    """One file, where its signature goes, and what the signature will be held against."""

    path: Path
    signature_path: Path
    expected: Expected
    by_manifest: bool
    """Whether `expected` is a manifest's: then a trusted comment that says otherwise is an error."""


class SignedFile(NamedTuple):
    """One file with a signature that has been read back and verified."""

    path: Path
    signature_path: Path
    evidence: Evidence
    """What an installer will see; its warnings tell of names in the trusted comment that are not the file's."""


def plan_signatures(
    files: Sequence[Path],
    *,
    signature_path: Path | None = None,
    facts: Callable[[str], FileFacts] | None = None,
) -> tuple[ToSign, ...]:
    """Look at every file and at the place of its signature; nothing is read but the beginnings of small files.

    `signature_path` is that of the only file; `facts` says what a manifest makes of a file name.

    Raises:
        UsageError: a file is a folder, a signature or a key; a name cannot stand in a trusted comment; a
            place is taken by something that is no signature, or by two files.
        LocalIOError: a file is not there or cannot be read.
        LocalManifestError and whatever else `facts` raises.
    """
    if signature_path is not None and len(files) != 1:
        raise UsageError(
            f"-x names one signature, and there are {len(files)} files",
            hint="leave -x out, or sign one by one",
        )
    check_files(files)
    planned = [_plan(path, signature_path, facts) for path in dict.fromkeys(files)]
    taken: dict[str, Path] = {os.path.realpath(one.path): one.path for one in planned}
    for one in planned:
        place = os.path.realpath(one.signature_path)
        if place in taken:
            raise UsageError(
                f"{one.signature_path} cannot be the signature of both {one.path} and {taken[place]}"
            )
        taken[place] = one.path
        _check_place(one.signature_path)
    return tuple(planned)


def check_files(files: Sequence[Path]) -> None:
    """See that every file can be read and is something to sign.

    Raises:
        UsageError, LocalIOError: as for `plan_signatures`.
    """
    for path in files:
        _check_file(path)
        trusted_comment_for(
            Expected(path.name), timestamp=0
        )  # refuses what would not be read back as it is


def _plan(path: Path, signature_path: Path | None, facts: Callable[[str], FileFacts] | None) -> ToSign:
    known = facts(path.name) if facts is not None else None
    expected = known.expected if known is not None else Expected(path.name)
    name = known.signature_name if known is not None else None
    place = signature_path or path.with_name(name or f"{path.name}.sig")
    return ToSign(path, place, expected, by_manifest=bool(known and known.targets))


def _check_file(path: Path) -> None:
    head = b""
    descriptor = open_regular(path)
    try:
        if os.fstat(descriptor).st_size <= MAX_SIGNATURE_BYTES:
            head = os.read(descriptor, MAX_SIGNATURE_BYTES)
    except OSError as error:
        raise LocalIOError(f"{path} cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    kind = kind_of(head)
    if kind is KeyKind.MINISIGN_SIGNATURE or path.suffix.lower() in SIGNATURE_SUFFIXES:
        signed = path.with_suffix("")
        hint = (
            f"name the file that it signs, such as {signed}"
            if path.suffix
            else "name the file that it signs"
        )
        raise UsageError(f"{path} is itself a signature", hint=f"{hint}; -x names where a signature goes")
    if kind in _SECRET_KINDS:
        raise UsageError(f"{path} is {kind.words} where a file to sign belongs", hint=kind.option)


def _check_place(path: Path) -> None:
    """See that nothing but a signature would be put an end to."""
    if not os.path.lexists(path):
        return
    try:
        with path.open("rb") as file:
            found = file.read(MAX_SIGNATURE_BYTES + 1)
    except FileNotFoundError:
        return  # a link that leads nowhere
    except IsADirectoryError as error:
        raise UsageError(f"{path}, where the signature would go, is a folder") from error
    except OSError as error:
        raise LocalIOError(f"{path} cannot be read: {error.strerror}") from error
    # Empty is what rsign leaves where it fails.
    if found and kind_of(found) is not KeyKind.MINISIGN_SIGNATURE:
        raise UsageError(
            f"{path}, where the signature would go, is there and is no signature",
            hint="move it away, or name another place with -x",
        )


class MadeSignature(NamedTuple):
    """A signature in memory, judged and not yet written."""

    task: ToSign
    hashed: Hashed
    data: bytes
    """The whole signature file."""


def hash_all(files: Sequence[Path], *, threads: int = 0, tick: Tick | None = None) -> list[Hashed]:
    """Hash every file; `threads` as for `hash_files`.

    Raises:
        LocalIOError, UsageError: of the first file that cannot be read.
    """
    hashed = []
    for result in hash_files(files, threads=threads, tick=tick):
        if not isinstance(result, Hashed):
            raise result
        hashed.append(result)
    return hashed


def make_signatures(
    tasks: Sequence[ToSign],
    hashed: Sequence[Hashed],
    key: SecretKey,
    *,
    timestamp: int,
    trusted_comment: str | None = None,
    untrusted_comment: str = SIGNATURE_COMMENT,
) -> list[MadeSignature]:
    """Sign what was hashed; `timestamp`, seconds since 1970, goes into the default trusted comment.

    Raises:
        UsageError: a comment that minisign could not read, or, with a manifest, one that names other things.
        LocalIOError: a file was changed after it was hashed.
    """
    made = []
    for task, one in zip(tasks, hashed, strict=True):
        comment = trusted_comment
        if comment is None:
            comment = trusted_comment_for(task.expected, timestamp=timestamp)
        data = sign_digest(key, one.blake2b, comment, untrusted_comment)
        signature = MadeSignature(task, one, data)
        try:
            judge(task, one, data, key.public_key.base64)
        except BadSignature as error:
            if error.reason != "name":
                raise
            raise UsageError(
                f"installers would refuse {task.path} with this trusted comment: {error.message}",
                hint="leave -t out, or the field that names something else",
            ) from error
        made.append(signature)
    return made


def place_signatures(
    made: Sequence[MadeSignature], public_key: str, *, before: Sequence[NewFile] = ()
) -> tuple[SignedFile, ...]:
    """Write all signatures, after the files `before`; read them back and judge them.

    Raises:
        LocalIOError: the file system refused; no new signature is left.
        BadSignature: what was read is not what was written; no signature is left.
    """
    new = [
        # What replaces nothing is taken away again if the rest cannot be placed.
        NewFile(path, one.data, PUBLIC_MODE, replace=os.path.lexists(path))
        for one in made
        for path in [one.task.signature_path]
    ]
    write_files([*before, *new])
    try:
        return tuple(read_back(one.task, one.hashed, public_key) for one in made)
    except BaseException:
        for one in made:
            one.task.signature_path.unlink(missing_ok=True)
        raise


def read_back(task: ToSign, hashed: Hashed, public_key: str) -> SignedFile:
    """Judge the signature that stands beside a file, as an installer does.

    Raises:
        BadSignature, BadPublicKey: it is not a good one by this key.
        LocalIOError: it cannot be read, or the file was changed after it was hashed.
    """
    try:
        with task.signature_path.open("rb") as file:
            data = file.read(MAX_SIGNATURE_BYTES + 1)
    except OSError as error:
        raise LocalIOError(f"{task.signature_path} cannot be read: {error.strerror}") from error
    return SignedFile(task.path, task.signature_path, judge(task, hashed, data, public_key))


def judge(task: ToSign, hashed: Hashed, signature: bytes, public_key: str) -> Evidence:
    """Return what an installer would find proved.

    Raises:
        BadSignature, BadPublicKey: nothing.
        LocalIOError: the file was changed after it was hashed.
    """
    verifier = new_verifier(
        ALGORITHM, public_key, signature, task.expected, allow_name_mismatch=not task.by_manifest
    )
    try:
        with task.path.open("rb", buffering=0) as file:
            if not hashed.still_the_same():
                raise LocalIOError(f"{task.path} was changed while it was signed", hint="run again")
            download = Download(str(task.path), file, hashed.size, {"blake2b": hashed.blake2b})
            return verify(download, verifier).evidence
    except OSError as error:
        raise LocalIOError(f"{task.path} cannot be read: {error.strerror}") from error


def sign_files(
    tasks: Sequence[ToSign],
    key: SecretKey,
    *,
    timestamp: int,
    trusted_comment: str | None = None,
    untrusted_comment: str = SIGNATURE_COMMENT,
    threads: int = 0,
    tick: Tick | None = None,
) -> tuple[SignedFile, ...]:
    """Sign what was planned; all files get their signature, or none a new one.

    Raises:
        UsageError, LocalIOError, BadSignature: as for the stages.
    """
    hashed = hash_all([task.path for task in tasks], threads=threads, tick=tick)
    made = make_signatures(
        tasks,
        hashed,
        key,
        timestamp=timestamp,
        trusted_comment=trusted_comment,
        untrusted_comment=untrusted_comment,
    )
    return place_signatures(made, key.public_key.base64)


def sign_file(
    path: Path,
    key_pair: SecretKey,
    *,
    timestamp: int,
    trusted_comment: str | None = None,
    untrusted_comment: str = SIGNATURE_COMMENT,
    signature_path: Path | None = None,
) -> SignedFile:
    """Sign one file, by default into `FILE.sig`.

    Raises:
        UsageError, LocalIOError, BadSignature: as for `plan_signatures` and `sign_files`.
    """
    (signed,) = sign_files(
        plan_signatures([path], signature_path=signature_path),
        key_pair,
        timestamp=timestamp,
        trusted_comment=trusted_comment,
        untrusted_comment=untrusted_comment,
    )
    return signed
