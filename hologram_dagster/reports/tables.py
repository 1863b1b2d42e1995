"""The page's tables as data: cells, columns, and what a limit leaves out.

What belongs here: the forms that the template draws, whatever they show. What does not:
the choice of what to show (`html`, `sections`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from hologram_dagster.reports.reading import number_of, number_text, text_of, time_of, time_text

Item = TypeVar("Item")
Rows = tuple[tuple["Cell", ...], ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a long list (`rows`) and of a long text (`characters`) is shown."""

    rows: int
    characters: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell. `form`: text, code, number, time, status, share, span, link or anchor (a link to a row).

    `tone` is a status (for its colour and sign), `href` a link's address, `share` a
    figure as a percentage of its limit, `span` begin and width of a bar, as percent of its
    axis, `machine` the machine-readable form of a time, `anchor` its row's name for links
    within the page.
    """

    text: str
    form: str = "text"
    tone: str = ""
    href: str = ""
    share: float | None = None
    span: tuple[float, float] = (0.0, 0.0)
    machine: str = ""
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading, and whether it holds numbers."""

    title: str
    numeric: bool = False


def headings(*titles: str) -> tuple[Column, ...]:
    """A column of each of `titles`; those that begin with `#` hold numbers."""
    return tuple(Column(title.removeprefix("#"), numeric=title.startswith("#")) for title in titles)


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its caption. `left_out` tells how much is not shown, `empty` why there is nothing.

    `tall` tables scroll on their own, `narrow` ones are no wider than their content.
    """

    key: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    left_out: str = ""
    empty: str = "Nothing was recorded."
    tall: bool = False
    narrow: bool = False


@dataclass(frozen=True, slots=True)
class Cells:
    """Makes cells whose texts keep to the limits. `anchors` names the row of each kind's record."""

    limits: Limits
    anchors: Mapping[str, str] = field(default_factory=dict)

    def text(self, value: object) -> Cell:
        """Any value as text."""
        return Cell(text_of(value, longest=self.limits.characters))

    def code(self, value: object) -> Cell:
        """An identifier: a digest, a commit, a path."""
        return Cell(text_of(value, longest=self.limits.characters), form="code")

    def kind(self, value: object) -> Cell:
        """A kind of evidence, linked to its record's row where there is one."""
        cell = self.code(value)
        anchor = self.anchors.get(value) if isinstance(value, str) else None
        return Cell(cell.text, form="anchor", href=f"#{anchor}") if anchor else cell

    def number(self, value: object, *, decimals: int | None = None) -> Cell:
        """A figure, aligned with those above and below."""
        return Cell(number_text(value, decimals=decimals, longest=self.limits.characters), form="number")

    def time(self, value: object) -> Cell:
        """A time; texts that are none stay texts."""
        time = time_of(value)
        return Cell(
            time_text(value), form="time" if time else "text", machine=time.isoformat() if time else ""
        )

    def status(self, value: object) -> Cell:
        """A status with its sign."""
        text = text_of(value, longest=40)
        return Cell(text.replace("_", " "), form="status", tone=tone_of(text))

    def share(self, value: object, limit: object) -> Cell:
        """`value` as a percentage of `limit`, drawn as a bar; empty without both."""
        share = share_of(value, limit)
        return Cell("" if share is None else f"{share:,.0f} %", form="share", share=share)


def share_of(value: object, limit: object) -> float | None:
    """`value` as a percentage of `limit` (100 = the limit); None without both or a positive limit."""
    figure, most = number_of(value), number_of(limit)
    if figure is None or most is None or most <= 0 or figure < 0:
        return None
    share = figure / most * 100
    return share if share < 1e9 else 1e9


def tone_of(status: str) -> str:
    """The class of colour and sign for a status; an unknown one looks like an error."""
    return {
        "passed": "passed",
        "failed": "failed",
        "not_applicable": "neutral",
        "inconclusive": "doubtful",
    }.get(status, "error")


def latest(
    items: Sequence[Item],
    limits: Limits,
    make: Callable[[Item], tuple[Cell, ...]],
    *,
    most: int | None = None,
) -> tuple[Rows, str]:
    """The last items as rows, newest first, and a sentence on those left out."""
    count = limits.rows if most is None else min(most, limits.rows)
    shown = items[-count:]
    return tuple(make(item) for item in reversed(shown)), _left_out(len(items) - len(shown), "earlier")


def first(
    items: Sequence[Item], limits: Limits, make: Callable[[Item], tuple[Cell, ...]]
) -> tuple[Rows, str]:
    """The first items as rows, and a sentence on those left out."""
    shown = items[: limits.rows]
    return tuple(make(item) for item in shown), _left_out(len(items) - len(shown), "more")


def _left_out(count: int, which: str) -> str:
    return f"{count:,} {which} left out to keep this page small." if count else ""
