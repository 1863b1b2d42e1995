"""The page's sections that not every profile fills: what each shows, and why one is not there.

What belongs here: which sections there are, in which order. What does not: what is in them (a module each).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hologram_dagster.profiles import EVIDENCE
from hologram_dagster.reports import chaos, flaky, security, supply
from hologram_dagster.reports.courses import Course, courses
from hologram_dagster.reports.experiment import Experiment
from hologram_dagster.reports.reading import text_of
from hologram_dagster.reports.tables import Cells, Table

Documents = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Section:
    """A section: tables, and a picture of each experiment.

    `absent` names the evidence that is missing; `unasked`: the profile requires none of it.
    """

    key: str
    title: str
    tables: tuple[Table, ...] = ()
    courses: tuple[Course, ...] = ()
    absent: str = ""
    unasked: bool = False


@dataclass(frozen=True, slots=True)
class _Kind:
    key: str
    title: str
    kinds: tuple[str, ...]
    tables: Callable[[Documents, Cells], tuple[Table, ...]]


_CHAOS = "chaos"
_SECTIONS = (
    _Kind(_CHAOS, "Chaos", chaos.KINDS, chaos.tables),
    _Kind("security", "Security", security.KINDS, security.tables),
    _Kind("flakes", "Flaky tests", flaky.KINDS, flaky.tables),
    _Kind("supply", "Supply chain", supply.KINDS, supply.tables),
)


def sections(
    verdict: Mapping[str, Any], records: Documents, experiments: Sequence[Experiment], cells: Cells
) -> list[Section]:
    """Every section, filled from `records` and `experiments`, or with the reason why it is empty."""
    drawn = {_CHAOS: courses(experiments, cells)}
    return [_section(of, verdict, records, drawn.get(of.key, ()), cells) for of in _SECTIONS]


def unasked(verdict: Mapping[str, Any], shown: Sequence[Section]) -> str:
    """The sections that the profile fills with nothing, in one sentence; empty if there are none."""
    titles = [section.title.lower() for section in shown if section.unasked]
    profile = text_of(verdict.get("profile"), longest=60)
    return f"Not part of profile {profile}: {', '.join(titles)}." if titles else ""


def _section(
    of: _Kind, verdict: Mapping[str, Any], records: Documents, drawn: tuple[Course, ...], cells: Cells
) -> Section:
    there = [kind for kind in of.kinds if any(record.get("kind") == kind for record in records)]
    missing = [kind for kind in of.kinds if kind not in there and _asked(kind, verdict.get("profile"))]
    why = "No evidence of" if verdict.get("state") == "final" else "Not yet observed:"
    return Section(
        of.key,
        of.title,
        of.tables(records, cells) if there else (),
        drawn,
        f"{why} {', '.join(missing)}." if missing else "",
        unasked=not there and not missing and not drawn,
    )


def _asked(kind: str, profile: object) -> bool:
    """Whether `profile` requires evidence of `kind`."""
    return any(name == profile for name in EVIDENCE.get(kind, ()))
