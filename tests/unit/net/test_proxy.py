from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import ConfigError
from binstall.net.proxy import NO_PROXIES, find_proxies


def chosen(environment: dict[str, str], cargo: str | None = None) -> tuple[str | None, str | None]:
    """The proxies for https and for http."""
    proxies = find_proxies(environment, cargo)
    https, http = proxies.for_url("https", "host.example", 443), proxies.for_url("http", "host.example", 80)
    return (https.url if https else None), (http.url if http else None)


@pytest.mark.parametrize(
    ("environment", "cargo", "https", "http"),
    [
        pytest.param({}, None, None, None, id="none"),
        pytest.param({"HTTPS_PROXY": "a:1"}, None, "http://a:1", None, id="https only"),
        pytest.param({"HTTP_PROXY": "a:1"}, None, None, "http://a:1", id="http only"),
        pytest.param({"ALL_PROXY": "a:1"}, None, "http://a:1", "http://a:1", id="all"),
        pytest.param(
            {"all_proxy": "a:1", "https_proxy": "b:2"}, None, "http://b:2", "http://a:1", id="rest"
        ),
        pytest.param(
            {"https_proxy": "a:1", "HTTPS_PROXY": "b:2"}, None, "http://a:1", None, id="lower first"
        ),
        pytest.param(
            {"https_proxy": "", "HTTPS_PROXY": "b:2"}, None, "http://b:2", None, id="empty is none"
        ),
        pytest.param({"HTTP_PROXY": "a:1", "REQUEST_METHOD": "GET"}, None, None, None, id="CGI"),
        pytest.param(
            {"http_proxy": "a:1", "REQUEST_METHOD": ""}, None, None, "http://a:1", id="CGI, lower"
        ),
        pytest.param({"HTTPS_PROXY": "a:1"}, "c:3", "http://c:3", "http://c:3", id="cargo first"),
        pytest.param({"CARGO_HTTP_PROXY": "d:4"}, "c:3", "http://d:4", "http://d:4", id="cargo's variable"),
        pytest.param({"CARGO_HTTP_PROXY": ""}, " ", None, None, id="empty cargo"),
    ],
)
def test_the_proxy_is_the_one_that_curl_and_cargo_would_take(
    environment: dict[str, str], cargo: str | None, https: str | None, http: str | None
) -> None:
    assert chosen(environment, cargo) == (https, http)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("proxy", "http://proxy:80"),
        ("proxy:3128", "http://proxy:3128"),
        ("http://proxy:3128/", "http://proxy:3128"),
        ("HTTPS://Proxy", "https://proxy:443"),
        ("socks5://proxy", "socks5://proxy:1080"),
        ("socks5h://[::1]:9", "socks5h://[::1]:9"),
        ("u:p@proxy:1", "http://proxy:1"),
        (" proxy:1 ", "http://proxy:1"),
    ],
)
def test_a_proxy_is_read_in_every_usual_form(text: str, url: str) -> None:
    assert chosen({"ALL_PROXY": text}) == (url, url)


@pytest.mark.parametrize(
    "text",
    [
        "ftp://hunter2@proxy",
        "http://",
        "http://u:hunter2@",
        "http://u:hunter2@proxy:port",
        "http://u:hunter2@proxy:99999",
        "http://u:hunter2@proxy:0",
        "http://u:hunter2#x@proxy",
        "http://u:hunter2@proxy/path",
        "http://proxy?hunter2",
        "http://pro xy",
        "http://u:hunter2@[::1",
        "http://u:hunter2ä@proxy",
        "http://u:hunter2@proxy\r\nX: y",
        "http://" + "x" * 9000,
    ],
)
def test_what_is_no_proxy_is_an_error_that_keeps_its_secrets(text: str) -> None:
    with pytest.raises(ConfigError, match="HTTPS_PROXY") as caught:
        find_proxies({"HTTPS_PROXY": text})
    assert "hunter2" not in caught.value.message + (caught.value.hint or "")


def test_credentials_are_decoded_and_are_in_no_text() -> None:
    proxies = find_proxies({}, "http://us%40er:hunter%202@proxy:1")
    proxy = proxies.for_url("https", "host", 443)
    assert proxy is not None
    assert (proxy.user, proxy.password) == ("us@er", "hunter 2")
    for text in (str(proxy), repr(proxy), repr(proxies), proxy.url):
        assert "hunter" not in text
        assert "us" not in text.replace("cargo's", "")
    assert str(proxy) == "http://proxy:1 (http.proxy of cargo's configuration)"


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "direct"),
    [
        ("*", "host.example", 443, True),
        ("example", "host.example", 443, True),
        ("example", "notexample", 443, False),
        ("host.example", "host.example", 443, True),
        ("host.example", "a.host.example", 443, True),
        (".host.example", "host.example", 443, True),
        ("*.host.example", "a.host.example", 443, True),
        ("HOST.Example.", "host.example.", 443, True),
        ("other,host.example", "host.example", 443, True),
        ("other host.example", "host.example", 443, True),
        (" , ,", "host.example", 443, False),
        ("host.example:443", "host.example", 443, True),
        ("host.example:444", "host.example", 443, False),
        ("127.0.0.1", "127.0.0.1", 1, True),
        ("127.0.0.1:2", "127.0.0.1", 1, False),
        ("127.0.0.0/8", "127.9.9.9", 1, True),
        ("10.0.0.0/8", "127.0.0.1", 1, False),
        ("0.1", "127.0.0.1", 1, False),
        ("127.0.0.0/99", "127.0.0.1", 1, False),
        ("::1", "[::1]", 1, True),
        ("[::1]", "[::1]", 1, True),
        ("[::1]:1", "[::1]", 1, True),
        ("[::1]:2", "[::1]", 1, False),
        ("fe80::/10", "[fe80::1]", 1, True),
        ("0:0:0:0:0:0:0:1", "[::1]", 1, True),
        ("10.0.0.0/8", "10.example", 1, False),
    ],
)
def test_hosts_of_no_proxy_are_asked_directly(no_proxy: str, host: str, port: int, direct: bool) -> None:
    proxies = find_proxies({"ALL_PROXY": "proxy:1", "NO_PROXY": no_proxy})
    assert (proxies.for_url("https", host, port) is None) is direct


def test_no_proxy_holds_for_the_proxy_of_cargo_and_in_lower_case_first() -> None:
    environment = {"no_proxy": "host", "NO_PROXY": "other"}
    assert find_proxies(environment, "proxy:1").for_url("https", "host", 443) is None
    assert find_proxies(environment, "proxy:1").for_url("https", "other", 443) is not None
    assert NO_PROXIES.for_url("https", "host", 443) is None


@settings(max_examples=1000, deadline=None)
@given(
    text=st.one_of(
        st.text(),
        st.from_regex(r"(https?|socks5)://([a-z%0-9@:]*@)?[a-z0-9.\[\]:]*(:[0-9]*)?/?", fullmatch=True),
    ),
    no_proxy=st.one_of(st.text(), st.from_regex(r"[0-9a-f.:/\[\]*,]*", fullmatch=True)),
    host=st.one_of(st.text(), st.ip_addresses().map(str)),
)
def test_any_text_is_a_proxy_or_the_one_error(text: str, no_proxy: str, host: str) -> None:
    try:
        proxies = find_proxies({"ALL_PROXY": text, "NO_PROXY": no_proxy})
    except ConfigError:
        proxies = find_proxies({"ALL_PROXY": "proxy:1", "NO_PROXY": no_proxy})
    proxy = proxies.for_url("https", host, 443)
    assert proxy is None or proxy.host
