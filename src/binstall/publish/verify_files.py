"""Files, their signatures beside them, and a verdict for each; many at once.

    whose signature      `KeySource.demands(file name)`: key, expected names, where the signature lies
    the signature        -x, else the names that are demanded, in order
    steps 1 to 6         key, signature, trusted comment: no byte of the file is needed
    the files            hashed in parallel, a thread for each core
    steps 7 and 8        the judge's verdict

What is judged and how is the installer's own (`signing`). Only the legacy rule can be lifted, and only here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from binstall.artifact import Download, Evidence
from binstall.errors import (
    BadSignature,
    BinstallError,
    LocalIOError,
    MissingSignature,
    TrustError,
)
from binstall.limits import MAX_SIGNATURE_BYTES
from binstall.publish.hashing import Hashed, hash_files, open_regular
from binstall.publish.key_kinds import KeyKind, kind_of
from binstall.signing.binding import Expected
from binstall.signing.legacy import LegacyVerifier, is_legacy
from binstall.signing.verifier import Verifier, new_verifier, verify

_GRAVEST_FIRST: Final = (40, 41, 74)
_DO_NOT_USE: Final = "do not use this file; tell its publisher where it came from"


@dataclass(frozen=True, slots=True)
class Demand:
    """Whose signature one file must bear, and what that signature must say."""

    algorithm: str
    public_key: str
    """As given or declared; parsed by the judge."""
    expected: Expected
    signature_names: tuple[str, ...]
    """File names beside the file, the first existing one counts; no path separators in them."""
    allow_name_mismatch: bool
    """Whether another name in the trusted comment is only a warning."""


class KeySource(Protocol):
    """Where the demands come from: a bare key, a manifest."""

    def demands(self, file_name: str) -> Sequence[Demand]:
        """Return at least one demand; a file that meets any of them is verified.

        Raises BinstallError where nothing can be demanded of a file of this name.
        """


@dataclass(frozen=True, slots=True)
class BareKey:
    """`-P` and `-p`: any file may be signed by it, so a foreign name is worth a warning and no more."""

    public_key: str

    def demands(self, file_name: str) -> Sequence[Demand]:
        """Demand this key."""
        return (
            Demand(
                "minisign",
                self.public_key,
                Expected(file_name),
                default_names(file_name),
                allow_name_mismatch=True,
            ),
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one file: `evidence`, or `error`."""

    file: Path
    signature: Path | None = None
    """Where the signature was found."""
    evidence: Evidence | None = None
    error: BinstallError | None = None
    """Its message names the file."""


@dataclass(frozen=True, slots=True)
class Verification:
    """One run over some files, which are hashed in parallel."""

    files: Sequence[Path]
    keys: KeySource
    signature: Path | None = None
    """`-x`: the signature of the only file."""
    allow_legacy: bool = False
    threads: int = 0
    """How many files are hashed at once; 0: as many as there are cores."""

    def run(self) -> list[Verdict]:
        """Verify every file; return the verdicts in the order of `files`. A signal ends it early."""
        verdicts: list[Verdict | None] = [None] * len(self.files)
        accepted: dict[int, tuple[Path, Verifier]] = {}
        for at, file in enumerate(self.files):
            try:
                accepted[at] = self._verifier(file)
            except BinstallError as error:
                verdicts[at] = _failed(file, None, error)
        # One that wants no digest reads its file itself, when it is its turn.
        hashing = [at for at, (_, verifier) in accepted.items() if "blake2b" in verifier.digest_names]
        results = hash_files([self.files[at] for at in hashing], threads=self.threads)
        hashed = dict(zip(hashing, results, strict=True))
        for at, (signature, verifier) in accepted.items():
            file = self.files[at]
            try:
                evidence = _judged(file, verifier, hashed.get(at))
            except BinstallError as error:
                verdicts[at] = _failed(file, signature, error)
            else:
                verdicts[at] = Verdict(file, signature, evidence)
        return [verdict for verdict in verdicts if verdict is not None]

    def _verifier(self, file: Path) -> tuple[Path, Verifier]:
        """Find a demand that the signature meets; else the gravest refusal stands."""
        refusal: TrustError | None = None
        for demand in self.keys.demands(file.name):
            try:
                path, text = self._signature_of(file, demand)
                return path, self._accepted(path, text, demand)
            except TrustError as error:
                if refusal is None or _rank(error.exit_code) < _rank(refusal.exit_code):
                    refusal = error
        assert refusal is not None  # noqa: S101 - there is a demand, and it was not met
        raise refusal

    def _accepted(self, path: Path, text: bytes, demand: Demand) -> Verifier:
        try:
            if self.allow_legacy and is_legacy(text):
                return LegacyVerifier(demand.public_key, text, demand.expected, demand.allow_name_mismatch)
            return new_verifier(
                demand.algorithm,
                demand.public_key,
                text,
                demand.expected,
                allow_name_mismatch=demand.allow_name_mismatch,
            )
        except BadSignature as error:
            error.hint = _hint(error.reason, path, text)
            raise

    def _signature_of(self, file: Path, demand: Demand) -> tuple[Path, bytes]:
        paths = [self.signature] if self.signature else [file.with_name(n) for n in demand.signature_names]
        for path in paths:
            text = read_bounded(path, MAX_SIGNATURE_BYTES)
            if text is not None:
                return path, text
        if self.signature is not None:
            raise MissingSignature(f"{file} has no signature: there is no {self.signature}")
        if not file.exists() or not file.is_file():
            os.close(open_regular(file))  # raises: it is not the signature that is missing
        names = " and no ".join(path.name for path in paths)
        raise MissingSignature(
            f"{file} has no signature: there is no {names} beside it", hint=_hint_for_missing(file)
        )


def exit_code_of(verdicts: Sequence[Verdict]) -> int:
    """Return 0, or the code of the gravest failure: 40, then 41, then 74, then the first other one."""
    codes = [verdict.error.exit_code for verdict in verdicts if verdict.error is not None]
    return min(codes, key=_rank, default=0)


def _rank(code: int) -> int:
    return _GRAVEST_FIRST.index(code) if code in _GRAVEST_FIRST else len(_GRAVEST_FIRST)


def default_names(file_name: str) -> tuple[str, ...]:
    """Return the names that the signature of a file has unless somebody says otherwise."""
    return (f"{file_name}.sig", f"{file_name}.minisig")


def read_bounded(path: Path, limit: int) -> bytes | None:
    """Return a small file, or `limit` + 1 bytes of a larger one; None if there is none.

    Raises:
        LocalIOError: there is something, and it cannot be read.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise LocalIOError(f"{path} is not a regular file")  # a pipe could keep us waiting for ever
        with path.open("rb") as file:
            return file.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise LocalIOError(f"{path} cannot be read: {getattr(error, 'strerror', '') or error}") from error


def _judged(file: Path, verifier: Verifier, hashed: Hashed | BinstallError | None) -> Evidence:
    if isinstance(hashed, BinstallError):
        raise hashed
    try:
        with os.fdopen(open_regular(file), "rb") as opened:
            if hashed is None:
                download = Download(str(file), opened, os.fstat(opened.fileno()).st_size)
            else:
                download = Download(str(file), opened, hashed.size, {"blake2b": hashed.blake2b})
            return verify(download, verifier).evidence
    except BadSignature as error:
        error.hint = _DO_NOT_USE
        raise


def _failed(file: Path, signature: Path | None, error: BinstallError) -> Verdict:
    name = str(file)
    if not error.message.startswith((f"{name} ", f"{name}:")):
        error.message = f"{name}: {error.message}"
        error.args = (error.message,)
    return Verdict(file, signature, error=error)


def _hint_for_missing(file: Path) -> str:
    try:
        head = read_bounded(file, MAX_SIGNATURE_BYTES) or b""
    except LocalIOError:
        head = b""  # only the hint would have profited
    if kind_of(head) is KeyKind.MINISIGN_SIGNATURE:
        return "this file is itself a signature: name the file that it signs instead, -x names a signature"
    return "-x names a signature that lies elsewhere"


def _hint(reason: str, path: Path, text: bytes) -> str:
    match reason:
        case "legacy":
            return (
                "the publisher should sign again with a minisign of 2020 or later, without -l; "
                "--allow-legacy lets such a signature pass, here only"
            )
        case "name":
            return (
                "an older or other release may have been put in this one's place; with -P KEY or -p FILE "
                "instead of a manifest another name is only a warning"
            )
        case "key-id":
            return "if the key that was expected is the publisher's, do not use this file"
    kind = kind_of(text)
    if kind not in {KeyKind.MINISIGN_SIGNATURE, KeyKind.UNKNOWN}:
        return f"{path.name} is {kind.words}: {kind.option}"
    return _DO_NOT_USE
