"""Real repositories, fetched by the real git, over files, real TLS on loopback, and a make-believe ssh."""

from __future__ import annotations

import os
import shutil
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from binstall.errors import Cancelled, GitError, UsageError
from binstall.formats.git_url import parse_git_url
from binstall.net.proxy import find_proxies
from binstall.net.tls import find_trusted_roots
from binstall.registry.git import GitRepository, clone
from binstall.registry.git_settings import GitRules
from support_git import GitHost, Repository, needs_git
from support_net import Authority, ConnectProxy

pytestmark = needs_git

ENVIRONMENT = {"PATH": os.environ["PATH"]}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository.create(tmp_path / "served" / "repo")
    made.commit({"Cargo.toml": "first"})
    made.commit({"Cargo.toml": "second", "src/main.rs": "fn main() {}", "ca/rg/cargo": "{}"})
    return made


@pytest.fixture
def authority() -> Iterator[Authority]:
    with Authority() as made:
        yield made


def fetched(
    url: str,
    tmp_path: Path,
    *,
    rules: GitRules | None = None,
    stopping: threading.Event | None = None,
    **environment: str,
) -> GitRepository:
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    folder = tmp_path / "staging"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    rules = rules or GitRules({**ENVIRONMENT, "HOME": str(home), **environment})
    address = parse_git_url(url, tmp_path, origin="--git", error=UsageError)
    return clone(address, folder, rules, stopping=stopping)


def rules_for(authority: Authority, tmp_path: Path, **environment: str) -> GitRules:
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    return GitRules(
        {**ENVIRONMENT, "HOME": str(home), **environment},
        roots=find_trusted_roots([authority.pem_path], {}),
        proxies=find_proxies(environment),
    )


@pytest.mark.parametrize("url", ["file://{}", "{}", "served/repo", "./served/../served/repo"])
def test_the_newest_commit_is_fetched_one_deep_and_its_files_are_read(
    repository: Repository, tmp_path: Path, url: str
) -> None:
    found = fetched(url.format(repository.folder), tmp_path)
    assert found.commit == repository.git("rev-parse", "HEAD")
    assert found.file("Cargo.toml", 10) == b"second"
    assert found.file("ca/rg/cargo", 10) == b"{}"
    assert (found.folder / "shallow").read_text().strip() == found.commit


@pytest.mark.parametrize(
    "path", ["nothing", "src", "src/", "Cargo.tom", "*", ":(glob)*", "ca/rg/../rg/cargo"]
)
def test_what_is_no_regular_file_at_that_very_path_is_not_there(
    repository: Repository, tmp_path: Path, path: str
) -> None:
    repository.commit({"link": Path("Cargo.toml")})
    found = fetched(str(repository.folder), tmp_path)
    assert found.file("link", 100) is None
    try:
        assert found.file(path, 100) is None
    except GitError as error:
        assert ".." in path, error  # git refuses to look there at all


def test_a_file_beyond_its_bound_is_refused(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"large": b"x" * 3_000_000})
    found = fetched(str(repository.folder), tmp_path)
    with pytest.raises(GitError, match="more than 1000 bytes"):
        found.file("large", 1000)
    assert len(found.file("large", 3_000_000) or b"") == 3_000_000


@pytest.mark.parametrize("name", ["HEAD", "--help", "", "a" * 39, "g" * 40])
def test_only_an_object_by_its_digits_is_a_blob(repository: Repository, tmp_path: Path, name: str) -> None:
    with pytest.raises(GitError):
        fetched(str(repository.folder), tmp_path).blob(name, 10)


def test_nothing_is_checked_out_and_no_hook_or_filter_of_anybody_runs(
    repository: Repository, tmp_path: Path
) -> None:
    proof = tmp_path / "proof"
    script = f"#!/bin/sh\ntouch {proof}\n"
    templates = tmp_path / "home" / "templates"
    for folder in (repository.folder / ".git" / "hooks", templates / "hooks", tmp_path / "home" / "hooks"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("post-checkout", "post-merge", "reference-transaction", "pre-auto-gc", "fsmonitor"):
            (folder / name).write_text(script)
            (folder / name).chmod(0o755)
    (tmp_path / "home" / ".gitconfig").write_text(
        f'[init]\n\ttemplateDir = "{templates}"\n[core]\n\thooksPath = "{tmp_path}/home/hooks"\n'
        f'\tfsmonitor = "{tmp_path}/home/hooks/fsmonitor"\n\tpager = "touch {proof}"\n'
        f'[filter "x"]\n\tsmudge = "touch {proof}"\n\tprocess = "touch {proof}"\n\trequired = true\n'
        f'[uploadpack]\n\tpackObjectsHook = "touch {proof}; exec"\n[alias]\n\tfetch = "!touch {proof}"\n'
    )
    inner = Repository.create(tmp_path / "inner")
    inner.commit({"x": "1"})
    repository.git(
        "-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(inner.folder), "sub"
    )
    commit = repository.commit({".gitattributes": "* filter=x\n"})
    # Also a repository may have a configuration, which git believes only where it is the user's own.
    repository.git("config", "uploadpack.packObjectsHook", f"touch {proof}; exec")
    proof.unlink(missing_ok=True)
    found = fetched(f"file://{repository.folder}", tmp_path)
    assert found.commit == commit
    assert found.file("Cargo.toml", 10) == b"second"
    assert found.file("sub", 10) is None
    assert not proof.exists()
    assert not (found.folder / "hooks").exists()
    assert not (found.folder / "modules").exists()


def test_variables_that_redirect_git_are_not_heard(repository: Repository, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    found = fetched(
        str(repository.folder),
        tmp_path,
        GIT_DIR="/nowhere",
        GIT_WORK_TREE="/nowhere",
        GIT_OBJECT_DIRECTORY="/nowhere",
        GIT_CONFIG_COUNT="1",
        GIT_CONFIG_KEY_0="core.hooksPath",
        GIT_CONFIG_VALUE_0="/nowhere",
        GIT_CONFIG_PARAMETERS="'http.sslverify=false'",
        GIT_TRACE=str(proof),
        GIT_EXEC_PATH="/nowhere",
        GIT_ALLOW_PROTOCOL="ext",
        GIT_SSH_COMMAND=f"touch {proof}",
    )
    assert found.file("Cargo.toml", 10) == b"second"
    assert not proof.exists()


def test_git_has_no_secret_of_ours_in_its_environment(repository: Repository, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    wrapper = tmp_path / "programs" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nenv >> {seen}\nexec {shutil.which("git")} "$@"\n')
    wrapper.chmod(0o755)
    secrets = {
        "GITHUB_TOKEN": "s3cret",
        "CARGO_REGISTRIES_MINE_TOKEN": "s3cret",
        "CARGO_REGISTRY_TOKEN": "s3cret",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "s3cret",
        "BINSTALL_PASSWORD": "s3cret",
    }
    home = {"HOME": str(tmp_path), "PATH": f"{wrapper.parent}:{os.environ['PATH']}"}
    fetched(str(repository.folder), tmp_path, rules=GitRules(home | secrets))
    assert "GIT_TERMINAL_PROMPT=0" in seen.read_text()
    assert "s3cret" not in seen.read_text()


def test_a_repository_is_fetched_over_tls_by_the_certificates_of_the_run(
    repository: Repository, tmp_path: Path, authority: Authority
) -> None:
    with GitHost(tmp_path / "served", authority) as host:
        found = fetched(host.url("repo/.git"), tmp_path, rules=rules_for(authority, tmp_path))
        assert found.file("Cargo.toml", 10) == b"second"
        with pytest.raises(GitError, match="certificate"):
            fetched(host.url("repo/.git"), tmp_path)


def test_the_users_own_settings_cannot_switch_the_check_of_certificates_off(
    repository: Repository, tmp_path: Path, authority: Authority
) -> None:
    with GitHost(tmp_path / "served", authority) as host:
        (tmp_path / "home").mkdir()
        (tmp_path / "home" / ".gitconfig").write_text(
            f'[http]\n\tsslVerify = false\n[http "{host.url("")}"]\n\tsslVerify = false\n'
        )
        with pytest.raises(GitError, match="certificate"):
            fetched(host.url("repo/.git"), tmp_path)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_store_in_place_of_the_systems_is_the_whole_store(
    repository: Repository, tmp_path: Path, authority: Authority, variable: str
) -> None:
    def rules(trusted: Authority) -> GitRules:
        place = trusted.pem_path if variable == "SSL_CERT_FILE" else trusted.folder
        roots = find_trusted_roots([], {variable: str(place)})
        return GitRules({**ENVIRONMENT, "HOME": str(tmp_path)}, roots=roots)

    with Authority("Another Authority") as stranger, GitHost(tmp_path / "served", authority) as host:
        with pytest.raises(GitError, match="certificate"):
            fetched(host.url("repo/.git"), tmp_path, rules=rules(stranger))
        if variable == "SSL_CERT_FILE":  # in a folder OpenSSL wants names that are hashes
            assert fetched(host.url("repo/.git"), tmp_path, rules=rules(authority)).file("Cargo.toml", 10)


def test_plain_http_is_asked_only_where_it_is_allowed(repository: Repository, tmp_path: Path) -> None:
    with GitHost(tmp_path / "served", None) as host:
        with pytest.raises(GitError, match="plain http"):
            fetched(host.url("repo/.git"), tmp_path)
        assert host.asked == []
        rules = GitRules({**ENVIRONMENT, "HOME": str(tmp_path)}, allow_insecure_http=True)
        assert fetched(host.url("repo/.git"), tmp_path, rules=rules).file("Cargo.toml", 10) == b"second"


@pytest.mark.parametrize("target", ["http", "file", "ext"])
def test_no_redirect_leaves_https(
    repository: Repository, tmp_path: Path, authority: Authority, target: str
) -> None:
    with (
        GitHost(tmp_path / "served", authority) as host,
        GitHost(tmp_path / "served", None) as plain,
    ):
        host.redirects["/moved"] = {
            "http": plain.url("repo"),
            "file": f"file://{repository.folder}",
            "ext": "ext::sh -c true",
        }[target]
        with pytest.raises(GitError, match="cannot be fetched"):
            fetched(host.url("moved/.git"), tmp_path, rules=rules_for(authority, tmp_path))
        assert plain.asked == []
        host.redirects["/moved"] = host.url("repo")
        found = fetched(host.url("moved/.git"), tmp_path, rules=rules_for(authority, tmp_path))
        assert found.file("Cargo.toml", 10) == b"second"


def test_a_password_in_the_url_goes_to_its_host_alone_and_into_no_command_line(
    repository: Repository, tmp_path: Path, authority: Authority
) -> None:
    words = tmp_path / "words"
    wrapper = tmp_path / "programs" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\necho "$@" >> {words}\nexec {shutil.which("git")} "$@"\n')
    wrapper.chmod(0o755)
    path = f"{wrapper.parent}:{os.environ['PATH']}"
    with (
        GitHost(tmp_path / "served", authority, login="me:s3 cret'") as host,
        GitHost(tmp_path / "served", authority, login="me:s3 cret'") as other,
    ):
        rules = rules_for(authority, tmp_path, PATH=path)
        found = fetched(host.url("repo/.git", login="me:s3%20cret'"), tmp_path, rules=rules)
        assert found.file("Cargo.toml", 10) == b"second"
        assert host.asked[0][1] is None, "nobody says a password before it is asked for"
        assert "s3" not in words.read_text()
        host.redirects["/moved"] = other.url("repo")
        with pytest.raises(GitError) as caught:
            fetched(host.url("moved/.git", login="me:s3%20cret'"), tmp_path, rules=rules)
        assert {said for _, said in other.asked} == {None}
        assert "s3" not in str(caught.value)


def test_a_login_that_is_wanted_is_asked_of_the_users_helper_and_never_of_the_terminal(
    repository: Repository, tmp_path: Path, authority: Authority
) -> None:
    with GitHost(tmp_path / "served", authority, login="me:secret") as host:
        with pytest.raises(GitError, match="cannot be fetched") as caught:
            fetched(host.url("repo/.git"), tmp_path, rules=rules_for(authority, tmp_path))
        assert "credential helper" in (caught.value.hint or "")
        (tmp_path / "home" / ".gitconfig").write_text(
            f'[credential "{host.url("").rstrip("/")}"]\n'
            '\thelper = "!f() { echo username=me; echo password=secret; }; f"\n'
        )
        found = fetched(host.url("repo/.git"), tmp_path, rules=rules_for(authority, tmp_path))
        assert found.file("Cargo.toml", 10) == b"second"


def test_the_proxy_of_the_run_is_gone_through(
    repository: Repository, tmp_path: Path, authority: Authority
) -> None:
    with GitHost(tmp_path / "served", authority) as host, ConnectProxy() as proxy:
        rules = rules_for(authority, tmp_path, https_proxy=proxy.address)
        assert fetched(host.url("repo/.git"), tmp_path, rules=rules).file("Cargo.toml", 10) == b"second"
        tunnels = len(proxy.seen)
        assert tunnels
        rules = rules_for(authority, tmp_path, https_proxy=proxy.address, no_proxy="localhost")
        assert fetched(host.url("repo/.git"), tmp_path, rules=rules).file("Cargo.toml", 10) == b"second"
        assert len(proxy.seen) == tunnels


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("me@host.example:{}", "me@host.example git-upload-pack"),
        ("ssh://me@host.example{}", "me@host.example git-upload-pack"),
        ("ssh://host.example:2222{}", "-p 2222 host.example git-upload-pack"),
    ],
)
def test_ssh_is_asked_without_a_prompt(repository: Repository, tmp_path: Path, url: str, told: str) -> None:
    words = tmp_path / "words"
    ssh = tmp_path / "programs" / "ssh"
    ssh.parent.mkdir()
    # What the far end would do: run the last word as a command.
    ssh.write_text(f'#!/bin/sh\necho "$@" > {words}\nfor last; do :; done\nexec sh -c "$last"\n')
    ssh.chmod(0o755)
    path = f"{ssh.parent}:{os.environ['PATH']}"
    found = fetched(url.format(repository.folder), tmp_path, PATH=path)
    assert found.file("Cargo.toml", 10) == b"second"
    assert told in words.read_text()
    assert "BatchMode=yes" in words.read_text()


def test_the_users_own_ssh_command_and_addresses_hold(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".gitconfig").write_text(
        f'[url "file://{repository.folder}"]\n\tinsteadOf = "https://company.example/repo"\n'
    )
    assert fetched("https://company.example/repo", tmp_path).file("Cargo.toml", 10) == b"second"
    (tmp_path / "home" / ".gitconfig").write_text(
        '[url "ext::sh -c "]\n\tinsteadOf = "https://company.example/"\n'
    )
    with pytest.raises(GitError, match="not allowed"):
        fetched("https://company.example/repo", tmp_path)


@pytest.mark.parametrize("kind", ["nowhere", "empty", "no repository"])
def test_what_cannot_be_fetched_is_98_and_says_why(tmp_path: Path, kind: str) -> None:
    if kind == "empty":
        Repository.create(tmp_path / kind)
    elif kind == "no repository":
        (tmp_path / kind).mkdir()
    with pytest.raises(GitError, match="cannot be fetched: ") as caught:
        fetched(str(tmp_path / kind), tmp_path)
    assert caught.value.exit_code == 98


def test_without_git_the_hint_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="no program git") as caught:
        fetched(str(tmp_path), tmp_path, PATH=str(tmp_path))
    assert "install git" in (caught.value.hint or "")


def test_a_git_of_the_working_directory_is_never_started(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    found = fetched(str(repository.folder), tmp_path, PATH=f".::{os.environ['PATH']}")
    assert found.file("Cargo.toml", 10) == b"second"


def hanging(tmp_path: Path) -> str:
    """Return a PATH on which ssh never answers; its child writes its number to `child`."""
    ssh = tmp_path / "programs" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(f"#!/bin/sh\nsleep 600 &\necho $! > {tmp_path / 'child'}\nwait\n")
    ssh.chmod(0o755)
    return f"{ssh.parent}:{os.environ['PATH']}"


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 5
    while is_alive(pid):
        assert time.monotonic() < deadline, "it lives on"
        time.sleep(0.02)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
def test_a_fetch_that_is_stopped_leaves_no_process(tmp_path: Path) -> None:
    stopping = threading.Event()
    path = hanging(tmp_path)

    def stop_soon() -> None:
        deadline = time.monotonic() + 20
        while not (tmp_path / "child").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        stopping.set()

    thread = threading.Thread(target=stop_soon)
    thread.start()
    with pytest.raises(Cancelled):
        fetched("ssh://host.example/x", tmp_path, stopping=stopping, PATH=path)
    thread.join()
    wait_until_gone(int((tmp_path / "child").read_text()))


def test_a_fetch_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("binstall.registry.git.GIT_FETCH_SECONDS", 0.5)
    with pytest.raises(GitError, match="GIT_FETCH_SECONDS"):
        fetched("ssh://host.example/x", tmp_path, PATH=hanging(tmp_path))
    wait_until_gone(int((tmp_path / "child").read_text()))


def test_a_repository_that_is_too_large_is_given_up(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("binstall.registry.git.MAX_GIT_REPOSITORY_BYTES", 100)
    monkeypatch.setattr("binstall.registry.git._MEASURE_SECONDS", 0.0)
    with pytest.raises(GitError, match="MAX_GIT_REPOSITORY_BYTES"):
        fetched("ssh://host.example/x", tmp_path, PATH=hanging(tmp_path))


def test_what_is_kept_is_for_the_user_alone(repository: Repository, tmp_path: Path) -> None:
    fetched(str(repository.folder), tmp_path)
    for path in (tmp_path / "staging").iterdir():
        if path.is_file():
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077
