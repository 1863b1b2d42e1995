"""Every spoilt experiment comes out as it must, none passes; the sound one does."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from hologram_dagster.chaos.journal import Journal
from hologram_dagster.chaos.running import run
from hologram_dagster.chaos.sabotage.bench import bench
from hologram_dagster.chaos.sabotage.cases import CASES, Case
from hologram_dagster.chaos.sabotage.killed import KILLED, KilledCase, carry_out_killed
from hologram_dagster.chaos.sabotage.matrix import ALL, carry_out
from hologram_dagster.observation import Status

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.phase3_runtime]


T = TypeVar("T")
_TRIES = 3


def decided(carry_it_out: Callable[[], tuple[Status, T]]) -> tuple[Status, T]:
    """What came of it; carried out again while a host busy with other tests made it `inconclusive`."""
    for _ in range(_TRIES):
        status, rest = carry_it_out()
        if status is not Status.INCONCLUSIVE:
            break
    return status, rest


def test_the_sound_experiment_passes() -> None:
    def sound() -> tuple[Status, Journal]:
        journal = carry_out(None)
        return journal.outcome, journal

    outcome, journal = decided(sound)
    assert (outcome, journal.told) == (Status.PASSED, "")
    figures = journal.figures()
    assert figures["chaos_events"] == 1
    assert figures["success_rate"] == 1
    assert figures["recovery_time_ms"] >= 100
    (window,) = journal.windows
    assert window.recovered_s is not None
    assert window.undone_s is not None
    assert window.applied_s < window.undone_s < window.recovered_s


def test_a_fault_may_take_hold_a_little_later_than_it_is_brought_about(tmp_path: Path) -> None:
    folders = (tmp_path / str(number) for number in range(_TRIES))

    def late() -> tuple[Status, str]:
        with bench(next(folders)) as made:
            later = threading.Timer(0.3, made.service.kill)
            made.change_fault(apply=later.start)
            journal = run(made.experiment)
            later.join()
        return journal.outcome, journal.told

    assert decided(late) == (Status.PASSED, "")


@pytest.mark.parametrize("case", CASES, ids=[case.name.replace(" ", "_") for case in CASES])
def test_a_spoilt_experiment_does_not_pass(case: Case) -> None:
    journal = carry_out(case)
    assert journal.outcome is case.expected, journal.told
    assert journal.told != ""


def test_an_experiment_that_nobody_kills_passes() -> None:
    def spared() -> tuple[Status, tuple[str, str]]:
        seen, witness, told = carry_out_killed(None)
        return seen, (witness, told)

    seen, (witness, told) = decided(spared)
    assert (seen, told) == (Status.PASSED, "")
    assert "process is gone" in witness


@pytest.mark.parametrize("case", KILLED, ids=[case.name.replace(" ", "_") for case in KILLED])
def test_a_killed_experiment_leaves_nothing_broken_and_does_not_pass(case: KilledCase) -> None:
    seen, witness, told = carry_out_killed(case)
    assert seen is case.expected, told
    assert "process is gone" in witness


def test_there_are_enough_cases_each_with_a_name_of_its_own() -> None:
    names = [case.name for case in ALL]
    assert len(names) == len(set(names)) >= 16
    assert Status.PASSED not in {case.expected for case in ALL}
