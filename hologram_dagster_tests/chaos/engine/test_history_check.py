"""A history of a true register has no fault whatever the timing; one of a broken register has."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.chaos.history import Event, Kind, Outcome
from hologram_dagster.chaos.history_check import acknowledged_keys, check

pytestmark = pytest.mark.phase9_chaos


def write(value: str, began: float, ended: float, *, known: bool = True, key: str = "k") -> Event:
    return Event(Kind.WRITE, key, value, began, ended, Outcome.DONE if known else Outcome.UNKNOWN)


def read(value: str | None, began: float, ended: float, *, known: bool = True, key: str = "k") -> Event:
    return Event(Kind.READ, key, value, began, ended, Outcome.DONE if known else Outcome.UNKNOWN)


@dataclass(frozen=True)
class Planned:
    """An operation on a true register: it takes effect `moment` after it began, and ends `rest` later."""

    key: str
    writes: bool
    began: int
    moment: int
    rest: int
    known: bool


operations = st.builds(
    Planned,
    key=st.sampled_from(["a", "b"]),
    writes=st.booleans(),
    began=st.integers(0, 30),
    moment=st.integers(1, 10),
    rest=st.integers(1, 10),
    known=st.booleans(),
)


def carried_out(planned: list[Planned]) -> list[Event]:
    """What the clients of a true register see; the moments, distinct, decide the order."""
    values: dict[str, str] = {}
    seen = []
    order = sorted(enumerate(planned), key=lambda each: (each[1].began + each[1].moment, each[0]))
    for number, each in order:
        # Distinct moments: the number breaks ties.
        ended = each.began + each.moment + each.rest + number / 1000
        if each.writes:
            values[each.key] = f"v{number}"
            seen.append(write(f"v{number}", each.began, ended, known=each.known, key=each.key))
        else:
            value = values.get(each.key) if each.known else None
            seen.append(read(value, each.began, ended, known=each.known, key=each.key))
    return seen


@given(st.lists(operations, max_size=40))
def test_a_true_register_is_never_accused(planned: list[Planned]) -> None:
    found = check(carried_out(planned))
    assert (found.lost, found.stale, found.wrong) == ((), (), ())


@given(st.lists(operations, max_size=30), st.data())
def test_a_register_that_forgets_is_found(planned: list[Planned], data: st.DataObject) -> None:
    """A last write, acknowledged and alone in its time, is forgotten: the read afterwards tells."""
    history = [each for each in carried_out(planned) if each.key == "a"]
    known = [each.value for each in history if each.kind is Kind.WRITE and each.outcome is Outcome.DONE]
    before = data.draw(st.sampled_from([None, *known]))
    history += [write("last", 100, 101, key="a"), read(before, 102, 103, key="a")]
    found = check(history)
    assert found.lost == ("a has lost a write that had been done",)
    assert found.stale == (f"a read as {before!r}, though a later write had been done",)


@given(st.lists(operations, min_size=1, max_size=30))
def test_a_value_from_nowhere_is_wrong(planned: list[Planned]) -> None:
    found = check([*carried_out(planned), read("nobody's", 200, 201, key="a")])
    assert found.wrong == ('a read as "nobody\'s", which nobody had written',)


def test_what_is_read_before_it_is_written_is_wrong() -> None:
    assert check([read("v", 0, 1), write("v", 2, 3)]).wrong


def test_an_old_value_seen_once_is_stale_and_not_lost() -> None:
    history = [write("1", 0, 1), write("2", 2, 3), read("1", 4, 5), read("2", 6, 7)]
    found = check(history)
    assert found.stale == ("k read as '1', though a later write had been done",)
    assert found.lost == ()


def test_what_was_read_is_there_even_if_nobody_acknowledged_it() -> None:
    history = [write("1", 0, 1), write("2", 2, 9, known=False), read("2", 3, 4), read("1", 5, 6)]
    assert check(history).stale


def test_an_unknown_write_may_come_late_or_never() -> None:
    history = [write("1", 0, 1), write("2", 2, 3, known=False), read("1", 4, 5), read("2", 6, 7)]
    found = check(history)
    assert (found.lost, found.stale, found.wrong) == ((), (), ())


def test_writes_at_one_time_may_come_either_way() -> None:
    history = [write("1", 0, 5), write("2", 1, 6), read("2", 7, 8), read("2", 9, 10)]
    assert check(history).stale == ()
    assert check([*history[:2], read("1", 7, 8)]).stale == ()


def test_a_read_during_a_write_may_see_either() -> None:
    for value in ("1", "2"):
        history = [write("1", 0, 1), write("2", 2, 6), read(value, 3, 4)]
        assert check(history).stale == ()


def test_a_value_written_twice_accuses_nobody_wrongly() -> None:
    history = [
        write("1", 0, 1),
        write("2", 2, 3),
        write("1", 4, 5, known=False),
        read("2", 6, 7),
        read("1", 8, 9),
    ]
    assert check(history).stale == ()


def test_what_nobody_read_once_all_was_over_is_unread() -> None:
    history = [write("1", 0, 1), read("1", 2, 3)]
    assert check(history).unread == ()
    assert check(history, over_s=5).unread == (
        "k was not read once all was over, so nobody knows whether it was kept",
    )
    assert check([*history, read("1", 6, 7, known=False)], over_s=5).unread
    assert check([*history, read("1", 6, 7)], over_s=5).unread == ()


def test_an_unacknowledged_write_need_not_be_read() -> None:
    found = check([write("1", 0, 1, known=False)], over_s=5)
    assert (found.unread, found.acknowledged) == ((), 0)


def test_keys_are_told_once_in_order() -> None:
    history = [write("1", 0, 1, key="b"), write("2", 2, 3, key="a"), write("3", 4, 5, key="b")]
    assert acknowledged_keys([*history, write("4", 6, 7, known=False, key="c")]) == ["b", "a"]
