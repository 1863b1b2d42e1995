"""No commit lost, none twice, whatever the order of pushes, ticks and crashes.

The branch is a model: commits with parents, in memory. A tick may be cut short before its
runs are asked for, or after some of them and before the cursor is written.
"""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hologram_dagster.watch.cursor import MOST_AHEAD, Place, from_cursor, plan, to_cursor
from hologram_dagster.watch.sources import MOST_SOURCES, Source

pytestmark = pytest.mark.phase0_ready


@dataclass
class Graph:
    """A commit graph; commits are 40 hex digits, parents first."""

    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def commit(self, *parents: str) -> str:
        name = f"{len(self.parents) + 1:040x}"
        self.parents[name] = parents
        return name

    def ancestors(self, commit: str) -> set[str]:
        found, todo = set(), [commit]
        while todo:
            each = todo.pop()
            if each not in found:
                found.add(each)
                todo += self.parents[each]
        return found

    def line(self, commit: str) -> list[str]:
        """The first-parent line to `commit`, oldest first."""
        found = [commit]
        while self.parents[found[-1]]:
            found.append(self.parents[found[-1]][0])
        return found[::-1]

    def contains(self, ancestor: str, descendant: str) -> bool:
        return ancestor in self.ancestors(descendant)

    def between(self, base: str, head: str) -> list[str] | None:
        old = self.ancestors(base)
        if not old & self.ancestors(head):
            return None
        return [commit for commit in self.line(head) if commit not in old]


@dataclass
class Gate:
    """The branch, the sensor's cursor, and the runs; a run key makes one run only."""

    graph: Graph = field(default_factory=Graph)
    cursor: str | None = None
    runs: list[str] = field(default_factory=list)
    head: str = ""
    observed: list[str] = field(default_factory=list)

    def tick(self, *, most: int, crash_after: int | None = None) -> bool:
        """One tick; False when it changed nothing."""
        before = self.cursor
        places = from_cursor(self.cursor)
        planned = plan(places.get("k"), self.head, self.graph, asked=self.runs.__contains__, most=most)
        assert len(planned.commits) <= most
        for number, commit in enumerate(planned.commits):
            if number == crash_after:
                break
            if commit not in self.runs:
                self.runs.append(commit)
        if crash_after is None:
            self.cursor = to_cursor({"k": planned.place})
            if planned.place.tip == self.head:
                self.observed.append(self.head)
        return self.cursor != before or bool(planned.commits)

    def settle(self, most: int) -> None:
        for _ in range(1000):
            if not self.tick(most=most):
                return
        raise AssertionError("the cursor never comes to rest")


PUSHES = st.tuples(st.just("push"), st.integers(1, 6))
MERGES = st.tuples(st.just("merge"), st.integers(1, 3))
FOXTROTS = st.tuples(st.just("foxtrot"), st.integers(1, 3))
TICKS = st.tuples(st.just("tick"), st.just(0))
CRASHES = st.tuples(st.just("crash"), st.integers(0, 4))
REWRITES = st.tuples(st.just("rewrite"), st.integers(1, 5))
REWINDS = st.tuples(st.just("rewind"), st.integers(1, 5))
ANY = st.one_of(PUSHES, MERGES, FOXTROTS, TICKS, TICKS, CRASHES, REWRITES, REWINDS)
FORWARD = st.one_of(PUSHES, MERGES, TICKS, CRASHES)


def _play(gate: Gate, event: tuple[str, int], most: int) -> None:
    kind, number = event
    graph, line = gate.graph, gate.graph.line(gate.head)
    if kind == "tick":
        gate.tick(most=most)
    elif kind == "crash":
        gate.tick(most=most, crash_after=number)
    elif kind == "push":
        for _ in range(number):
            gate.head = graph.commit(gate.head)
    elif kind in {"merge", "foxtrot"}:
        side = line[-min(number, len(line))]
        for _ in range(number):
            side = graph.commit(side)
        gate.head = graph.commit(gate.head, side) if kind == "merge" else graph.commit(side, gate.head)
    else:
        gate.head = line[-min(number + 1, len(line))]
        if kind == "rewrite":
            gate.head = graph.commit(graph.commit(gate.head))


def _started() -> tuple[Gate, str]:
    gate = Gate()
    gate.head = gate.graph.commit(gate.graph.commit())
    gate.tick(most=5)
    return gate, gate.head


@settings(max_examples=300)
@given(events=st.lists(ANY, max_size=30), most=st.integers(1, 5))
def test_every_state_that_main_had_is_gated_once(events: list[tuple[str, int]], most: int) -> None:
    gate, first = _started()
    for event in events:
        _play(gate, event, most)
    gate.settle(most)
    assert len(gate.runs) == len(set(gate.runs))
    # What main is now, back to where watching began.
    old = gate.graph.ancestors(first)
    assert {commit for commit in gate.graph.line(gate.head) if commit not in old} <= set(gate.runs)
    # What it was whenever somebody looked, with all that led there from the look before.
    assert set(gate.observed) <= set(gate.runs)
    for before, after in zip(gate.observed, gate.observed[1:], strict=False):
        assert set(gate.graph.between(before, after) or []) <= set(gate.runs)


@settings(max_examples=150)
@given(events=st.lists(FORWARD, max_size=30), most=st.integers(1, 5))
def test_what_only_grows_is_gated_completely_and_in_order(events: list[tuple[str, int]], most: int) -> None:
    gate, first = _started()
    for event in events:
        _play(gate, event, most)
    gate.settle(most)
    line = gate.graph.line(gate.head)
    assert gate.runs == line[line.index(first) :]


@given(events=st.lists(st.one_of(PUSHES, REWRITES, TICKS), max_size=60))
def test_the_cursor_stays_small(events: list[tuple[str, int]]) -> None:
    gate, _ = _started()
    for event in events:
        _play(gate, event, 1)
        places = from_cursor(gate.cursor)
        assert len(places["k"].ahead) <= MOST_AHEAD
        assert from_cursor(to_cursor(places)) == places


def test_the_largest_cursor_has_a_bound() -> None:
    full = Place("f" * 40, ("e" * 40,) * MOST_AHEAD)
    cursor = to_cursor({Source("u", str(number)).key: full for number in range(MOST_SOURCES)})
    assert len(cursor) < 16_384


def test_rewind_rewrite_and_a_lost_past_are_told() -> None:
    graph = Graph()
    a = graph.commit()
    b = graph.commit(a)
    c = graph.commit(b)
    other = graph.commit(a)
    rewound = plan(Place(c), b, graph, asked={a, b, c}.__contains__, most=5)
    assert rewound.commits == ()
    assert rewound.place == Place(b)
    assert "rewound from" in rewound.said[0]
    rewritten = plan(Place(c), other, graph, asked={a, b, c}.__contains__, most=5)
    assert rewritten.commits == (other,)
    assert "rewritten by a force-push" in rewritten.said[0]
    unrelated = graph.commit(graph.commit())
    lost = plan(Place(c), unrelated, graph, asked={a, b, c}.__contains__, most=5)
    assert lost.commits == (unrelated,)
    assert "nothing in common" in lost.said[-1]


def test_a_rewind_to_a_state_that_main_never_had_is_gated() -> None:
    graph = Graph()
    a = graph.commit()
    side = graph.commit(a)
    merged = graph.commit(a, side)
    assert plan(Place(merged), side, graph, asked={a, merged}.__contains__, most=5).commits == (side,)


@pytest.mark.parametrize("text", ["[]", "{}", '{"version": 2, "places": {}}', "40 hex digits"])
def test_a_cursor_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        from_cursor(text)
