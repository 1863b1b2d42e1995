"""One look at all watched branches: what is to be gated now, and what is to be told.

What belongs here: asking every remote within one bound of time, and keeping one branch's
trouble from the others. What does not: which commits follow from a head (`cursor`).
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from hologram_dagster.errors import HologramError, ServiceError
from hologram_dagster.target.checkouts import Checkouts
from hologram_dagster.watch.cursor import Place, Planned, from_cursor, plan, to_cursor
from hologram_dagster.watch.remote import FETCH_S, LOOK_S, MirrorHistory, fetch, remote_head
from hologram_dagster.watch.sightings import Sightings
from hologram_dagster.watch.sources import Source


@dataclass(slots=True)
class Wanted:
    """A commit to gate, and what is to be told about it, if anything."""

    source: Source
    commit: str
    note: str = ""


@dataclass(slots=True)
class Look:
    """What a look has found.

    `heads` are the branches that moved, with their heads; `faults` what could not be seen;
    `cursor` is what the next look starts from.
    """

    wanted: list[Wanted] = field(default_factory=list)
    heads: list[tuple[Source, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    cursor: str = ""


def look_at(
    sources: Sequence[Source],
    cursor: str | None,
    *,
    checkouts: Checkouts,
    sightings: Sightings,
    asked: Callable[[str], bool],
    now: datetime,
    most: int,
) -> Look:
    """Look at every source once, within about `LOOK_S` and `FETCH_S` seconds in all.

    At most `most` commits are wanted, besides the head of each branch seen for the first time.
    A branch that cannot be seen keeps its place, and holds up no other.

    Raises:
        ValueError: the cursor is of another form.
    """
    places = from_cursor(cursor)
    look, kept = Look(), {key: places[key] for key in (s.key for s in sources) if key in places}
    history = MirrorHistory(checkouts.mirror)

    def known(commit: str) -> bool:
        # Two branches may have a commit in common.
        return any(commit == wanted.commit for wanted in look.wanted) or asked(commit)

    with ThreadPoolExecutor(max_workers=max(1, len(sources))) as threads:
        answers = [threads.submit(remote_head, source, timeout_s=LOOK_S) for source in sources]
    until = time.monotonic() + FETCH_S
    for source, answer in zip(sources, answers, strict=True):
        place = kept.get(source.key)
        try:
            head = _existing(source, place, answer.result())
            if head is None:
                look.said.append(f"{source.label}: there is no such branch yet")
                continue
            if place is not None and head != place.tip:
                head = fetch(checkouts, source, timeout_s=max(1.0, until - time.monotonic()))
            room = most - len(look.wanted)
            planned = plan(place, head, history, asked=known, most=max(0, room))
            sightings.note(source, head, now)
        except HologramError as error:
            look.faults.append(str(error))
            continue
        kept[source.key] = planned.place
        if place is None or head != place.tip:
            look.heads.append((source, head))
        _tell(look, source, planned)
    look.cursor = to_cursor(kept)
    return look


def _existing(source: Source, place: Place | None, head: str | None) -> str | None:
    """`head`; None for a branch that is still to come.

    Raises:
        ServiceError: the branch was there and is gone.
    """
    if head is None and place is not None:
        raise ServiceError(
            f"{source.label} is gone; it was at {place.tip[:12]}: "
            "restore the branch, or take it out of HOLOGRAM_WATCH."
        )
    return head


def _tell(look: Look, source: Source, planned: Planned) -> None:
    note = "; ".join(planned.said)
    look.wanted += [Wanted(source, commit, note) for commit in planned.commits]
    look.said += [f"{source.label}: {said}" for said in planned.said]
