from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binstall.errors import ConfigError
from binstall.formats.credential_protocol import parse_answer, request_line
from binstall.limits import MAX_PROVIDER_ANSWER_BYTES

HELLO = b'{"v":[1]}\n'
GOOD = HELLO + b'{"Ok":{"kind":"get","token":"secret","cache":"session","operation_independent":true}}\n'
# As cargo's own crate for providers writes them.
NOT_FOUND = HELLO + b'{"Err":{"kind":"not-found"}}\n'
OTHER = HELLO + b'{"Err":{"kind":"other","message":"locked","caused-by":["no agent","no socket"]}}\n'


def test_the_question_is_one_line_of_json_as_cargo_asks_it() -> None:
    line = request_line(
        "sparse+https://reg.example/index/", "mine", "Cargo login_url=x", ["--account", "é\n"]
    )
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "v": 1,
        "kind": "get",
        "operation": "read",
        "registry": {
            "index-url": "sparse+https://reg.example/index/",
            "name": "mine",
            "headers": ["www-authenticate: Cargo login_url=x"],
        },
        "args": ["--account", "é\n"],
    }
    short = json.loads(request_line("https://reg.example/index", None, "", []))
    assert short["registry"] == {"index-url": "https://reg.example/index"}
    assert "args" not in short


def test_a_token_is_read_whatever_may_be_kept_of_it() -> None:
    assert parse_answer(GOOD, "it") == "secret"
    expires = (
        b'{"Ok":{"kind":"get","token":"t","cache":"expires","expiration":1,"operation_independent":false}}'
    )
    assert parse_answer(b'{"v":[2,1],"new":1}\r\n' + expires, "it") == "t"


@pytest.mark.parametrize("kind", ["not-found", "url-not-supported"])
def test_a_provider_without_a_token_for_this_registry_leaves_it_to_the_next(kind: str) -> None:
    assert parse_answer(HELLO + json.dumps({"Err": {"kind": kind}}).encode(), "it") is None


@pytest.mark.parametrize(
    ("output", "says"),
    [
        pytest.param(OTHER, "failed: locked: no agent: no socket", id="other"),
        pytest.param(
            HELLO + b'{"Err":{"kind":"operation-not-supported"}}', "operation-not", id="operation"
        ),
        pytest.param(HELLO + b'{"Err":{"kind":"a new one"}}', "failed: a new one", id="unknown"),
        pytest.param(HELLO + b'{"Err":{}}', "failed: None", id="no kind"),
        pytest.param(b"", "printed nothing", id="nothing"),
        pytest.param(b"secret\n", "ended without an answer", id="a token alone"),
        pytest.param(HELLO, "ended without an answer", id="hello alone"),
        pytest.param(b'{"v":[2]}\n' + GOOD[len(HELLO) :], "version 1", id="version"),
        pytest.param(b'{"v":1}\n' + GOOD[len(HELLO) :], "version 1", id="no list"),
        pytest.param(b"[]\n" + GOOD[len(HELLO) :], "its hello is no JSON", id="hello"),
        pytest.param(HELLO + b"secret", "its answer is no JSON", id="answer"),
        pytest.param(HELLO + b'{"token":"secret"}', "neither Ok nor Err", id="unwrapped"),
        pytest.param(HELLO + b'{"Ok":{"kind":"login"}}', "no token", id="login"),
        pytest.param(HELLO + b'{"Ok":{"kind":"get","token":1}}', "no token", id="number"),
        pytest.param(HELLO + b"[" * 100_00, "no JSON object", id="depth"),
        pytest.param(b"\xff\n\xff\n", "no JSON object", id="bytes"),
        pytest.param(b" " * (MAX_PROVIDER_ANSWER_BYTES + 1), "MAX_PROVIDER_ANSWER_BYTES", id="size"),
    ],
)
def test_anything_else_is_an_error_that_shows_no_token(output: bytes, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        parse_answer(output, "the provider `x`")
    assert "the provider `x`" in str(caught.value)
    assert "secret" not in str(caught.value)


def check(output: bytes) -> None:
    try:
        found = parse_answer(output, "it")
    except ConfigError:
        return
    assert found is None or isinstance(found, str)


@settings(max_examples=1000, deadline=None)
@given(
    st.sampled_from([GOOD, NOT_FOUND, OTHER]),
    st.lists(st.tuples(st.integers(0, 99), st.binary(max_size=5))),
)
def test_a_mutated_answer_is_read_or_refused(output: bytes, changes: list[tuple[int, bytes]]) -> None:
    for at, piece in changes:
        output = output[:at] + piece + output[at + 2 :]
    check(output)


@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda data: HELLO + data))
def test_any_answer_is_read_or_refused(output: bytes) -> None:
    check(output)
