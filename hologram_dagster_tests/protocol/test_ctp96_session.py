"""Sessions of CTP-96: the contract's codes in their order, and what strict mode adds."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.bridge import answer
from hologram_dagster.protocol.ctp96 import seal
from hologram_dagster.protocol.ctp96_frames import (
    MAX_FRAME_BYTES,
    Code,
    Kind,
    RefusedFrameError,
    data_content,
    data_frame,
    handshake_content,
    handshake_frame,
    read_frame,
    write_frame,
)
from hologram_dagster.protocol.ctp96_limits import Admission
from hologram_dagster.protocol.ctp96_session import NONCES_KEPT, Session
from hologram_dagster.protocol.ctp96_strict import StrictSession, link_of, sign_frame
from hologram_dagster.protocol.ctp96_wire import MAX_CONTENT_BYTES, deframe_bytes, frame_bytes
from hologram_dagster.protocol.nonces import STRICT_WINDOW, MemoryNonces
from hologram_dagster.protocol.signing import Signer
from hologram_dagster_tests.protocol.json_values import objects, values
from hologram_dagster_tests.protocol.test_ctp96 import DATA, OFFER

pytestmark = pytest.mark.phase4_network

AT = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
Frame = dict[str, Any]


def shake(kind: Kind, budgets: list[int] | None = None) -> Frame:
    return handshake_frame(kind, [48, 48] if budgets is None else budgets, module="core", at=AT)


def established() -> Session:
    session = Session()
    for kind in (Kind.OFFER, Kind.COUNTER, Kind.ACCEPT):
        session.receive(shake(kind))
    return session


def refusal(session: Session, frame: Frame) -> str | None:
    try:
        session.receive(frame)
    except RefusedFrameError as error:
        return str(error.code)
    return None


def test_the_recorded_frames_make_a_session() -> None:
    session = Session()
    session.receive(OFFER)
    session.receive(shake(Kind.COUNTER))
    session.receive(shake(Kind.ACCEPT))
    session.receive(DATA)
    assert session.next_seq == 4
    # What we write in their place has the same receipt and, with their nonce and time, the same bytes.
    at = datetime.fromisoformat(OFFER["ts"])
    again = handshake_content(
        Kind.OFFER, [48, 48], module=OFFER["meta"]["module"], at=at, nonce=OFFER["nonce"]
    )
    again["receipt"]["createdAt"] = OFFER["receipt"]["createdAt"]
    assert seal(again) == OFFER
    assert data_frame(3, DATA["data"], at=datetime.fromisoformat(DATA["ts"]), nonce=DATA["nonce"]) == DATA


@pytest.mark.parametrize("budgets", [[48, 48], [10, 20, 66], [96], [], [-48, 48], [95, 1]])
def test_budgets_that_sum_to_nothing_pass(budgets: list[int]) -> None:
    assert refusal(Session(), shake(Kind.OFFER, budgets)) is None


def resealed(frame: Frame, **changes: object) -> Frame:
    return seal({**frame, **changes})


def without(frame: Frame, name: str) -> Frame:
    return seal({key: value for key, value in frame.items() if key != name})


REFUSED: list[tuple[str, Callable[[], Session], Callable[[], Frame]]] = [
    ("hash_mismatch", Session, lambda: {**OFFER, "hash": "0" * 64}),
    ("r96_mismatch", Session, lambda: {**OFFER, "r96": 42}),
    ("handshake_order_error", Session, lambda: shake(Kind.COUNTER)),
    ("handshake_order_error", Session, lambda: resealed(OFFER, seq=1)),
    ("handshake_order_error", Session, lambda: resealed(OFFER, seq=False)),
    ("handshake_order_error", Session, lambda: resealed(OFFER, kind=["OFFER"])),
    ("handshake_order_error", established, lambda: resealed(OFFER, seq=3)),
    ("missing_witness", Session, lambda: without(OFFER, "receipt")),
    ("missing_witness", Session, lambda: resealed(OFFER, receipt={"ok": True})),
    ("invalid_witness", Session, lambda: resealed(OFFER, budgets=[48, 49])),
    ("invalid_witness", Session, lambda: resealed(OFFER, budgets=[48.5, 47.5])),
    ("invalid_witness", Session, lambda: resealed(OFFER, budgets=[True, 95])),
    ("witness_not_ok", Session, lambda: shake(Kind.OFFER, [1, 2, 3])),
    ("witness_not_ok", Session, lambda: resealed(OFFER, receipt={**OFFER["receipt"], "ok": 1})),
    ("data_before_accept", Session, lambda: DATA),
    ("out_of_order", established, lambda: data_frame(4, "x", at=AT)),
    ("out_of_order", established, lambda: data_frame(2, "x", at=AT)),
    ("replay_detected", Session, lambda: without(OFFER, "nonce")),
]


@pytest.mark.parametrize(("code", "session", "frame"), REFUSED)
def test_every_fault_has_its_code(
    code: str, session: Callable[[], Session], frame: Callable[[], Frame]
) -> None:
    started = session()
    before = started.next_seq
    assert refusal(started, frame()) == code
    # Nothing was recorded: the genuine frame still passes.
    assert started.next_seq == before
    assert refusal(started, data_frame(3, "x", at=AT) if before else OFFER) is None


def test_checks_come_in_the_stated_order() -> None:
    """A frame with every fault shows the first; mended one by one, the next."""
    session = established()
    used = data_frame(3, "x", at=AT)
    session.receive(used)
    all_wrong = {**used, "seq": 9, "hash": "0" * 64, "r96": 96}
    assert refusal(session, all_wrong) == "replay_detected"
    fresh = {**all_wrong, "nonce": "0" * 24}
    assert refusal(session, fresh) == "hash_mismatch"
    hashed = {**fresh, "hash": seal(fresh)["hash"]}
    assert refusal(session, hashed) == "r96_mismatch"
    assert refusal(session, seal(fresh)) == "out_of_order"
    # Of a handshake: phase before witness.
    assert refusal(Session(), resealed(shake(Kind.COUNTER, [1]), receipt=None)) == "handshake_order_error"


def test_a_replay_is_refused_however_long_ago() -> None:
    session = established()
    first = data_frame(3, "x", at=AT)
    session.receive(first)
    for seq in range(4, NONCES_KEPT + 10):
        session.receive(data_frame(seq, "x", at=AT))
    assert refusal(session, first) == "out_of_order"
    assert len(session._seen) == NONCES_KEPT


@given(objects | objects.map(lambda extra: {**OFFER, **extra}) | objects.map(lambda extra: {**DATA, **extra}))
def test_any_object_is_refused_with_a_code_or_accepted(frame: Frame) -> None:
    for session in (Session(), strict()):
        assert refusal(session, frame) in {None, *Code}
        assert refusal(session, seal(frame)) in {None, *Code}


@given(st.binary(max_size=300) | values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_frame_or_a_typed_error(data: bytes) -> None:
    try:
        frame = read_frame(data)
    except FormatError:
        return
    assert isinstance(frame, dict)
    assert deframe_bytes(data) is None


def test_what_is_too_long_or_deep_is_refused_before_it_costs() -> None:
    for wire in (b"[" * MAX_FRAME_BYTES, b"[" * 100_000, b"{" * (MAX_FRAME_BYTES + 1), b"\xff", b"[]"):
        with pytest.raises(FormatError):
            read_frame(wire)
    with pytest.raises(FormatError):
        write_frame(data_frame(3, "x" * MAX_FRAME_BYTES, at=AT))
    with pytest.raises(FormatError):
        frame_bytes(bytes(MAX_CONTENT_BYTES + 1), at=AT)
    assert deframe_bytes(frame_bytes(bytes(MAX_CONTENT_BYTES), at=AT)) == bytes(MAX_CONTENT_BYTES)


@given(st.binary(max_size=200), st.integers(0, 10_000), st.integers(1, 255))
def test_bridge_frames_come_back_and_no_changed_byte_passes(content: bytes, place: int, flips: int) -> None:
    framed = answer(["net:ctp96_roundtrip", content.hex()])
    assert framed["valid"] is True
    assert framed["recovered"] == content.hex()
    assert answer(["net:ctp96_deframe_hex", framed["frameHex"]]) == {
        "valid": True,
        "recovered": content.hex(),
    }
    wire = bytearray.fromhex(framed["frameHex"])
    wire[place % len(wire)] ^= flips
    try:
        changed = answer(["net:ctp96_deframe_hex", wire.hex()])
    except FormatError:
        return
    assert changed == {"valid": False, "recovered": ""}


def test_an_unsealed_comment_or_field_does_not_pass() -> None:
    wire = frame_bytes(b"hello", at=AT)
    assert deframe_bytes(wire[:-1] + b',"$comment":"x"}') is None
    assert deframe_bytes(b" " + wire) is None


# Limits ----------------------------------------------------------------------------------------


class Clock:
    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def admitted(admission: Admission, peer: str) -> str | None:
    try:
        admission.admit(peer)
    except RefusedFrameError as error:
        return str(error.code)
    return None


def test_a_flood_is_limited_and_others_still_pass() -> None:
    clock = Clock()
    admission = Admission(10, 20, clock=clock)
    seen = [admitted(admission, "flood") for _ in range(4096)]
    assert seen.count(None) == 20
    assert set(seen[20:]) == {"rate_limit_exceeded"}
    assert admitted(admission, "honest") is None
    clock.now += 1
    assert [admitted(admission, "flood") for _ in range(11)].count(None) == 10
    clock.now -= 100
    assert admitted(admission, "flood") == "rate_limit_exceeded"


def test_who_misbehaves_is_quarantined_and_let_out() -> None:
    clock = Clock()
    admission = Admission(1000, 1000, strikes=3, quarantine_s=60, clock=clock)
    for _ in range(2):
        admission.refused("odd")
    admission.accepted("odd")
    admission.refused("odd")
    assert admitted(admission, "odd") is None
    admission.refused("odd")
    admission.refused("odd")
    assert admitted(admission, "odd") == "quarantined"
    assert admitted(admission, "honest") is None
    clock.now += 60
    assert admitted(admission, "odd") is None


def test_peers_are_remembered_within_bounds() -> None:
    admission = Admission(1, 1, max_peers=100, clock=Clock())
    for number in range(1000):
        admission.admit(str(number))
    assert len(admission._peers) == 100
    assert admitted(admission, "999") == "rate_limit_exceeded"


# Strict mode -----------------------------------------------------------------------------------

ALICE, BOB, EVE = (Signer(Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)) for n in (1, 2, 3))
BOTH = {ALICE.public_hex, BOB.key_id}


def strict(
    nonces: MemoryNonces | None = None, *, max_frames: int = 100, max_bytes: int = 1 << 20
) -> StrictSession:
    table = MemoryNonces(STRICT_WINDOW) if nonces is None else nonces
    return StrictSession(table, trusted=BOTH, clock=AT.timestamp, max_frames=max_frames, max_bytes=max_bytes)


def strict_frames(b1: int = 40, b2: int = 56, count: int = 2, at: datetime = AT) -> list[Frame]:
    def content(kind: Kind, budgets: list[int]) -> Frame:
        return handshake_content(kind, budgets, module="core", at=at)

    frames = [sign_frame(content(Kind.OFFER, [48, 48]), ALICE, prev=None, budget=b1)]
    frames.append(sign_frame(content(Kind.COUNTER, [96]), BOB, prev=frames[-1], budget=b2))
    frames.append(sign_frame(content(Kind.ACCEPT, [b1, b2]), ALICE, prev=frames[-1], budget=0))
    for number in range(count):
        said = data_content(3 + number, {"list": [1, 2, number]}, at=at)
        frames.append(sign_frame(said, (ALICE, BOB)[number % 2], prev=frames[-1]))
    return frames


def codes(session: Session, frames: list[Frame]) -> list[str | None]:
    return [refusal(session, frame) for frame in frames]


def test_an_honest_strict_session_passes_and_is_one_of_the_contract_too() -> None:
    frames = [read_frame(write_frame(frame)) for frame in strict_frames()]
    assert codes(strict(), frames) == [None] * 5
    assert codes(Session(), frames) == [None] * 5


def test_a_reordered_array_passes_the_contract_but_not_strict_mode() -> None:
    *before, last = strict_frames()
    reordered = {**last, "data": {"list": [2, 1, 1]}}
    assert seal(reordered) == reordered
    session = strict()
    assert codes(session, before) == [None] * 4
    assert refusal(session, reordered) == "bad_signature"
    assert refusal(session, {**last, "$comment": "not hashed"}) == "malformed"
    assert refusal(session, last) is None


@pytest.mark.parametrize(("b1", "b2"), [(40, 57), (0, 1), (95, 95)])
def test_budgets_of_the_handshake_must_cancel(b1: int, b2: int) -> None:
    assert codes(strict(), strict_frames(b1, b2)[:2]) == [None, "budget_mismatch"]


def test_accept_must_show_both_budgets() -> None:
    offer, counter, _, *_ = strict_frames()
    accept = handshake_content(Kind.ACCEPT, [48, 48], module="core", at=AT)
    assert (
        codes(strict(), [offer, counter, sign_frame(accept, ALICE, prev=counter, budget=0)])[2]
        == "budget_mismatch"
    )


def test_keys_count() -> None:
    offer, counter, accept, first, _ = strict_frames()
    content = {name: value for name, value in offer.items() if name not in {"signature", "hash", "r96"}}
    assert refusal(strict(), sign_frame(content, EVE, prev=None, budget=40)) == "bad_signature"
    # The man in the middle: Bob's key is trusted, but this session's ACCEPT is Alice's to give.
    stolen = handshake_content(Kind.ACCEPT, [40, 56], module="core", at=AT)
    session = strict()
    assert codes(session, [offer, counter]) == [None, None]
    assert refusal(session, sign_frame(stolen, BOB, prev=counter, budget=0)) == "bad_signature"
    assert refusal(session, {**accept, "public_key": BOB.public_hex}) == "hash_mismatch"
    assert codes(session, [accept, first]) == [None, None]


def test_frames_of_another_session_do_not_follow() -> None:
    ours, theirs = strict_frames(), strict_frames()
    session = strict()
    assert codes(session, [ours[0], theirs[1]]) == [None, "broken_link"]
    assert codes(session, ours[1:4]) == [None] * 3
    assert refusal(session, theirs[4]) == "broken_link"


def test_a_whole_session_is_not_replayed_to_another() -> None:
    nonces = MemoryNonces(STRICT_WINDOW)
    frames = strict_frames()
    assert codes(strict(nonces), frames) == [None] * 5
    assert refusal(strict(nonces), frames[0]) == "replay_detected"
    assert (
        refusal(strict(MemoryNonces(STRICT_WINDOW, started_at=AT.timestamp())), frames[0]) == "outside_window"
    )


@pytest.mark.parametrize(
    ("late_s", "code"), [(-300, None), (-301, "outside_window"), (30, None), (31, "outside_window")]
)
def test_the_time_window(late_s: int, code: str | None) -> None:
    assert refusal(strict(), strict_frames(at=AT + timedelta(seconds=late_s))[0]) == code


def test_state_is_bounded() -> None:
    frames = strict_frames(count=3)
    assert codes(strict(max_frames=5), frames) == [None] * 5 + ["session_full"]
    assert codes(strict(max_bytes=100), frames[:1]) == ["session_full"]
    assert codes(strict(MemoryNonces(STRICT_WINDOW, capacity=3)), frames[:4]) == [None] * 3 + ["session_full"]


def test_a_refused_frame_never_burns_the_genuine_one() -> None:
    """Every field changed in turn, sealed anew, then the genuine frame: it passes each time."""
    random_ = random.Random(1)
    session = strict()
    for frame in strict_frames():
        for name in frame:
            forged = {**frame, name: random_.choice([None, 7, "x", [], {}])}
            sent = forged if name in {"hash", "r96"} else seal(forged)
            assert refusal(session, sent) in set(Code), name
        assert refusal(session, frame) is None
    assert len(link_of(frame)) == 64
