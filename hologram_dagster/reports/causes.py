"""Why a verdict is what it is, each cause told once, and what a pass says nothing about.

What belongs here: grouping a verdict's reasons for people, for terminal, report, summary and
messages alike. What does not: how they look there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hologram_dagster.reports.reading import NOT_APPLICABLE, PASSED, mappings_of

# Lines of a long cause, a worker's last words, that are told besides its first.
LAST_LINES = 3
_OBSERVED = "observed"
_NOT_APPLICABLE = "not applicable: "
# The prefix of a comparison's kind, and how the operation is called in a line on it.
_COMPARED = {"regression_": "{}", "drift_": "{} (drift)"}


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of one kind of evidence: its first `reason`, all `checks` that tell it, and its text."""

    reason: Mapping[str, Any]
    checks: tuple[str, ...]
    message: str


def causes(reasons: Iterable[Mapping[str, Any]]) -> list[Cause]:
    """The causes that `reasons` tell, in their order.

    Reasons of one kind with the same message and figures are one cause, also where `observed`
    repeats what the check says. A text of many lines keeps its first and last ones; the
    last ones are not repeated in the next cause.
    """
    reasons = list(reasons)
    names = {(str(reason.get("kind")), str(reason.get("check"))) for reason in reasons}
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for reason in reasons:
        key = (
            str(reason.get("kind")),
            _text(reason, names),
            *(str(reason.get(n)) for n in ("value", "limit")),
        )
        groups.setdefault(key, []).append(reason)
    told: set[str] = set()
    return [
        Cause(group[0], tuple(dict.fromkeys(str(r.get("check")) for r in group)), _shortened(key[1], told))
        for key, group in groups.items()
    ]


def _text(reason: Mapping[str, Any], names: set[tuple[str, str]]) -> str:
    """The message, without the name of the check that tells the same."""
    message = str(reason.get("message") or "")
    name, colon, rest = message.partition(": ")
    same = reason.get("check") == _OBSERVED and (str(reason.get("kind")), name) in names
    return rest if colon and same else message


def _shortened(message: str, told: set[str]) -> str:
    first, *rest = [line for line in message.splitlines() if line.strip()] or [""]
    last = "\n".join(rest[-LAST_LINES:])
    if not last:
        return first
    if last in told:
        return f"{first} (as above)"
    told.add(last)
    return "\n".join([first, *(["…"] if len(rest) > LAST_LINES else []), last])


def not_compared(verdict: Mapping[str, Any]) -> list[str]:
    """`verify, encode: why` for each reason for which a verdict document compared nothing; else empty."""
    why: dict[str, list[str]] = {}
    for reason in mappings_of(verdict.get("reasons")):
        if reason.get("check") != _OBSERVED or reason.get("status") != NOT_APPLICABLE:
            continue
        for prefix, form in _COMPARED.items():
            kind = str(reason.get("kind"))
            if kind.startswith(prefix):
                text = str(reason.get("message") or "no reason given").removeprefix(_NOT_APPLICABLE)
                why.setdefault(text, []).append(form.format(kind.removeprefix(prefix)))
    return [f"{', '.join(operations)}: {text}" for text, operations in why.items()]


def green_count(reasons: Sequence[Mapping[str, Any]]) -> str:
    """`22 of 28 checks green, 6 not applicable`, of reasons of which none is red."""
    green = sum(reason.get("status") == PASSED for reason in reasons)
    skipped = sum(reason.get("status") == NOT_APPLICABLE for reason in reasons)
    text = f"{green} of {len(reasons)} {'check' if len(reasons) == 1 else 'checks'} green"
    return f"{text}, {skipped} not applicable" if skipped else text
