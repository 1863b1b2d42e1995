"""What a history may not hold: an acknowledged write lost, an old value read, a value nobody wrote.

Each key is a register (Herlihy and Wing, Linearizability, 1990): every operation takes effect at one
moment between its beginning and its end. Only what no choice of moments explains is told, so there is
no false alarm. A write has certainly taken effect when it is acknowledged, or read. A key that was not
read once all was over is not known to be kept: `unread`. Keys are never emptied; a read of nothing is
of the time before the first write.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf

from hologram_dagster.chaos.history import Event, Kind, Outcome


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found, a sentence for each; how many writes were acknowledged, and how many reads seen."""

    lost: tuple[str, ...]
    stale: tuple[str, ...]
    wrong: tuple[str, ...]
    unread: tuple[str, ...]
    acknowledged: int
    reads: int


@dataclass(frozen=True, slots=True)
class _Write:
    value: str | None
    began_s: float
    # From here on it has certainly taken effect; for ever not, if nobody knows.
    settled_s: float
    acknowledged_s: float


def check(events: Iterable[Event], *, over_s: float = -inf) -> Checked:
    """Check a history, in n log n of its events.

    Every key with an acknowledged write must have been read after that, and after `over_s`, when
    the last fault was over: a read before says nothing of what was kept.
    """
    by_key: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_key[event.key].append(event)
    found = [_check_key(key, of_key, over_s) for key, of_key in by_key.items()]
    return Checked(
        lost=tuple(told for each in found for told in each.lost),
        stale=tuple(told for each in found for told in each.stale),
        wrong=tuple(told for each in found for told in each.wrong),
        unread=tuple(told for each in found for told in each.unread),
        acknowledged=sum(each.acknowledged for each in found),
        reads=sum(each.reads for each in found),
    )


def acknowledged_keys(events: Iterable[Event]) -> list[str]:
    """The keys with an acknowledged write, in the order of the first."""
    done = (event for event in events if event.kind is Kind.WRITE and event.outcome is Outcome.DONE)
    return list(dict.fromkeys(event.key for event in done))


def _check_key(key: str, events: Sequence[Event], over_s: float) -> Checked:
    reads = sorted(
        (event for event in events if event.kind is Kind.READ and event.outcome is Outcome.DONE),
        key=lambda event: event.ended_s,
    )
    writes = _writes([event for event in events if event.kind is Kind.WRITE], reads)
    # The newest beginning among the writes that have taken effect by then.
    settled = sorted(writes.values(), key=lambda write: write.settled_s)
    moments = [write.settled_s for write in settled]
    newest = list(accumulate((write.began_s for write in settled), max))
    stale: list[str] = []
    wrong: list[str] = []
    seen_last = -inf
    current_last = True
    for read in reads:
        write = writes.get(read.value)
        if read.value is not None and (write is None or write.began_s > read.ended_s):
            wrong.append(f"{key} read as {read.value!r}, which nobody had written")
            continue
        ended = -inf if write is None else write.settled_s
        before = bisect_right(moments, read.began_s)
        overwritten = before > 0 and newest[before - 1] > ended
        if read.began_s >= seen_last:
            seen_last, current_last = read.began_s, not overwritten
        if overwritten:
            stale.append(f"{key} read as {read.value!r}, though a later write had been done")
    acknowledged = [write for write in writes.values() if write.acknowledged_s < inf]
    last = max((write.acknowledged_s for write in acknowledged), default=-inf)
    last = max(last, over_s)
    lost = (f"{key} has lost a write that had been done",) if acknowledged and not current_last else ()
    unread = (
        (f"{key} was not read once all was over, so nobody knows whether it was kept",)
        if acknowledged and seen_last < last
        else ()
    )
    return Checked(lost, tuple(stale), tuple(wrong), unread, len(acknowledged), len(reads))


def _writes(events: Sequence[Event], reads: Sequence[Event]) -> dict[str | None, _Write]:
    """The writes by value; one value written more than once counts as one write, as long as all of them."""
    first_seen: dict[str | None, float] = {}
    for read in reads:
        first_seen.setdefault(read.value, read.ended_s)
    writes: dict[str | None, _Write] = {}
    grouped: defaultdict[str | None, list[Event]] = defaultdict(list)
    for event in events:
        grouped[event.value].append(event)
    for value, same in grouped.items():
        acknowledged = max((e.ended_s for e in same if e.outcome is Outcome.DONE), default=inf)
        began = min(event.began_s for event in same)
        if len(same) == 1:
            seen = first_seen.get(value, inf)
            settled = min(acknowledged, seen if seen >= began else inf)
        else:
            # A repeat nobody answered may take effect at any time yet.
            settled = acknowledged if all(e.outcome is Outcome.DONE for e in same) else inf
        writes[value] = _Write(value, began, settled, acknowledged)
    return writes
