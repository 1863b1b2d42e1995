"""The quarantine: which flaky tests may fail for now, who looks after each, and until when.

It lives in the target's repository as `quarantine.json`, since `reports/` does not outlast a
CI job, and a change of it is reviewed as any other. What belongs here: the file and the rules
for entries. What does not: who is due for it (`judgement`), what a gate makes of it (`gate.flakes`).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from hologram_dagster.errors import FormatError, HologramError, not_json
from hologram_dagster.files import write_whole
from hologram_dagster.flakes.attempts import known_as
from hologram_dagster.flakes.judgement import GREENS_TO_RELEASE, Judged, State
from hologram_dagster.profiles import most_quarantined

FILE_NAME = "quarantine.json"
# What tools written for the contract and the pytest plugin read, and who and why beside it.
NAMES_FILE = "quarantined_tests.json"
ENTRIES_FILE = "quarantined_tests.meta.json"
UNASSIGNED = "unassigned"
LONGEST_DAYS = 30
# Of an entry that nobody has taken on.
UNASSIGNED_DAYS = 7
_SCHEMA_VERSION = 1

_Text = Annotated[str, StringConstraints(min_length=1, max_length=1000, strip_whitespace=True)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _EntryModel(_Model):
    test: _Text
    owner: _Text
    reason: _Text
    ticket: _Text
    since: date
    expires: date


class _FileModel(_Model):
    schema_version: int = Field(ge=1, le=_SCHEMA_VERSION)
    tests: int | None = Field(default=None, ge=0)
    quarantined: tuple[_EntryModel, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A test in quarantine, by the name that `known_as` gives it, to the end of the day `expires` (UTC)."""

    test: str
    owner: str
    reason: str
    ticket: str
    since: date
    expires: date

    def __post_init__(self) -> None:
        object.__setattr__(self, "test", known_as(self.test))

    @property
    def assigned(self) -> bool:
        """Whether somebody has taken it on, with a ticket."""
        return UNASSIGNED not in (self.owner, self.ticket)

    def fault(self) -> str | None:
        """What is against the rules in it; None if nothing is."""
        days = (self.expires - self.since).days
        most = LONGEST_DAYS if self.assigned else UNASSIGNED_DAYS
        if days < 0:
            return f"it expires on {self.expires}, before it began on {self.since}"
        if days > most:
            whose = "" if self.assigned else " without an owner and a ticket"
            return f"it is to last {days} days, and an entry{whose} lasts at most {most}"
        return None


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The entries, by test; `tests` is how many tests there were when it was written, if known."""

    entries: tuple[Entry, ...] = ()
    tests: int | None = None

    def get(self, test: str) -> Entry | None:
        """The entry of `test`."""
        name = known_as(test)
        return next((entry for entry in self.entries if entry.test == name), None)

    def expired(self, today: date) -> list[Entry]:
        """The entries that protect nothing any more."""
        return [entry for entry in self.entries if entry.expires < today]

    def in_force(self, today: date) -> list[Entry]:
        """The entries that have not expired."""
        return [entry for entry in self.entries if entry.expires >= today]

    def with_entry(self, entry: Entry) -> "Quarantine":
        """The same with `entry`, in place of one of the same test.

        Raises:
            HologramError: it is against the rules.
        """
        if why := entry.fault():
            raise HologramError(f"{entry.test} cannot be quarantined: {why}.")
        return replace(self, entries=(*self.without(entry.test).entries, entry))

    def without(self, test: str) -> "Quarantine":
        """The same without an entry of `test`."""
        return replace(self, entries=tuple(entry for entry in self.entries if entry.test != test))


def parse_quarantine(content: bytes, *, where: str) -> Quarantine:
    """The quarantine in `content`; `where` names the file in errors.

    Raises:
        FormatError: not in its form, or an entry against the rules; names file and entry.
    """
    try:
        model = _FileModel.model_validate(json.loads(content))
    except json.JSONDecodeError as error:
        raise not_json(where, error) from None
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(str(part) for part in fault["loc"]) or "the whole"
        raise FormatError(f"{where}: {key}: {fault['msg']} (hologram flakes quarantine writes it)") from None
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{where}: {error}") from None
    entries = tuple(Entry(**dict(entry)) for entry in model.quarantined)
    seen: set[str] = set()
    for entry in entries:
        if why := entry.fault():
            raise FormatError(f"{where}: {entry.test}: {why}")
        if entry.test in seen:
            raise FormatError(f"{where}: {entry.test} stands in it twice")
        seen.add(entry.test)
    return Quarantine(entries, model.tests)


def read_quarantine(path: Path) -> Quarantine:
    """The quarantine in the file at `path`; an empty one where there is no file.

    Raises:
        FormatError: as `parse_quarantine`.
        HologramError: it cannot be read.
    """
    try:
        return parse_quarantine(path.read_bytes(), where=str(path))
    except FileNotFoundError:
        return Quarantine()
    except OSError as error:
        raise HologramError(f"cannot read {path}: {error.strerror}.") from error


def write_quarantine(path: Path, quarantine: Quarantine) -> None:
    """Replace the file at `path`, whole or not at all; without entries there need be no file.

    Raises:
        HologramError: it cannot be written.
    """
    if not quarantine.entries and not path.exists():
        return
    document = {
        "schema_version": _SCHEMA_VERSION,
        "tests": quarantine.tests,
        "quarantined": [
            _entry_json(entry) for entry in sorted(quarantine.entries, key=lambda entry: entry.test)
        ],
    }
    write_whole(path, json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def write_reports(reports: Path, entries: Iterable[Entry]) -> None:
    """Write the names of `entries` in the contract's form (7.1), and the entries beside them.

    Raises:
        HologramError: a file cannot be written.
    """
    ordered = sorted(entries, key=lambda entry: entry.test)
    names = {"quarantined": [entry.test for entry in ordered]}
    write_whole(reports / NAMES_FILE, json.dumps(names, ensure_ascii=False, indent=2) + "\n")
    whole = {"entries": [_entry_json(entry) for entry in ordered]}
    write_whole(reports / ENTRIES_FILE, json.dumps(whole, ensure_ascii=False, indent=2) + "\n")


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, date) else value for name, value in asdict(entry).items()
    }


@dataclass(frozen=True, slots=True)
class Proposal:
    """A quarantine as the rules would have it, and what changed: tests added, released, and left out."""

    quarantine: Quarantine
    added: tuple[Entry, ...]
    released: tuple[tuple[Entry, str], ...]
    left_out: tuple[Judged, ...]


def propose(quarantine: Quarantine, judged: Sequence[Judged], *, today: date) -> Proposal:
    """What the users' rule makes of `quarantine`: the worst that are due go in, the cured come out.

    An entry that has expired stays, and keeps failing the gate, until somebody takes it on.
    """
    known = {each.test: each for each in judged}
    released = tuple(
        (entry, why)
        for entry in quarantine.entries
        if (why := _release(entry, known.get(entry.test))) is not None
    )
    changed = replace(quarantine, tests=len(known) or quarantine.tests)
    for entry, _ in released:
        changed = changed.without(entry.test)
    due = [each for each in judged if each.quarantine_due and changed.get(each.test) is None]
    due.sort(key=lambda each: (-each.recent_flakes, -each.score.mean, each.test))
    room = max(0, most_quarantined(len(known)) - len(changed.entries))
    added = tuple(_automatic(each, today) for each in due[:room])
    for entry in added:
        changed = changed.with_entry(entry)
    return Proposal(changed, added, released, tuple(due[room:]))


def _release(entry: Entry, judged: Judged | None) -> str | None:
    if judged is None:
        return None
    if judged.state is State.BROKEN:
        return "it fails every time: it is broken, not flaky, and must be fixed"
    greens = sum(at.date() > entry.since for at in judged.greens)
    return f"{greens} greens in a row since {entry.since}" if greens >= GREENS_TO_RELEASE else None


def _automatic(judged: Judged, today: date) -> Entry:
    low, high = (100 * bound for bound in judged.score.interval())
    return Entry(
        test=judged.test,
        owner=UNASSIGNED,
        reason=(
            f"{judged.recent_flakes} flakes in 7 days; {judged.score.flakes} of {judged.score.runs} runs "
            f"({low:.2g} to {high:.2g} %)"
        ),
        ticket=UNASSIGNED,
        since=today,
        expires=today + timedelta(days=UNASSIGNED_DAYS),
    )
