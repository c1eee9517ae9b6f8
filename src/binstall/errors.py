"""Every error, its exit code and its hint, in one place.

The exit codes are cargo-binstall's numbers, a promise written out in `docs/exit-codes.md`.

    BinstallError                      16   anything of ours without a number of its own
    ├── UsageError                      2   the command line contradicts itself
    ├── ConfigError                    16   settings, cargo configuration, tracking files
    │   ├── TrackingError              16   `.crates.toml` or `crates-v1.json` is malformed
    │   └── MirrorError                16   a `[[mirror]]` of the settings
    ├── BadSecretKey                   16   a signing key file cannot be used
    │   └── WrongPassword              16   its password is another one, or was not given
    ├── AgeError                       16   an age file, identity or recipient cannot be used
    ├── Cancelled                      32   the user or a signal said stop
    │   └── Stopped                    32   it was a signal
    ├── TrustError                          the bytes are not what the publisher signed: stops at once
    │   ├── BadSignature               40   wrong or malformed signature, wrong key, wrong name
    │   ├── BadPublicKey               40   the declared key is malformed, or no sound Ed25519 key
    │   ├── MissingSignature           41   declared or demanded, and not there
    │   ├── UnsupportedSignature       41   declared in a form that this version cannot verify
    │   ├── SignerChanged              43   continuity
    │   └── SignatureUnavailable       68   declared, and could not be fetched
    ├── TemplateError                  67   a URL or path template
    ├── RemoteError                    68   the network's side: a candidate may be passed over
    │   ├── Absent                     68   404, 410
    │   ├── Refused                    68   401, 403 and the other statuses
    │   ├── Unreachable                68   no answer, a broken answer, a refused redirect, TLS
    │   └── TooLarge                   68   more bytes than the stated bound
    ├── CompileFailed                  70   `cargo install`, the last strategy
    ├── LocalIOError                   74   this machine's file system
    ├── UnknownRegistry                75
    ├── RegistryError                  76   what a registry answered
    │   ├── CrateNotFound              76
    │   ├── NoMatchingVersion          76
    │   ├── ChecksumMismatch           76
    │   └── ManifestError              76   `Cargo.toml` of a published crate
    │       └── LocalManifestError     99   `Cargo.toml` given by path
    ├── NotInstalled                   76   a crate to uninstall that the records do not list
    ├── BadRegistryUrl                 79
    ├── BadVersion                     80
    ├── SuperfluousVersion             84
    ├── NoBinaries                     86
    ├── NoTarget                       87   a build from source for no target at all
    ├── InstallError                   88   the files cannot be taken out or put in place
    │   ├── ArchiveError               88   hostile, broken, or without a promised binary
    │   └── FileInTheWay               88   a file that nobody tracks
    ├── NoPackage                      89
    ├── DuplicateSource                90
    ├── NothingFound                   94
    ├── UnknownFormat                  95
    ├── BadTarget                      97
    ├── GitError                       98   a repository could not be cloned
    └── CompileElsewhere              100   a build from source into a folder of the user's own

A message says what was asked and what was found, in one sentence without a full stop; the hint says
what to do next. Both may carry foreign text: only `binstall.text.visible` makes it fit to show.
"""

from __future__ import annotations

from typing import Self


class BinstallError(Exception):
    """Root of every error this program raises on purpose."""

    exit_code: int = 16
    hint: str | None = None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if hint is not None:
            self.hint = hint

    def about(self, what: str) -> Self:
        """Set `what` was asked before the message, unless it says so already; return the error."""
        if what not in self.message:
            self.message = f"{what}: {self.message}"
            self.args = (self.message,)
        return self


class UsageError(BinstallError):
    """The command line asks for something that contradicts itself."""

    exit_code = 2
    hint = "`--help` lists what a command takes"


class ConfigError(BinstallError):
    """A settings or configuration file of this machine cannot be used."""

    exit_code = 16
    hint = "mend or remove what is named, then run the same command again"


class TrackingError(ConfigError):
    """A record of installed crates cannot be read; nothing is installed beside an unreadable one."""

    hint = "repair or move the file away, then run the same command again"


class MirrorError(ConfigError):
    """A `[[mirror]]` of the settings cannot be used; never passed over, lest the original be asked."""


class Cancelled(BinstallError):
    """The user answered no, input ended, or a signal arrived."""

    exit_code = 32


class Stopped(Cancelled):
    """A signal arrived."""


class BadSecretKey(BinstallError):
    """A secret key file is malformed, damaged, hostile or locked; nothing was signed with it."""

    def __init__(self, message: str, *, reason: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class WrongPassword(BadSecretKey):
    """The password does not open the secret key, or none was given."""


class AgeError(BinstallError):
    """An age file, identity or recipient is malformed, hostile, of another kind, or not for this key."""

    def __init__(self, message: str, *, reason: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class TrustError(BinstallError):
    """The bytes are not what the publisher signed. Never retried, never passed over."""

    exit_code = 40


class BadSignature(TrustError):
    """The signature is wrong, malformed, by another key, or for another file.

    `reason` names the first check that failed: `too-long`, `utf8`, `encoding`, `control-char`,
    `trailing-data`, `legacy`, `algorithm`, `key-id`, `comment-signature`, `name`, `signature`.
    """

    exit_code = 40
    hint = "do not use this package; tell the publisher which URL served it"

    def __init__(self, message: str, *, reason: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class BadPublicKey(TrustError):
    """The public key is malformed, or a point that would let anybody sign."""

    exit_code = 40
    hint = "the key must be the one line that minisign prints, 56 characters that begin with RW"

    def __init__(self, message: str, *, reason: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class MissingSignature(TrustError):
    """A signature was declared by the manifest, or demanded by the user, and is not there."""

    exit_code = 41
    hint = "ask the publisher; a package is never installed without its declared signature"


class UnsupportedSignature(TrustError):
    """A signature is declared in a form that this version, as installed, cannot verify."""

    exit_code = 41
    hint = "a newer version of binstall may verify it"


class SignerChanged(TrustError):
    """The signer is not the one who signed what was installed before."""

    exit_code = 43


class SignatureUnavailable(TrustError):
    """A declared signature could not be fetched, retries included."""

    exit_code = 68
    hint = "try again later; a package is never installed without its declared signature"


class TemplateError(BinstallError):
    """A template does not parse, or names something that has no value here."""

    exit_code = 67
    hint = "--pkg-url and --bin-dir go before the manifest's templates; tell the publisher"


class RemoteError(BinstallError):
    """A URL did not give what was asked of it."""

    exit_code = 68
    hint = "try again later; -v shows every request"

    def __init__(self, message: str, *, url: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.url = url


class Absent(RemoteError):
    """The server knows nothing there: 404 or 410."""


class Refused(RemoteError):
    """The server answered, but not with the file: 401, 403, rate limits, 5xx after the retries.

    `challenge` is the value of `WWW-Authenticate`, foreign text.
    """

    def __init__(
        self,
        message: str,
        *,
        url: str = "",
        status: int = 0,
        rate_limited: bool = False,
        challenge: str = "",
        hint: str | None = None,
    ) -> None:
        super().__init__(message, url=url, hint=hint)
        self.challenge = challenge
        self.status = status
        self.rate_limited = rate_limited


class Unreachable(RemoteError):
    """No whole answer arrived: DNS, connection, TLS, time limit, refused redirect.

    `transient` says that asking once more may help: a dropped connection, a time limit.
    """

    def __init__(
        self, message: str, *, url: str = "", transient: bool = False, hint: str | None = None
    ) -> None:
        super().__init__(message, url=url, hint=hint)
        self.transient = transient


class TooLarge(RemoteError):
    """The answer is longer than the bound for its kind."""


class LocalIOError(BinstallError):
    """This machine's file system refused."""

    exit_code = 74
    hint = "mend what is named, then run the same command again"


class CompileFailed(BinstallError):
    """`cargo install` cannot be started, or ended with an error, which it told itself."""

    exit_code = 70


class UnknownRegistry(BinstallError):
    """A registry is named that no configuration defines."""

    exit_code = 75
    hint = "define it in cargo's configuration, or pass --index"


class RegistryError(BinstallError):
    """A registry answered something that cannot be used."""

    exit_code = 76
    hint = "check the name of the crate, and which registry is asked; -v shows every request"


class CrateNotFound(RegistryError):
    """The registry has no crate of this name."""


class NoMatchingVersion(RegistryError):
    """The registry has the crate, but no version that matches."""


class ChecksumMismatch(RegistryError):
    """The `.crate` file is not the one whose SHA-256 the index names."""


class ManifestError(RegistryError):
    """`Cargo.toml` of a published crate does not parse, or contradicts itself."""

    hint = "tell the publisher; another version of the crate may be sound"


class LocalManifestError(ManifestError):
    """`Cargo.toml` given by path or found in a workspace cannot be used."""

    exit_code = 99
    hint = "mend the manifest that is named, or point --manifest-path at another"


class NotInstalled(BinstallError):
    """A crate is to be uninstalled, and the records of this root do not list it."""

    exit_code = 76
    hint = "`binstall list` tells what is installed; --root names another root"


class BadRegistryUrl(BinstallError):
    """A registry URL from the environment or a configuration does not parse."""

    exit_code = 79
    hint = "a sparse index is written sparse+https://HOST/PATH/"


class BadVersion(BinstallError):
    """A version or version requirement does not parse."""

    exit_code = 80
    hint = "a version has three parts, such as 1.2.3; a requirement is written as in Cargo.toml"


class SuperfluousVersion(BinstallError):
    """Both `CRATE@VERSION` and `--version` name a version."""

    exit_code = 84


class NoBinaries(BinstallError):
    """The crate has no binary to install."""

    exit_code = 86
    hint = "it is a library: `cargo add` takes it"


class NoTarget(BinstallError):
    """A crate would have to be built from source, and the list of targets that was given is empty."""

    exit_code = 87


class InstallError(BinstallError):
    """The binaries cannot be taken out of the package or put in place."""

    exit_code = 88
    hint = "nothing was changed; mend what is named, or tell the publisher"


class ArchiveError(InstallError):
    """The package is hostile or broken, or lacks a binary that the manifest promises."""

    hint = "the package is not usable; tell its publisher"


class FileInTheWay(InstallError):
    """A file that no record tracks stands where a binary would go."""

    hint = "use --force to replace it"


class NoPackage(BinstallError):
    """The manifest has no `[package]`."""

    exit_code = 89
    hint = "point --manifest-path at the Cargo.toml of a package, or of its workspace"


class DuplicateSource(BinstallError):
    """Two binaries would come from the same path of the archive."""

    exit_code = 90
    hint = "bin-dir must tell the binaries apart, by { bin }; tell the publisher"


class NothingFound(BinstallError):
    """No package for this machine exists where the manifest points."""

    exit_code = 94
    hint = "--targets and --pkg-url look elsewhere; -v shows every place that was tried"


class UnknownFormat(BinstallError):
    """The package format is neither declared nor visible in the URL template."""

    exit_code = 95
    hint = "pass --pkg-fmt, or ask the publisher to declare pkg-fmt"


class BadTarget(BinstallError):
    """A target triple does not parse."""

    exit_code = 97
    hint = "a target triple is written like x86_64-unknown-linux-musl"


class GitError(BinstallError):
    """A git repository could not be cloned, or what was cloned cannot be read."""

    exit_code = 98


class CompileElsewhere(BinstallError):
    """A crate would have to be built from source, and cargo cannot install into just any folder."""

    exit_code = 100
