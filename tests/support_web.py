"""The web as a test wants it: real host names behind one CONNECT proxy, with certificates of a test authority.

    with Web(["github.com", "api.github.com"]) as web:
        web.sites["github.com"] = lambda asked: Answer(body=b"hello")
        web.environment     # the variables that send a program there
        web.asked("github.com")

`GitHub` answers for a GitHub host, its API and its object store, and keeps books about tokens: whichever of
its hosts is sent a token that it must not get fails the test at the end.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, unquote

from binstall.hosting.packing import build_crate
from binstall.hosting.static_registry import PublishedCrate, publish
from support_net import Answer, Asked, Authority, ConnectProxy, Server

Site = Callable[[Asked], Answer]
NOTHING = Answer(404, b"nothing here")
CRATES_IO = ("index.crates.io", "static.crates.io")
GITHUB = ("github.com", "api.github.com", "objects.githubusercontent.com")


class _Server(Server):
    """One server for all hosts, which it tells apart by the Host header."""

    def __init__(self, authority: Authority, web: Web) -> None:
        super().__init__(authority)
        self._web = web

    def answer_for(self, asked: Asked) -> Answer:
        host = asked.headers.get("host", "")
        with self._web.lock:
            self._web.log.append((host, asked))
        site = self._web.sites.get(host)
        return NOTHING if site is None else site(asked)


class Web:
    """Hosts, the server behind them, and the proxy before them."""

    def __init__(self, hosts: Iterable[str]) -> None:
        names = list(hosts)
        self.authority = Authority(hosts=names)
        self.sites: dict[str, Site] = {}
        self.log: list[tuple[str, Asked]] = []
        self.lock = threading.Lock()
        self._server = _Server(self.authority, self)
        place = f"127.0.0.1:{self._server.port}"
        self.proxy = ConnectProxy(names=dict.fromkeys(names, place))

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to reach these hosts and trust them."""
        return {
            "HTTPS_PROXY": f"http://{self.proxy.address}",
            "BINSTALL_HTTPS_ROOT_CERTS": str(self.authority.pem_path),
        }

    def asked(self, host: str, method: str | None = None) -> list[Asked]:
        """Return what a host was asked, in order."""
        with self.lock:
            return [each for name, each in self.log if name == host and method in (None, each.method)]

    def forget(self) -> None:
        """Begin an empty log."""
        with self.lock:
            self.log.clear()

    def __enter__(self) -> Self:
        self._server.__enter__()
        self.proxy.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.proxy.__exit__()
        self._server.__exit__(kind, error, trace)
        self.authority.__exit__()


class CratesIo:
    """crates.io's two hosts on a `Web`."""

    def __init__(self, web: Web) -> None:
        self._crates: dict[str, PublishedCrate] = {}
        self._files: dict[str, bytes] = {}
        for host in CRATES_IO:
            web.sites[host] = self._answer

    def publish(self, manifest: str, name: str, version: str, files: Mapping[str, bytes]) -> None:
        """Publish one version of a crate."""
        self._crates[name] = PublishedCrate(name, version, build_crate(manifest, files))
        self._files = publish("https://static.crates.io", self._crates.values())

    def _answer(self, asked: Asked) -> Answer:
        prefix = "/index" if asked.headers["host"] == CRATES_IO[0] else ""
        body = self._files.get(prefix + asked.path)
        return NOTHING if body is None else Answer(body=body)


@dataclass
class Repo:
    """One repository."""

    private: bool = False
    releases: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Tag to file names to contents."""
    moved_to: tuple[str, str] | None = None


class GitHub:
    """A GitHub host on a `Web`: pages, downloads, API and object store."""

    def __init__(self, web: Web, host: str = "github.com", *, members_only: bool = False) -> None:
        """`members_only` shows strangers nothing but a login page, as Enterprise hosts do."""
        public = host == "github.com"
        self.host = host
        self.api_host = "api.github.com" if public else host
        self.api_root = "" if public else "/api/v3"
        self.graphql_path = "/graphql" if public else "/api/graphql"
        self.store = "objects.githubusercontent.com" if public else f"media.{host}"
        self.repos: dict[tuple[str, str], Repo] = {}
        self.tokens: dict[str, set[tuple[str, str]]] = {}
        """Token to the private repositories that it may see."""
        self.members_only = members_only
        self.on_api: Callable[[Asked], Answer | None] = lambda _: None
        """Asked first for each question to the API."""
        self.leaks: list[str] = []
        """Hosts that were sent a token, and questions that should not have been asked so."""
        web.sites[host] = self._page if public else self._either
        web.sites[self.api_host] = self._api if public else self._either
        web.sites[self.store] = self._stored

    def release(self, owner: str, repo: str, tag: str, files: Mapping[str, bytes]) -> Repo:
        """Put files into a release."""
        found = self.repos.setdefault((owner, repo), Repo())
        found.releases.setdefault(tag, {}).update(files)
        return found

    def _either(self, asked: Asked) -> Answer:
        return self._api(asked) if asked.path.startswith("/api/") else self._page(asked)

    def _page(self, asked: Asked) -> Answer:
        self._must_be_without_token(asked)
        words = [unquote(word) for word in asked.path.partition("?")[0].split("/")[1:]]
        if words == ["login"]:
            return Answer(body=b"<html>say who you are</html>", headers={"content-type": "text/html"})
        if self.members_only:
            return Answer(302, headers={"location": f"https://{self.host}/login"})
        repo = self.repos.get((words[0], words[1])) if len(words) > 1 else None
        if repo is not None and repo.moved_to is not None:
            rest = "/".join(quote(word) for word in words[2:])
            place = "/".join(repo.moved_to)
            return Answer(301, headers={"location": f"https://{self.host}/{place}/{rest}".rstrip("/")})
        if repo is None or repo.private:
            return NOTHING
        if len(words) == 2:
            return Answer(body=b"<html>a repository</html>")
        if words[2:4] != ["releases", "download"]:
            return NOTHING
        tag, name = "/".join(words[4:-1]), words[-1]
        if name not in repo.releases.get(tag, {}):
            return NOTHING
        return self._to_store(words[0], words[1], tag, name)

    def _to_store(self, owner: str, repo: str, tag: str, name: str) -> Answer:
        path = "/".join(quote(word, safe="") for word in (owner, repo, tag, name))
        return Answer(302, headers={"location": f"https://{self.store}/{path}?signature=secret"})

    def _stored(self, asked: Asked) -> Answer:
        self._must_be_without_token(asked)
        path, _, query = asked.path.partition("?")
        if (
            query != "signature=secret" or asked.method == "HEAD"
        ):  # signed for GET alone, as the real ones are
            return Answer(403, b"not signed for that")
        owner, repo, tag, name = (unquote(word) for word in path.split("/")[1:])
        return Answer(body=self.repos[owner, repo].releases[tag][name])

    def _must_be_without_token(self, asked: Asked) -> None:
        if "authorization" in asked.headers:
            self.leaks.append(asked.headers["host"])

    def _api(self, asked: Asked) -> Answer:
        early = self.on_api(asked)
        if early is not None:
            return early
        sent = asked.headers.get("authorization")
        token = sent.removeprefix("Bearer ") if sent else None
        if token is not None and token not in self.tokens:
            return _json({"message": "Bad credentials"}, 401)
        if token is None and self.members_only:
            return _json({"message": "Requires authentication"}, 401)
        if asked.path == self.graphql_path:
            return self._graphql(asked, token)
        words = [unquote(word) for word in asked.path.removeprefix(self.api_root).split("/")[1:]]
        if words[:1] != ["repos"] or len(words) < 6 or words[3] != "releases":
            return _json({"message": "Not Found"}, 404)
        owner, name = words[1], words[2]
        repo = self._visible(owner, name, token)
        if repo is None:
            return _json({"message": "Not Found"}, 404)
        if words[4] == "tags":
            files = repo.releases.get(words[5])
            if files is None:
                return _json({"message": "Not Found"}, 404)
            return _json({"tag_name": words[5], "assets": self._assets(owner, name, words[5])})
        tag, file = self._by_id(repo, words[5])
        if asked.headers["accept"] != "application/octet-stream":
            return _json({"name": file})
        return self._to_store(owner, name, tag, file)

    def _visible(self, owner: str, name: str, token: str | None) -> Repo | None:
        repo = self.repos.get((owner, name))
        if repo is not None and repo.moved_to is not None:
            repo = self.repos[repo.moved_to]
        if repo is None or not repo.private:
            return repo
        return repo if token is not None and (owner, name) in self.tokens[token] else None

    def _assets(self, owner: str, name: str, tag: str) -> list[dict[str, Any]]:
        root = f"https://{self.api_host}{self.api_root}/repos/{owner}/{name}/releases/assets"
        repo = self.repos[owner, name]
        if repo.moved_to is not None:
            repo = self.repos[repo.moved_to]
        return [
            {"name": file, "url": f"{root}/{_asset_id(tag, file)}", "state": "uploaded"}
            for file in repo.releases[tag]
        ]

    def _by_id(self, repo: Repo, number: str) -> tuple[str, str]:
        return next(
            (tag, file)
            for tag, files in repo.releases.items()
            for file in files
            if str(_asset_id(tag, file)) == number
        )

    def _graphql(self, asked: Asked, token: str | None) -> Answer:
        question = json.loads(asked.body)
        given = question["variables"]
        if token is None or any(given[name] in question["query"] for name in ("owner", "tag")):
            self.leaks.append(asked.body.decode())
        repo = self._visible(given["owner"], given["repo"], token)
        if repo is None:
            return _json({"data": {"repository": None}, "errors": [{"type": "NOT_FOUND"}]})
        if given["tag"] not in repo.releases:
            return _json({"data": {"repository": {"isPrivate": repo.private, "release": None}}})
        assets = self._assets(given["owner"], given["repo"], given["tag"])
        start = int(given["after"] or 0)
        page = [{"name": each["name"], "url": each["url"]} for each in assets[start : start + 100]]
        info = {"endCursor": str(start + 100), "hasNextPage": start + 100 < len(assets)}
        release = {"releaseAssets": {"nodes": page, "pageInfo": info}}
        return _json({"data": {"repository": {"isPrivate": repo.private, "release": release}}})


def _json(value: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"content-type": "application/json"})


def _asset_id(tag: str, file: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{tag}/{file}".encode()).digest()[:4])


def program(folder: Path, name: str, script: str) -> None:
    """Put a shell script where PATH finds it."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
