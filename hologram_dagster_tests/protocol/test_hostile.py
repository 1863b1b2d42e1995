"""Whatever comes in, a decoder answers with a value or a FormatError, and a check with yes or no."""

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol import bhic, c768, cef, ctp96, exclusion, hmacs, ledger_proofs, merkle, uorid
from hologram_dagster.protocol.atlas import encode
from hologram_dagster.protocol.boundary_proof import boundary_holds
from hologram_dagster.protocol.bridge import COMMANDS, answer
from hologram_dagster.protocol.byte_arrays import guess_parts, read_byte_array
from hologram_dagster.protocol.ledger_entry import LedgerError, parse
from hologram_dagster.protocol.state_json import MAX_TEXT, read_state
from hologram_dagster.protocol.strict_json import parse_json
from hologram_dagster.protocol.witnesses import witnesses_hold
from hologram_dagster_tests.protocol.json_values import values

pytestmark = [pytest.mark.phase2_5_hardening, pytest.mark.phase7_security]

CONTAINER = cef.encode(b"Hologram", timestamp=1)
PAIR = bhic.seal(cef.boundary_of(b"Hologram", timestamp=1), b"Hologram", timestamp=1)
STATE = encode(b"Hologram")
ROOT = merkle.root(["a", "c"])

# Lone surrogates, odd numbers, and what only Python would take for equal.
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=10,
)


def _refusal(call: Callable[[], object]) -> str:
    """Why `call` refused; empty if it did not. Any other exception passes through."""
    try:
        call()
    except FormatError as error:
        return str(error)
    return ""


@st.composite
def damaged(draw: st.DrawFn, sound: bytes) -> bytes:
    """A sound wire form with pieces cut out, doubled, swapped for others or overwritten."""
    wire = sound
    for _ in range(draw(st.integers(1, 3))):
        at, to = sorted(draw(st.tuples(st.integers(0, len(wire)), st.integers(0, len(wire)))))
        piece = draw(
            st.binary(max_size=6)
            | st.just(wire[at:to])
            | st.sampled_from([b"", b"{}", b"-1", b"1e9", b"[[["])
        )
        wire = wire[:at] + piece + wire[at if draw(st.booleans()) else to :]
    return wire


@st.composite
def altered(draw: st.DrawFn, sound: dict[str, Any]) -> Any:
    """A sound JSON object with one field replaced by anything, left out, or one too many."""
    name = draw(st.sampled_from([*sound, "more"]))
    return (
        {**sound, name: draw(anything)}
        if draw(st.booleans())
        else {k: v for k, v in sound.items() if k != name}
    )


DECODERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "cef": (cef.decode, CONTAINER),
    "bhic": (bhic.decode, PAIR),
    "json": (lambda wire: parse_json(wire, what="sample", limit=1 << 20), CONTAINER),
    "state": (lambda wire: read_state(wire.decode("latin-1")), json.dumps(STATE.tolist()[:1]).encode()),
    "uorid": (lambda wire: uorid.parse(wire.decode("latin-1")), uorid.uorid_bytes(b"x").encode()),
}


@pytest.mark.parametrize("name", DECODERS)
@given(data=st.data())
@settings(deadline=None, max_examples=150)
def test_decoders_answer_with_a_value_or_a_format_error(name: str, data: st.DataObject) -> None:
    decode, sound = DECODERS[name]
    wire = data.draw(
        st.binary(max_size=300) | damaged(sound) | values.map(lambda value: json.dumps(value).encode())
    )
    assert len(_refusal(lambda: decode(wire))) < 1000


@given(st.binary(max_size=200) | damaged(b'{"v":1,"seq":0,"prev":"","data":{}}'))
def test_a_ledger_line_is_an_entry_or_a_ledger_error(line: bytes) -> None:
    with pytest.raises(LedgerError):
        parse(line, 0)


@given(st.binary(max_size=300) | damaged(CONTAINER))
@example(b'{"boundary":{:},"bulk":{},"timestamp":1}')
@example(b'{"boundary":{},"bulk":{,:":1:},"timestamp":1}')
def test_guesses_never_fail(wire: bytes) -> None:
    guess_parts(wire)


CHECKS: dict[str, tuple[Callable[[Any], object], dict[str, Any]]] = {
    "cef proof": (
        lambda proof: cef.verify_merkle("0" * 64, proof),
        dict(cef.merkle_proof(cef.decode(CONTAINER), "bulk/0")),
    ),
    "absence": (
        # Of a tree with another number of leaves: no target is shown absent from it.
        lambda proof: exclusion.verify_absence(proof, ROOT, 3),
        dict(exclusion.prove_absence(["a", "c"], "d")),
    ),
    "delta": (lambda proof: ledger_proofs.delta_fault(proof, []) is None, {"window": {"start": 0, "end": 0}}),
    "checkpoint": (ledger_proofs.checkpoint_holds, {**ledger_proofs.checkpoint(1, ["a"]), "agg": "0" * 64}),
    "boundary": (
        lambda proof: boundary_holds(proof, 1, 2),
        {"before": "", "after": "", "domain": "boundary"},
    ),
    "witnesses": (lambda seen: witnesses_hold(seen, STATE), {"stateHash": "", "r96": 1}),
    "schedule": (lambda slots: c768.schedule_fault(slots) is None, {}),
    "alpha": (lambda tag: hmacs.alpha_holds(tag, "k", tag), {}),
    "frame": (
        lambda frame: isinstance(frame, dict) and ctp96.frame_fault(frame) is None,
        {"hash": "", "r96": 1},
    ),
    "merkle": (
        lambda step: isinstance(step, dict) and merkle.verify(step, [step], ROOT),
        {"dir": "L", "hash": ROOT},
    ),
}


@pytest.mark.parametrize("name", CHECKS)
@given(data=st.data())
@settings(deadline=None)
def test_checks_answer_no_to_whatever_is_not_sound(name: str, data: st.DataObject) -> None:
    check, sound = CHECKS[name]
    claimed = data.draw(anything | altered(sound))
    if claimed != sound:
        assert check(claimed) is False


@given(anything)
def test_what_is_no_byte_array_is_a_format_error(value: Any) -> None:
    try:
        read_byte_array(value, "sample")
    except FormatError:
        return
    assert isinstance(value, dict)


texts = (
    st.text(max_size=30)
    | anything.map(json.dumps)
    | st.sampled_from(
        ["bulk/0", "00ff", "0", "-1", "[1,2]", ROOT, CONTAINER.hex(), json.dumps(STATE.tolist())]
    )
    | st.sampled_from(
        ["1" * 5000, "[" * 5000, "[1.5]", "[true]", "NaN", "1e400", '{"a":', "\ud800", "00 11", "0x1"]
    )
)


@pytest.mark.parametrize("name", COMMANDS)
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_bridge_commands_answer_or_refuse(name: str, data: st.DataObject) -> None:
    count = len(COMMANDS[name].arguments)
    arguments = data.draw(st.lists(texts, min_size=count, max_size=count) | st.lists(texts, max_size=3))
    refusal = _refusal(lambda: json.dumps(answer([name, *arguments]), allow_nan=False))
    assert len(refusal) < 1000


@given(st.lists(texts, max_size=3))
@example([])
def test_other_commands_are_refused(call: list[str]) -> None:
    with pytest.raises(FormatError, match="command"):
        answer(call)


@pytest.mark.parametrize(
    ("decode", "text"),
    [
        (cef.decode, "[],"),
        (cef.decode, '{"":0},'),
        (bhic.decode, '{"":0},'),
        (lambda wire: read_state(wire.decode()), "9.9,"),
        (lambda wire: read_state(wire.decode()), "[],"),
        (lambda wire: read_state(wire.decode()), '"é",'),
    ],
    ids=["cef lists", "cef objects", "bhic objects", "state numbers", "state lists", "state texts"],
)
def test_memory_is_bounded(decode: Callable[[bytes], object], text: str) -> None:
    inside = text * ((3 << 20) // len(text))
    wire = f"[{inside}0]".encode()
    tracemalloc.start()
    try:
        _refusal(lambda: decode(wire))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 45 * len(wire)


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (["atlas:encode", "00" * ((16 << 20) + 1)], "limit"),
        (["atlas:verify", " " * (MAX_TEXT + 1)], "limit"),
        (["atlas:verify", "[" * 200_000], "rows"),
        (["atlas:r96", " " * ((4 << 20) + 1)], "limit"),
        (["cef:encode_hex", "00" * (cef.MAX_BULK_BYTES + 1)], "limit"),
        (["cef:decode", "00" * (cef.MAX_CONTAINER_BYTES + 1)], "limit"),
        (["cef:verify_merkle", ROOT, " " * 70_000], "limit"),
        (["cef:verify_merkle", ROOT + "00", "{}"], "limit"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else value,
)
def test_limits_of_the_bridge(call: list[str], why: str) -> None:
    with pytest.raises(FormatError, match=why):
        answer(call)
