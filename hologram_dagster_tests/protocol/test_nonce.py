"""Nonces: the contract's vectors and order, the authenticated form, races, restarts, bounds."""

import hashlib
import math
import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.protocol.nonce import (
    CountedMeters,
    NonceValidator,
    frame,
    frame_refusal,
    mint,
    mint_authenticated,
    operation_data,
)
from hologram_dagster.protocol.nonces import CONTRACT_WINDOW, MemoryNonces, Refusal, Window, safe_rate

pytestmark = pytest.mark.phase4_network

NOW = 1_800_000_000.0
KEY = bytes(range(32))


class Clock:
    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def validator(clock: Clock | None = None, *, key: bytes | None = None, **limits: int) -> NonceValidator:
    return NonceValidator(MemoryNonces(CONTRACT_WINDOW, **limits), key=key, clock=clock or Clock())


@pytest.mark.parametrize(
    ("data", "digits"),
    [(b"test ctp96 frame data", "4eb3815e72bf9057"), (b"ctp96 frame payload", "b634f6070448a80f")],
)
def test_the_contract_vectors(data: bytes, digits: str) -> None:
    assert mint(data, NOW) == f"{digits}_1800000000"
    checks = validator()
    assert checks.check(data, mint(data, NOW)) is None
    assert checks.check(data, mint(data, NOW)) is Refusal.REPLAYED


@pytest.mark.parametrize(
    ("offset_s", "expected"),
    [
        (-400, Refusal.TOO_OLD),
        (-301, Refusal.TOO_OLD),
        (-300, None),
        (0, None),
        (300, None),
        (301, Refusal.IN_FUTURE),
    ],
)
def test_the_window(offset_s: int, expected: Refusal | None) -> None:
    checks = validator(Clock())
    assert checks.check(b"x", mint(b"x", NOW + offset_s)) is expected


def test_future_skew_is_its_own_limit() -> None:
    window = Window(past_s=300, future_s=5)
    checks = NonceValidator(MemoryNonces(window), window=window, clock=Clock())
    assert checks.check(b"x", mint(b"x", NOW + 6)) is Refusal.IN_FUTURE
    assert checks.check(b"x", mint(b"x", NOW + 5)) is None
    assert checks.check(b"x", mint(b"x", NOW - 300)) is None


GENUINE = mint(b"x", NOW)


@pytest.mark.parametrize(
    "nonce",
    [
        None,
        7,
        b"x",
        "",
        "_",
        GENUINE + "_1",
        GENUINE + "\n",
        GENUINE.upper(),
        GENUINE.replace("_", "_+"),
        GENUINE.replace("_", "_0"),
        GENUINE + ".0",
        "0" * 15 + "_1800000000",
        GENUINE.split("_")[0] + "_" + "9" * 5000,
        GENUINE.split("_")[0] + "_١٨٠٠٠٠٠٠٠٠",
    ],
)
def test_the_malformed(nonce: object) -> None:
    assert validator().check(b"x", nonce) is Refusal.MALFORMED


def test_data_of_another_nonce_is_refused_and_burns_nothing() -> None:
    checks = validator()
    assert checks.check(b"other", GENUINE) is Refusal.MISMATCH
    assert checks.check(b"x", GENUINE) is None
    # The order: used already comes before mismatch, and the window before it too.
    assert checks.check(b"other", GENUINE) is Refusal.REPLAYED
    assert checks.check(b"other", mint(b"x", NOW - 400)) is Refusal.TOO_OLD


@given(
    st.text(max_size=60) | st.from_regex(r"[0-9a-f]{16}_[0-9]{1,12}", fullmatch=True), st.binary(max_size=20)
)
def test_any_text_is_answered(nonce: str, data: bytes) -> None:
    for key in (None, KEY):
        assert validator(key=key).check(data, nonce) in {None, *Refusal}


def test_an_old_one_stays_refused_after_thousands_more() -> None:
    checks = validator()
    first = mint(b"first", NOW)
    assert checks.check(b"first", first) is None
    for number in range(100_000):
        data = b"%d" % number
        assert checks.check(data, mint(data, NOW)) is None
    assert checks.check(b"first", first) is Refusal.REPLAYED


def test_a_nonce_from_the_future_is_kept_until_its_own_time_is_over() -> None:
    clock = Clock(1_000_000.0)
    checks = validator(clock)
    nonce = mint(b"x", clock.now + 300)
    assert checks.check(b"x", nonce) is None
    for later_s in range(0, 601, 20):
        clock.now = 1_000_000.0 + later_s
        assert checks.check(b"y%d" % later_s, mint(b"y%d" % later_s, clock.now)) is None
        assert checks.check(b"x", nonce) is Refusal.REPLAYED
    clock.now += 1
    assert checks.check(b"z", mint(b"z", clock.now)) is None
    assert checks.check(b"x", nonce) is Refusal.TOO_OLD


@given(st.lists(st.tuples(st.floats(-400, 400), st.integers(-310, 310), st.integers(0, 3)), max_size=40))
def test_nothing_is_accepted_twice_whatever_the_clock_does(steps: list[tuple[float, int, int]]) -> None:
    clock = Clock()
    nonces = MemoryNonces(CONTRACT_WINDOW, capacity=20)
    checks = NonceValidator(nonces, clock=clock)
    accepted: Counter[str] = Counter()
    for step_s, skew_s, name in steps:
        clock.now += step_s
        data = b"%d" % name
        nonce = mint(data, clock.now + skew_s)
        accepted[nonce] += checks.check(data, nonce) is None
        assert len(nonces) <= 20
    assert max(accepted.values(), default=0) <= 1


def test_full_refuses_and_frees_what_left_the_window() -> None:
    clock = Clock()
    nonces = MemoryNonces(CONTRACT_WINDOW, capacity=601)
    checks = NonceValidator(nonces, clock=clock)
    for number in range(601):
        assert checks.check(b"%d" % number, mint(b"%d" % number, NOW)) is None
    assert checks.check(b"x", GENUINE) is Refusal.FULL
    assert checks.check(b"0", mint(b"0", NOW)) is Refusal.REPLAYED
    assert nonces.safe_rate == safe_rate(601, CONTRACT_WINDOW) == 1.0
    clock.now += 301
    assert checks.check(b"x", mint(b"x", clock.now)) is None
    assert len(nonces) == 1


def test_at_the_safe_rate_it_never_gets_full() -> None:
    clock = Clock(1_000_000.0)
    checks = validator(clock, capacity=1202)
    for second in range(2000):
        clock.now += 1
        for number in range(2):
            # As far ahead as may be: each stays as long as one can.
            data = b"%d.%d" % (second, number)
            assert checks.check(data, mint(data, clock.now + 300)) is None


@pytest.mark.parametrize("key", [None, KEY])
def test_of_many_threads_with_one_nonce_exactly_one_wins(key: bytes | None) -> None:
    checks = validator(key=key)
    nonces = [
        mint(b"%d" % n, NOW) if key is None else mint_authenticated(b"%d" % n, key, NOW) for n in range(2000)
    ]
    won: list[int] = []
    start = threading.Barrier(8)

    def race() -> None:
        start.wait()
        won.extend(n for n, nonce in enumerate(nonces) if checks.check(b"%d" % n, nonce) is None)

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(won) == list(range(2000))


def test_after_a_restart_nothing_from_before_is_accepted() -> None:
    clock = Clock()
    before = NonceValidator(MemoryNonces(CONTRACT_WINDOW), clock=clock)
    sent = [(b"%d" % skew, mint(b"%d" % skew, NOW + skew)) for skew in range(-300, 301, 50)]
    assert [before.check(data, nonce) for data, nonce in sent] == [None] * len(sent)
    clock.now += 1
    after = NonceValidator(MemoryNonces(CONTRACT_WINDOW, started_at=clock.now), clock=clock)
    assert None not in [after.check(data, nonce) for data, nonce in sent]
    clock.now += 302
    assert after.check(b"x", mint(b"x", clock.now)) is None


def test_the_authenticated_form() -> None:
    checks = validator(key=KEY)
    nonce = mint_authenticated(b"x", KEY, NOW)
    # Two honest sends of equal bytes in one second do not collide.
    assert mint_authenticated(b"x", KEY, NOW) != nonce
    assert checks.check(b"other", nonce) is Refusal.MISMATCH
    assert checks.check(b"x", mint_authenticated(b"x", b"k" * 32, NOW)) is Refusal.MISMATCH
    for position, digit in enumerate(nonce):
        changed = nonce[:position] + ("0" if digit != "0" else "1") + nonce[position + 1 :]
        assert checks.check(b"x", changed) is not None, position
    assert checks.check(b"x", mint(b"x", NOW)) is Refusal.MALFORMED
    assert checks.check(b"x", nonce) is None
    assert checks.check(b"x", nonce) is Refusal.REPLAYED
    with pytest.raises(ValueError, match="16 bytes"):
        mint_authenticated(b"x", b"short", NOW)


def test_an_operation_is_bound_to_method_name_and_body() -> None:
    seen = {
        operation_data(*parts)
        for parts in [
            ("POST", "publish", b"body"),
            ("PUT", "publish", b"body"),
            ("POST", "delete", b"body"),
            ("POST", "publish", b"Body"),
            ("POSTpublish", "", b"body"),
            ("POST", "publish4:", b"body"),
        ]
    }
    assert len(seen) == 6


def test_meters_tell_what_was_refused_and_how_old_it_was() -> None:
    meters = CountedMeters()
    checks = NonceValidator(MemoryNonces(CONTRACT_WINDOW), clock=Clock(), meters=meters)
    for nonce in (GENUINE, GENUINE, mint(b"x", NOW - 400), mint(b"x", NOW + 400), mint(b"x", NOW - 50), "?"):
        checks.check(b"x", nonce)
    assert meters.refusals == {
        Refusal.REPLAYED: 1,
        Refusal.TOO_OLD: 1,
        Refusal.IN_FUTURE: 1,
        Refusal.MALFORMED: 1,
    }
    assert meters.ages == {1: 3, 60: 1, math.inf: 1}


def test_frames_of_the_contract() -> None:
    checks = validator()
    sent = frame("ctp96 frame payload", NOW)
    for name, value in (
        ("protocol", "x"),
        ("timestamp", 1_800_000_001),
        ("timestamp", True),
        ("data", 7),
        ("data", "\ud800"),
        ("nonce", None),
    ):
        assert frame_refusal(checks, {**sent, name: value}) is Refusal.MALFORMED
    assert frame_refusal(checks, {**sent, "data": "other"}) is Refusal.MISMATCH
    assert frame_refusal(checks, sent) is None
    assert frame_refusal(checks, sent) is Refusal.REPLAYED


def test_nonces_do_not_collide_and_are_spread() -> None:
    nonces = [mint(b"%d" % n, NOW) for n in range(1000)]
    assert len(set(nonces)) == 1000
    # Of the bytes, not of hex digits, which cannot pass 0.51.
    counts = Counter(b"".join(bytes.fromhex(nonce[:16]) for nonce in nonces))
    total = sum(counts.values())
    entropy = -sum(count / total * math.log2(count / total) for count in counts.values())
    assert entropy / 8 > 0.8
    assert nonces[0].startswith(hashlib.sha256(b"0").hexdigest()[:16])
