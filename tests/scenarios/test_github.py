"""GitHub: its lists of files, its private repositories, its limits, and where a token goes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from binstall.signing.minisign_keys import SecretKey, generate
from support_discovery import machine_on, package, publish_crate, signature, signing_table
from support_machine import Machine, Run
from support_net import Answer, Asked
from support_registry import TARGET
from support_web import CRATES_IO, GITHUB, CratesIo, GitHub, Web, program

TOKEN, OTHER = "ghp_0123456789abcdefghij", "gho_9876543210zyxwvutsrq"
FILE = f"hello-{TARGET}.tgz"
OWN_URL = "{ repo }/releases/download/v{ version }/{ name }-{ target }.tgz"
REPOSITORY = "https://github.com/octo/hello"
ENTERPRISE = "git.corp.example"


@pytest.fixture
def web() -> Iterator[Web]:
    with Web([*CRATES_IO, *GITHUB, ENTERPRISE, f"media.{ENTERPRISE}", "elsewhere.example"]) as web:
        yield web


@pytest.fixture
def registry(web: Web) -> CratesIo:
    return CratesIo(web)


@pytest.fixture
def github(web: Web) -> Iterator[GitHub]:
    github = GitHub(web)
    yield github
    assert github.leaks == [], "a token went to a host that it is not for"
    for host, asked in web.log:
        assert "authorization" not in asked.headers or host == github.api_host


@pytest.fixture
def machine(web: Web, tmp_path: Path) -> Machine:
    machine = machine_on(web, tmp_path / "machine")
    (machine.folder / "programs").mkdir()
    machine.environment["PATH"] = f"{machine.folder / 'programs'}"
    return machine


@pytest.fixture
def key() -> Iterator[SecretKey]:
    with generate() as key:
        yield key


def install(machine: Machine, *words: str, code: int = 0, stdin: str | None = None) -> Run:
    """Install hello, and see that no token is shown or kept."""
    run = machine.install("hello", "-y", "-v", *words, stdin=stdin).expect(code)
    assert TOKEN not in run.out + run.err
    assert OTHER not in run.out + run.err
    for path, content in machine.files().items():
        if path.startswith("home/.cargo"):
            assert TOKEN.encode() not in content
    if code == 0:
        assert (machine.bin / "hello").exists()
    return run


def lists(web: Web, host: str = "api.github.com") -> list[Asked]:
    """The questions about files of a release."""
    return [each for each in web.asked(host) if "/assets/" not in each.path]


def probes(web: Web) -> list[Asked]:
    """The plain questions about single files."""
    return [each for each in web.asked("github.com") if "/releases/download/" in each.path]


# What is asked.


@pytest.mark.parametrize("token", [None, TOKEN])
def test_the_api_is_not_asked_when_a_plain_request_finds_the_file(
    web: Web, registry: CratesIo, github: GitHub, machine: Machine, token: str | None
) -> None:
    publish_crate(registry, repository=REPOSITORY, metadata={"pkg-url": OWN_URL})
    github.release("octo", "hello", "v1.0.0", {FILE: package()})
    github.tokens[TOKEN] = set()
    if token:
        machine.environment["GITHUB_TOKEN"] = token
    install(machine)
    assert web.asked("api.github.com") == []
    assert [each.path for each in web.asked("github.com")] == [
        f"/octo/hello/releases/download/v1.0.0/{FILE}"
    ]


def test_a_release_is_asked_for_its_files_once_in_place_of_a_question_for_each_url(
    web: Web, registry: CratesIo, github: GitHub, machine: Machine
) -> None:
    publish_crate(registry, repository=REPOSITORY)
    github.release("octo", "hello", "v1.0.0", {FILE: package(), "SHA256SUMS": b""})
    install(machine)
    assert sorted(each.path for each in lists(web)) == [
        f"/repos/octo/hello/releases/tags/{tag}" for tag in ("1.0.0", "v1.0.0")
    ]
    assert [each.method for each in probes(web)] == ["GET"], "the file itself, and nothing else"


def test_with_a_token_the_list_is_asked_for_by_graphql_and_read_to_its_last_page(
    web: Web, registry: CratesIo, github: GitHub, machine: Machine
) -> None:
    publish_crate(registry, repository=REPOSITORY)
    others = {f"other-{number}": b"" for number in range(230)}
    github.release("octo", "hello", "v1.0.0", {**others, FILE: package()})
    github.tokens[TOKEN] = set()
    machine.environment["GITHUB_TOKEN"] = TOKEN
    install(machine)
    assert {each.path for each in lists(web)} == {"/graphql"}
    asked = [json.loads(each.body)["variables"] for each in lists(web)]
    assert [each["after"] for each in asked if each["tag"] == "v1.0.0"] == [None, "100", "200"]
    assert len(asked) == 4


def test_the_first_existing_candidate_in_list_order_is_taken_from_the_list(
    web: Web, registry: CratesIo, github: GitHub, machine: Machine
) -> None:
    publish_crate(registry, repository=REPOSITORY)
    later = package(says="later")
    github.release(
        "octo", "hello", "v1.0.0", {f"hello_{TARGET}.tgz": later, f"hello-{TARGET}.tar.gz": later}
    )
    github.release("octo", "hello", "1.0.0", {f"hello-{TARGET}.tar.gz": package(says="first")})
    install(machine)
    assert "first" in (machine.bin / "hello").read_text()


# Private repositories.


def private(
    registry: CratesIo,
    github: GitHub,
    key: SecretKey,
    *,
    pkg_url: str | None = OWN_URL,
    visible_to: str = TOKEN,
    **signing: str,
) -> None:
    """Publish a signed crate whose releases only `visible_to` sees."""
    metadata: dict[str, object] = {"signing": {**signing_table(key), **signing}}
    if pkg_url is not None:
        metadata["pkg-url"] = pkg_url
    publish_crate(registry, repository=REPOSITORY, metadata=metadata)
    data = package()
    files = {FILE: data, f"{FILE}.sig": signature(data, key, FILE)}
    github.release("octo", "hello", "v1.0.0", files).private = True
    github.tokens[visible_to] = {("octo", "hello")}


@pytest.mark.parametrize("pkg_url", [OWN_URL, None], ids=["own pkg-url", "default URLs"])
def test_a_signed_package_of_a_private_repository_is_installed_signature_included(
    web: Web, registry: CratesIo, github: GitHub, machine: Machine, key: SecretKey, pkg_url: str | None
) -> None:
    private(registry, github, key, pkg_url=pkg_url)
    machine.environment["GITHUB_TOKEN"] = TOKEN
    run = install(machine)
    assert "signed by" in run.err
    assets = [each for each in web.asked("api.github.com") if "/assets/" in each.path]
    assert len(assets) == 2
    assert {each.headers["accept"] for each in assets} == {"application/octet-stream"}


def test_a_private_signature_in_another_release_is_found_too(
    registry: CratesIo, github: GitHub, machine: Machine, key: SecretKey
) -> None:
    private(registry, github, key, file="{ repo }/releases/download/signatures/{ name }.sig")
    data = github.repos["octo", "hello"].releases["v1.0.0"][FILE]
    github.release("octo", "hello", "signatures", {"hello.sig": signature(data, key, FILE)})
    machine.environment["GITHUB_TOKEN"] = TOKEN
    install(machine)


def test_a_private_package_that_was_tampered_with_is_40(
    registry: CratesIo, github: GitHub, machine: Machine, key: SecretKey
) -> None:
    private(registry, github, key)
    github.repos["octo", "hello"].releases["v1.0.0"][FILE] += b"\0"
    machine.environment["GITHUB_TOKEN"] = TOKEN
    install(machine, code=40)


def test_a_private_package_without_its_signature_is_41(
    registry: CratesIo, github: GitHub, machine: Machine, key: SecretKey
) -> None:
    private(registry, github, key)
    del github.repos["octo", "hello"].releases["v1.0.0"][f"{FILE}.sig"]
    machine.environment["GITHUB_TOKEN"] = TOKEN
    install(machine, code=41)


def test_without_a_token_a_private_repository_has_nothing(
    registry: CratesIo, github: GitHub, machine: Machine, key: SecretKey
) -> None:
    private(registry, github, key)
    install(machine, code=94)


# Where a token is found: each place alone, beside others that are empty or broken.

GIT = f"""
[ "$1 $2" = "credential fill" ] || exit 9
read protocol; read host
echo "$protocol" "$host" > {{trace}}/git
pwd >> {{trace}}/git; ls -A >> {{trace}}/git; env >> {{trace}}/git
printf 'protocol=https\\nhost=github.com\\nusername=me\\npassword={TOKEN}\\n'
"""
GH = f"""
[ "$*" = "auth token --hostname github.com" ] || exit 9
pwd > {{trace}}/gh; ls -A >> {{trace}}/gh; env >> {{trace}}/gh
echo {TOKEN}
"""


def _home_file(path: str, text: str) -> Callable[[Machine], list[str]]:
    def make(machine: Machine) -> list[str]:
        place = machine.home / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        return []

    return make


def _variable(name: str, value: str) -> Callable[[Machine], list[str]]:
    def make(machine: Machine) -> list[str]:
        machine.environment[name] = value
        return []

    return make


def _program(name: str, script: str) -> Callable[[Machine], list[str]]:
    def make(machine: Machine) -> list[str]:
        program(machine.folder / "programs", name, script.format(trace=machine.folder))
        machine.environment["PATH"] += ":/usr/bin:/bin"
        for other in {"gh", "git"} - {name}:
            program(machine.folder / "programs", other, "exit 1")
        return []

    return make


def _token_file(machine: Machine) -> list[str]:
    (machine.work / "token").write_text(f"{TOKEN}\n")
    return ["--github-token", "@token"]


def _config_folder(machine: Machine) -> list[str]:
    machine.environment["XDG_CONFIG_HOME"] = str(machine.home / "config")
    return _home_file("config/git/credentials", f"https://me:{TOKEN}@github.com/\n")(machine)


PLACES: dict[str, Callable[[Machine], list[str]]] = {
    "--github-token": lambda _: ["--github-token", TOKEN],
    "--github-token @FILE": _token_file,
    "--github-token -": lambda _: ["--github-token", "-"],
    "GITHUB_TOKEN": _variable("GITHUB_TOKEN", TOKEN),
    "GH_TOKEN": _variable("GH_TOKEN", TOKEN),
    "git credentials": _home_file(
        ".git-credentials", f"https://other.example\nhttps://me:{TOKEN}@github.com\n"
    ),
    "git credentials in XDG_CONFIG_HOME": _config_folder,
    "hosts.yml": _home_file(
        ".config/gh/hosts.yml",
        f"github.com:\n    git_protocol: https\n    oauth_token: {TOKEN}\n    user: me\n",
    ),
    "gh auth token": _program("gh", GH),
    "git credential fill": _program("git", GIT),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_token_is_found_in_each_place_whatever_the_others_hold(
    registry: CratesIo, github: GitHub, machine: Machine, key: SecretKey, place: str
) -> None:
    private(registry, github, key)
    machine.environment |= {"GITHUB_TOKEN": "", "GH_TOKEN": " "}
    words = PLACES[place](machine)
    install(machine, *words, stdin=f"{TOKEN}\n" if words[-1:] == ["-"] else None)


def test_one_that_the_host_does_not_accept_is_named_and_the_next_one_is_used(
    registry: CratesIo, github: GitHub, machine: Machine, key: SecretKey
) -> None:
    private(registry, github, key)
    machine.environment |= {"GITHUB_TOKEN": OTHER, "GH_TOKEN": TOKEN}
    run = install(machine)
    assert "does not accept the token of GITHUB_TOKEN" in run.err


def test_one_that_does_not_see_the_repository_keeps_no_other_from_being_used(
    registry: CratesIo, github: GitHub, machine: Machine, key: SecretKey
) -> None:
    private(registry, github, key)
    github.tokens[OTHER] = set()
    machine.environment["GITHUB_TOKEN"] = OTHER
    PLACES["hosts.yml"](machine)
    install(machine)


@pytest.mark.parametrize(("place", "trace"), [("gh auth token", "gh"), ("git credential fill", "git")])
def test_a_program_that_knows_tokens_runs_in_an_empty_folder_without_our_variables(
    registry: CratesIo, github: GitHub, machine: Machine, key: SecretKey, place: str, trace: str
) -> None:
    private(registry, github, key)
    PLACES[place](machine)
    machine.environment |= {
        "GIT_DIR": "/evil",
        "GIT_CONFIG_COUNT": "1",
        "GIT_ASKPASS": "/evil",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "secret",
        "CARGO_REGISTRY_TOKEN": "secret",
    }
    install(machine)
    lines = (machine.folder / trace).read_text().splitlines()
    text = "\n".join(lines)
    folder = next(line for line in lines if line.startswith("/"))
    assert Path(folder).parent == machine.folder / "tmp"
    assert lines[lines.index(folder) + 1].count("=") == 1, "the folder is empty, the environment follows"
    for word in ("/evil", "GIT_DIR", "GIT_CONFIG", "secret"):
        assert word not in text
    assert list((machine.folder / "tmp").iterdir()) == []


def _sentinels(machine: Machine) -> Path:
    said = machine.folder / "asked"
    for name in ("gh", "git"):
        program(machine.folder / "programs", name, f"echo {name} >> {said}; exit 1")
    machine.environment["PATH"] += ":/usr/bin:/bin"
    return said


def test_no_program_is_run_for_a_public_repository_found_or_not(
    registry: CratesIo, github: GitHub, machine: Machine
) -> None:
    said = _sentinels(machine)
    publish_crate(registry, repository=REPOSITORY, metadata={"pkg-url": OWN_URL})
    github.release("octo", "hello", "v1.0.0", {"another": b""})
    install(machine, code=94)
    publish_crate(registry, repository=REPOSITORY)
    install(machine, code=94)
    github.release("octo", "hello", "v1.0.0", {FILE: package()})
    install(machine)
    assert not said.exists()


@pytest.mark.parametrize("how", ["option", "variable"])
def test_no_place_is_looked_into_if_the_user_says_so(
    registry: CratesIo, github: GitHub, machine: Machine, key: SecretKey, how: str
) -> None:
    said = _sentinels(machine)
    private(registry, github, key)
    PLACES["hosts.yml"](machine)
    words = ["--no-discover-github-token"] if how == "option" else []
    if not words:
        machine.environment["BINSTALL_NO_DISCOVER_GITHUB_TOKEN"] = "true"
    install(machine, *words, code=94)
    assert not said.exists()


@pytest.mark.parametrize("text", ["two words", "with\x01control", "x" * 2000, "@nowhere"])
def test_what_is_no_token_on_the_command_line_is_a_usage_error(machine: Machine, text: str) -> None:
    machine.install("hello", "--github-token", text).expect(2)


# Limits and trouble of the API.


def limited(seconds: float, *, status: int = 403, header: str = "x-ratelimit-reset") -> Answer:
    """Refuse for so long."""
    value = str(int(time.time() + seconds) if header == "x-ratelimit-reset" else int(seconds))
    return Answer(status, b"{}", {"x-ratelimit-remaining": "0", header: value})


def test_a_limit_that_ends_soon_is_waited_for_and_the_wait_is_announced(
    web: Web, registry: CratesIo, github: GitHub, machine: Machine
) -> None:
    publish_crate(registry, repository=REPOSITORY)
    github.release("octo", "hello", "v1.0.0", {FILE: package()})
    until = time.time() + 6
    github.on_api = lambda _: limited(until - time.time()) if time.time() < int(until) else None
    run = install(machine, "--maximum-resolution-timeout", "3")
    assert "api.github.com" not in run.err
    assert time.strftime("%H:%M:%S", time.localtime(int(until))) in run.err
    assert "a token in GITHUB_TOKEN lifts the limit" in run.err
    assert len(probes(web)) == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(limited(3000), id="403 until later"),
        pytest.param(limited(3000, status=429, header="retry-after"), id="429"),
        pytest.param(
            Answer(403, b'{"message": "You have exceeded a secondary rate limit"}'), id="by words alone"
        ),
    ],
)
def test_a_limit_that_lasts_leads_to_plain_requests_and_fails_no_candidate(
    web: Web, registry: CratesIo, github: GitHub, machine: Machine, answer: Answer
) -> None:
    publish_crate(registry, repository=REPOSITORY, metadata={"pkg-fmt": "tgz"})
    github.release("octo", "hello", "v1.0.0", {FILE: package()})
    # The third says nothing about its end, which is taken for a minute; a wait of 50 s before leaves too little.
    answers = iter([answer])
    github.on_api = lambda _: next(answers, answer)
    if not answer.headers:
        github.on_api = lambda _: Answer(403, answer.body, {"retry-after": "61"})
    run = install(machine)
    assert "asking for each file instead" in run.err
    assert len(lists(web)) <= 2, "what the API refused is not asked again for the next candidate"
    assert len(probes(web)) > 10


def test_a_limit_without_a_token_sends_for_one(
    web: Web, registry: CratesIo, github: GitHub, machine: Machine
) -> None:
    publish_crate(registry, repository=REPOSITORY)
    github.release("octo", "hello", "v1.0.0", {FILE: package()})
    github.tokens[TOKEN] = set()
    github.on_api = lambda asked: None if "authorization" in asked.headers else limited(3000)
    PLACES["gh auth token"](machine)
    run = install(machine)
    assert "asking for each file" not in run.err
    assert len(probes(web)) == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(501, b"no"), id="501"),
        pytest.param(Answer(200, b"<html>a page</html>"), id="a page"),
        pytest.param(Answer(200, b'{"assets": 7}'), id="another shape"),
        pytest.param(Answer(302, headers={"location": "https://elsewhere.example/"}), id="a redirect"),
        pytest.param(Answer(451, b"no"), id="451"),
        pytest.param(Answer(403, b"no"), id="403"),
    ],
)
def test_an_api_in_trouble_leads_to_plain_requests(
    web: Web, registry: CratesIo, github: GitHub, machine: Machine, answer: Answer
) -> None:
    publish_crate(registry, repository=REPOSITORY, metadata={"pkg-fmt": "tgz"})
    github.release("octo", "hello", "v1.0.0", {FILE: package()})
    github.on_api = lambda _: answer
    run = install(machine)
    assert "asking for each file instead" in run.err
    assert len(lists(web)) <= 2


def test_an_answer_that_uses_up_the_limit_is_still_an_answer(
    web: Web, registry: CratesIo, github: GitHub, machine: Machine
) -> None:
    publish_crate(registry, repository=REPOSITORY)
    github.release("octo", "hello", "v1.0.0", {FILE: package()})
    assets = json.dumps({"assets": [{"name": FILE}]}).encode()
    last = {
        "x-ratelimit-remaining": "0",
        "retry-after": "100",
        "x-ratelimit-reset": str(int(time.time()) + 3000),
    }
    github.on_api = lambda asked: Answer(200, assets, last) if asked.path.endswith("/v1.0.0") else None
    began = time.monotonic()
    install(machine)
    assert time.monotonic() - began < 30
    assert len(lists(web)) == 2


# Where a token does not go.


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/octo/hello/releases/download/v1.0.0/x.tgz",
        "https://github.com/octo/..%2F..%2Fgraphql/releases/download/v1.0.0/x.tgz",
        'https://github.com/octo/he"llo/releases/download/v1.0.0/x.tgz',
        "https://github.com/octo/hello/releases/download/v1%0A0/x.tgz",
        "https://github.com/octo/hello/releases/download/v1~0/x.tgz",
        "https://github.com/octo/hello/releases/download/v1.0.0/x.tgz?a=b",
        "https://github.com/octo/hello/archive/x.tgz",
    ],
)
def test_the_api_is_not_asked_about_what_is_no_release_of_the_host(
    web: Web, registry: CratesIo, github: GitHub, machine: Machine, url: str
) -> None:
    publish_crate(registry, metadata={"pkg-url": url, "pkg-fmt": "tgz"})
    github.tokens[TOKEN] = set()
    machine.environment["GITHUB_TOKEN"] = TOKEN
    install(machine, code=94)
    assert web.asked("api.github.com") == []


def test_an_asset_that_the_list_places_elsewhere_gets_no_token(
    web: Web, registry: CratesIo, github: GitHub, machine: Machine
) -> None:
    publish_crate(registry, repository=REPOSITORY, metadata={"pkg-url": OWN_URL})
    github.tokens[TOKEN] = set()
    nodes = [{"name": FILE, "url": "https://elsewhere.example/repos/octo/hello/releases/assets/1"}]
    release = {"releaseAssets": {"nodes": nodes, "pageInfo": {"hasNextPage": False}}}
    answer = {"data": {"repository": {"isPrivate": True, "release": release}}}
    github.on_api = lambda _: Answer(200, json.dumps(answer).encode())
    machine.environment["GITHUB_TOKEN"] = TOKEN
    install(machine, code=94)
    assert web.asked("elsewhere.example") == []


# Moved repositories and Enterprise hosts.


@pytest.mark.parametrize("metadata", [{"pkg-url": OWN_URL}, {}], ids=["own pkg-url", "default URLs"])
def test_a_repository_that_has_moved_is_followed(
    registry: CratesIo, github: GitHub, machine: Machine, metadata: dict[str, object]
) -> None:
    publish_crate(registry, repository="https://github.com/old/name", metadata=metadata)
    github.release("octo", "hello", "v1.0.0", {FILE: package()})
    github.release("old", "name", "x", {}).moved_to = ("octo", "hello")
    install(machine)


@pytest.mark.parametrize("members_only", [False, True], ids=["open", "members only"])
@pytest.mark.parametrize("pkg_url", [OWN_URL, None], ids=["own pkg-url", "default URLs"])
def test_an_enterprise_host_is_asked_by_its_own_api_with_its_own_token(
    web: Web, registry: CratesIo, machine: Machine, key: SecretKey, pkg_url: str | None, members_only: bool
) -> None:
    host = GitHub(web, ENTERPRISE, members_only=members_only)
    metadata: dict[str, object] = {"signing": signing_table(key)}
    if pkg_url is not None:
        metadata["pkg-url"] = pkg_url
    publish_crate(registry, repository=f"https://{ENTERPRISE}/octo/hello.git", metadata=metadata)
    data = package()
    host.release("octo", "hello", "v1.0.0", {FILE: data, f"{FILE}.sig": signature(data, key, FILE)})
    host.repos["octo", "hello"].private = not members_only
    host.tokens[OTHER] = {("octo", "hello")}
    machine.environment |= {
        "BINSTALL_GITHUB_HOSTS": ENTERPRISE,
        "GITHUB_TOKEN": TOKEN,
        "GH_ENTERPRISE_TOKEN": OTHER,
    }
    install(machine)
    assert host.leaks == []
    with_token = {
        (name, each.headers["authorization"]) for name, each in web.log if "authorization" in each.headers
    }
    assert with_token == {(ENTERPRISE, f"Bearer {OTHER}")}
