"""Which commits of a branch are to be gated next: pure functions over what was seen of it.

The *place* is how far a branch has been worked off: `done`, the last commit asked for, and
`ahead`, the heads seen since, oldest first, which are still to be reached. A commit counts
if it was the head of the branch or lies on the first-parent line to one: the states the
branch really had. What belongs here: this logic and its form as a cursor. What does not:
git (`remote`), runs (Dagster's side).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

# Heads kept while the backlog is worked off; later pushes are looked at after it.
MOST_AHEAD = 8
_VERSION = 1


class History(Protocol):
    """What is asked of the commit graph."""

    def contains(self, ancestor: str, descendant: str) -> bool:
        """Whether `ancestor` is `descendant` or one of its ancestors; False where it is unknown."""
        ...

    def between(self, base: str, head: str) -> list[str] | None:
        """The first-parent line to `head`, oldest first, without `base` and its ancestors.

        None where the two have no commit in common, or `base` is unknown.
        """
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """How far a branch has been worked off."""

    done: str
    ahead: tuple[str, ...] = ()

    @property
    def tip(self) -> str:
        """The last head that was seen."""
        return self.ahead[-1] if self.ahead else self.done


@dataclass(frozen=True, slots=True)
class Planned:
    """The commits to gate now, oldest first, the place after them, and what is to be told of it."""

    place: Place
    commits: tuple[str, ...]
    said: tuple[str, ...]


def plan(
    place: Place | None, head: str, history: History, *, asked: Callable[[str], bool], most: int
) -> Planned:
    """What to gate now that the branch is at `head`: at most `most` commits, the rest next time.

    `asked` says whether a commit was asked for already. A branch that is new starts with its
    head alone. After a force-push everything on the new line is gated; after a rewind only a
    head that never was one.
    """
    if place is None:
        told = f"first sight at {head[:12]}: earlier commits are not gated"
        return Planned(Place(head), () if asked(head) else (head,), (told,))
    said: list[str] = []
    place = _look(place, head, history, said)
    done, ahead = place.done, list(place.ahead)
    commits: list[str] = []
    while ahead:
        line = _line(done, ahead[0], history, said)
        for commit in line:
            if commit not in commits and not asked(commit):
                if len(commits) == most:
                    said.append(f"{most} commits at a time: the others follow")
                    return Planned(Place(done, tuple(ahead)), tuple(commits), tuple(said))
                commits.append(commit)
            done = commit
        ahead.pop(0)
    return Planned(Place(done), tuple(commits), tuple(said))


def _look(place: Place, head: str, history: History, said: list[str]) -> Place:
    """`place` with `head` as the last head seen."""
    tip = place.tip
    if head == tip:
        return place
    if len(place.ahead) == MOST_AHEAD:
        said.append(f"{head[:12]} is looked at when the backlog is worked off")
        return place
    if history.contains(head, tip):
        said.append(f"rewound from {tip[:12]} to {head[:12]}: gated commits are not gated again")
    elif not history.contains(tip, head):
        said.append(f"rewritten by a force-push from {tip[:12]} to {head[:12]}: the new line is gated")
    return Place(place.done, (*place.ahead, head))


def _line(done: str, head: str, history: History, said: list[str]) -> list[str]:
    """The commits from `done` to `head`; `head` at least, since the branch was there."""
    found = history.between(done, head)
    if found is None:
        said.append(f"{head[:12]} has nothing in common with {done[:12]}: it is gated alone")
    return found or [head]


def to_cursor(places: Mapping[str, Place]) -> str:
    """The places of all branches, by the key of their source, as text."""
    content = {key: [place.done, *place.ahead] for key, place in sorted(places.items())}
    return json.dumps({"version": _VERSION, "places": content}, separators=(",", ":"))


def from_cursor(text: str | None) -> dict[str, Place]:
    """The places that `to_cursor` stated; none without a cursor.

    Raises:
        ValueError: not in that form.
    """
    if not text:
        return {}
    content: Any = json.loads(text)
    if not isinstance(content, dict) or content.get("version") != _VERSION:
        raise ValueError(f"the cursor is not of version {_VERSION}: reset it in the UI")
    return {key: Place(heads[0], tuple(heads[1:])) for key, heads in content["places"].items()}
