"""Tolerances, plans, time limits and permission: each says yes and no where it must."""

import math
import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.chaos.experiment import Action, Experiment, Fault, Service, Strike, Witness
from hologram_dagster.chaos.permission import refusal
from hologram_dagster.chaos.plan import plan
from hologram_dagster.chaos.tolerances import Between, Equals, Matches, Tolerance, Value
from hologram_dagster.chaos.within import Call, InterruptedByOrderError, TimeUpError
from hologram_dagster.errors import HologramError

pytestmark = pytest.mark.phase9_chaos


@pytest.mark.parametrize(
    ("tolerance", "within", "outside"),
    [
        (Equals(200), [200, 200.0], [201, "200", None, True]),
        (Equals(1), [1], [True]),
        (Equals(True), [True], [1, False, "True"]),
        (Equals(""), [""], [None, 0, "x"]),
        (Equals(None), [None], ["", 0, False]),
        (Between(0, 1), [0, 1, 0.5], [-0.001, 1.001, math.nan, math.inf, None, "0", True]),
        (Matches("^ok"), ["ok", "ok, all of it"], ["not ok", None, 0]),
    ],
)
def test_a_tolerance_holds_for_what_it_says(
    tolerance: Tolerance, within: list[Value], outside: list[Value]
) -> None:
    assert all(tolerance.holds(value) for value in within)
    assert not any(tolerance.holds(value) for value in outside)


def test_tolerances_that_nothing_can_meet_are_refused() -> None:
    for low, high in ((2.0, 1.0), (math.nan, 1.0), (0.0, math.nan)):
        with pytest.raises(HologramError, match="no number lies between"):
            Between(low, high)
    with pytest.raises(HologramError, match="no regular expression"):
        Matches("(")


def nothing() -> None:
    pass


FAULT = Fault("fault", nothing, lambda: Witness(True, ""), nothing)


def planned(seed: int) -> Experiment:
    strike = Strike(FAULT, after_s=(1, 2), hold_s=(3, 4))
    return Experiment("x", "x", seed, (), (strike, Action("do", nothing), strike))


@given(st.integers())
def test_a_seed_decides_the_plan(seed: int) -> None:
    steps = plan(planned(seed))
    assert steps == plan(planned(seed))
    assert [step.name for step in steps] == ["fault", "do", "fault"]
    for step in (steps[0], steps[2]):
        assert 1 <= step.wait_s <= 2
        assert 3 <= step.hold_s <= 4
    assert steps[0].wait_s != steps[2].wait_s


def test_other_seeds_give_other_plans() -> None:
    assert len({plan(planned(seed)) for seed in range(20)}) == 20


def test_a_call_tells_what_came_of_it() -> None:
    assert Call("sum", lambda: 1 + 1).result(60) == 2
    with pytest.raises(ZeroDivisionError):
        Call("quotient", lambda: 1 / 0).result(60)


def test_a_call_that_takes_too_long_is_left_behind() -> None:
    go_on = threading.Event()
    call = Call("wait", go_on.wait)
    with pytest.raises(TimeUpError, match=r"wait did not end within 0\.1 s"):
        call.result(0.1)
    assert call.alive
    go_on.set()
    assert call.wait(60)


def test_a_call_ends_when_the_experiment_is_told_to() -> None:
    go_on, stop = threading.Event(), threading.Event()
    stop.set()
    with pytest.raises(InterruptedByOrderError, match="told to end during wait"):
        Call("wait", go_on.wait).result(60, stop)
    go_on.set()


OURS = Service("ours", "http://127.0.0.1:1", started_by_us=True)
THEIRS = Service("theirs", "http://Node.Example:5001/api", started_by_us=False)


@pytest.mark.parametrize("allowed", ["node.example", "a, NODE.example ,b"])
def test_what_is_ours_or_allowed_may_be_disturbed(allowed: str) -> None:
    assert refusal([OURS, THEIRS], allowed) == ""
    assert refusal([OURS], None) == ""


@pytest.mark.parametrize("allowed", [None, "", ",", "example", "node.example.org", "127.0.0.1", "*"])
def test_all_else_may_not(allowed: str | None) -> None:
    told = refusal([OURS, THEIRS], allowed)
    assert "at node.example (theirs)" in told
    assert "HOLOGRAM_ALLOW_DISRUPTION=node.example" in told


@pytest.mark.parametrize("url", ["", "node.example", "http://[", "http://"])
def test_a_service_without_a_host_may_not(url: str) -> None:
    assert "no host (theirs)" in refusal([replace(THEIRS, url=url)], ",")
