from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from binstall.errors import ConfigError
from binstall.limits import MAX_ROOT_CERTIFICATES_BYTES
from binstall.net.tls import find_trusted_roots, process_environment_of
from support_net import Authority


@pytest.fixture(scope="module")
def other() -> Iterator[Authority]:
    with Authority("Other") as made:
        yield made


def test_without_any_wish_the_systems_store_is_trusted() -> None:
    roots = find_trusted_roots([], {"SSL_CERT_FILE": "", "SSL_CERT_DIR": "", "CARGO_HTTP_CAINFO": ""})
    assert (roots.added, roots.store_file, roots.store_folders) == ((), None, None)
    assert str(roots) == "the system's store"


def test_a_file_may_hold_several_certificates_in_pem_with_text_around_them(
    tmp_path: Path, authority: Authority, other: Authority
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(
        b"Some words\n" + authority.pem + b"\r\n# more\n" + other.pem.replace(b"\n", b"\r\n")
    )
    assert find_trusted_roots([bundle], {}).added == (authority.der, other.der)


def test_a_file_may_hold_one_certificate_in_der(tmp_path: Path, authority: Authority) -> None:
    file = tmp_path / "ca.der"
    file.write_bytes(authority.der)
    assert find_trusted_roots([file], {}).added == (authority.der,)


def test_the_same_certificate_counts_once(authority: Authority) -> None:
    assert len(find_trusted_roots([authority.pem_path] * 2, {}).added) == 1


def test_options_hide_their_variable_and_variables_their_configuration(
    tmp_path: Path, authority: Authority
) -> None:
    absent, here = tmp_path / "absent", authority.pem_path
    roots = find_trusted_roots(
        [here], {"BINSTALL_HTTPS_ROOT_CERTS": str(absent), "CARGO_HTTP_CAINFO": str(here)}, absent
    )
    assert roots.sources == (
        "the system's store",
        f"{here} (--root-certificates)",
        f"{here} (CARGO_HTTP_CAINFO)",
    )
    roots = find_trusted_roots([], {"BINSTALL_HTTPS_ROOT_CERTS": str(here)}, here)
    assert str(roots).endswith(
        f"{here} (BINSTALL_HTTPS_ROOT_CERTS) and {here} (http.cainfo of cargo's configuration)"
    )


def test_ssl_cert_file_and_dir_stand_in_place_of_the_systems_store(
    tmp_path: Path, authority: Authority
) -> None:
    environment = {"SSL_CERT_FILE": str(authority.pem_path), "SSL_CERT_DIR": str(tmp_path)}
    roots = find_trusted_roots([], environment, platform="linux")
    assert (roots.store_file, roots.store_folders) == (str(authority.pem_path), str(tmp_path))
    assert roots.added == ()
    assert "system" not in str(roots)


def test_where_the_system_judges_ssl_cert_file_is_added(authority: Authority) -> None:
    roots = find_trusted_roots([], {"SSL_CERT_FILE": str(authority.pem_path)}, platform="darwin")
    assert roots.added == (authority.der,)
    assert "system" in str(roots)


BROKEN = [
    pytest.param(b"", id="empty"),
    pytest.param(b"no certificate\n", id="text"),
    pytest.param(b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n", id="no base64"),
    pytest.param(b"-----BEGIN CERTIFICATE-----\nAAAA\n", id="cut"),
    pytest.param(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", id="a key"),
    pytest.param(b"x" * (MAX_ROOT_CERTIFICATES_BYTES + 1), id="too long"),
]
NAMES = [
    "--root-certificates",
    "BINSTALL_HTTPS_ROOT_CERTS",
    "CARGO_HTTP_CAINFO",
    "SSL_CERT_FILE",
    "http.cainfo",
]


def find(name: str, path: Path) -> None:
    find_trusted_roots(
        [path] if name.startswith("--") else [],
        {name: str(path)},
        path if name == "http.cainfo" else None,
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", BROKEN)
def test_a_file_that_holds_no_certificate_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        find(name, path)
    assert str(path) in caught.value.message
    assert name in caught.value.message


@pytest.mark.parametrize("name", [name for name in NAMES if name != "SSL_CERT_FILE"])
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\x30\x82junk", id="DER"),
        pytest.param(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", id="PEM"),
    ],
)
def test_a_broken_certificate_is_no_certificate(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="broken certificate"):
        find(name, path)


@pytest.mark.parametrize("name", [*NAMES, "SSL_CERT_DIR"])
@pytest.mark.parametrize("path", ["absent", ".", "a\0b"])
def test_a_path_that_cannot_be_read_is_named(tmp_path: Path, name: str, path: str) -> None:
    if (name, path) == ("SSL_CERT_DIR", "."):
        find_trusted_roots([], {name: str(tmp_path)})
        return
    with pytest.raises(ConfigError, match=name):
        find(name, tmp_path / path)


@pytest.mark.parametrize("before", [{}, {"SSL_CERT_FILE": "/f", "SSL_CERT_DIR": "/d"}])
def test_the_process_environment_is_as_before_afterwards(
    monkeypatch: pytest.MonkeyPatch, before: dict[str, str], authority: Authority
) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    roots = find_trusted_roots([], {"SSL_CERT_FILE": str(authority.pem_path)})
    with pytest.raises(KeyError), process_environment_of(roots):
        assert os.environ["SSL_CERT_FILE"] == str(authority.pem_path)
        assert "SSL_CERT_DIR" not in os.environ
        raise KeyError
    assert {name: os.environ[name] for name in os.environ if name.startswith("SSL_CERT_")} == before


ANY_SETTINGS = settings(
    max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@ANY_SETTINGS
@given(data=st.binary())
def test_random_bytes_are_certificates_or_the_one_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(data)
    try:
        find_trusted_roots([path], {})
    except ConfigError as error:
        assert str(path) in error.message


@ANY_SETTINGS
@given(data=st.data())
def test_mutated_certificates_are_certificates_or_the_one_error(
    tmp_path: Path, authority: Authority, data: st.DataObject
) -> None:
    content = bytearray(data.draw(st.sampled_from([authority.pem, authority.der])))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    path = tmp_path / "ca.pem"
    path.write_bytes(content)
    try:
        find_trusted_roots([path], {})
    except ConfigError as error:
        assert str(path) in error.message
