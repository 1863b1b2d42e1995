"""Options: what is not honoured is refused by name, never ignored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from hologram_dagster.ipfs.rpc.content import ADD, CAT
from hologram_dagster.ipfs.rpc.faults import RequestError
from hologram_dagster.ipfs.rpc.options import DEFAULT_TIMEOUT_S, Grammar

pytestmark = pytest.mark.phase4_network


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("pin=false", "pin"),
        ("cid-version=2", "cid-version"),
        ("chunker=rabin", "chunker"),
        ("trickle=true", "trickle"),
        ("nocopy", "nocopy"),
        ("only-hash=1", "only-hash"),
        ("to-files=/x", "to-files"),
        ("shard-split-threshold=9", "shard-split-threshold"),
        ("encoding=xml", "encoding"),
        ("pin=true&pin=true", "pin"),
    ],
)
def test_refused_options_are_named(query: str, named: str) -> None:
    with pytest.raises(RequestError, match=f"'{named}'"):
        ADD.parse(QueryParams(query))


@pytest.mark.parametrize(
    "query",
    [
        "",
        "pin=true&cid-version=0&raw-leaves=false&chunker=size-262144&stream-channels=true",
        "pin=1&progress=F&trickle=0&wrap-with-directory=false&hash=sha2-256&inline-limit=32",
        "cid-version=1&pin",
    ],
)
def test_options_equal_to_what_the_node_does_are_taken(query: str) -> None:
    assert ADD.parse(QueryParams(query)).args == ()


def test_arguments_are_counted() -> None:
    with pytest.raises(RequestError, match="'ipfs-path' is required"):
        CAT.parse(QueryParams(""))
    with pytest.raises(RequestError, match="2 given"):
        CAT.parse(QueryParams("arg=a&arg=b"))


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10), ("1m30s", 90), ("500ms", 0.5), ("1h", 3600), ("2.5s", 2.5)]
)
def test_durations_are_read_as_go_writes_them(text: str, seconds: float) -> None:
    assert CAT.parse(QueryParams(f"arg=x&timeout={text}")).timeout_s == pytest.approx(seconds)


@given(st.text(max_size=8).filter(lambda text: not text.endswith(("s", "m", "h"))))
def test_other_durations_are_refused(text: str) -> None:
    call = CAT.parse(QueryParams([("arg", "x"), ("timeout", text)]))
    with pytest.raises(RequestError, match="'timeout' must be a duration"):
        _ = call.timeout_s


def test_defaults() -> None:
    call = Grammar().parse(QueryParams(""))
    assert call.timeout_s == DEFAULT_TIMEOUT_S
    assert call.number("offset") is None
    assert call.flag("offline") is False
    with pytest.raises(RequestError, match="'offset' must be a natural number"):
        CAT.parse(QueryParams("arg=x&offset=-1")).number("offset")
