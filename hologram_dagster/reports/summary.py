"""The job summary in Markdown, for the page of a CI job (contract section 7.4)."""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hologram_dagster.errors import HologramError
from hologram_dagster.files import append_lines
from hologram_dagster.reports.causes import causes, green_count, not_compared
from hologram_dagster.reports.paired import worst_of_each
from hologram_dagster.reports.panels import best_p95, last_events
from hologram_dagster.reports.reading import (
    is_red,
    is_waived,
    mapping_of,
    mappings_of,
    number_text,
    passed_after_fail,
    text_of,
    time_text,
    with_unit,
    worst_first,
)

MAX_BYTES = 1024 * 1024
_MOST_ROWS = 100
_CID_LENGTH = 12
_MARKUP = re.compile(r"([\\`*_\[\]|~#])")
_CUT = "\n\n*The rest is left out: a summary may have 1 MiB.*\n"
_ANSWERS = {
    "pass": "This revision may ship.",
    "fail": "This revision must not ship.",
    "inconclusive": "The run could not tell whether this revision may ship.",
}


def job_summary(
    verdict: Mapping[str, Any],
    *,
    records: Sequence[Mapping[str, Any]] = (),
    rows: Sequence[Mapping[str, Any]] = (),
    events: Sequence[Mapping[str, Any]] = (),
    artifacts: Mapping[str, str] | None = None,
    run_url: str | None = None,
) -> str:
    """The summary of a verdict document: the verdict first, then perf, events and links.

    `records` are the evidence records of the run. `artifacts` maps a name to its address,
    `run_url` is the run's page in Dagster; only http(s) and relative addresses become
    links. At most 1 MiB.
    """
    revision = mapping_of(verdict.get("revision"))
    word, running = text_of(verdict.get("verdict"), longest=40), verdict.get("state") == "running"
    waivers = mappings_of(verdict.get("waivers"))
    dirty = " with uncommitted changes" if revision.get("dirty") else ""
    note = " (running)" if running else " (waived)" if is_waived(verdict) else ""
    parts = [
        f"## Hologram gate: {_markdown(word.upper())}{note}\n",
        "The run has started and not finished." if running else _ANSWERS.get(word, ""),
        "",
        *(f"**Not compared:** {_markdown(told)}\n" for told in not_compared(verdict)[:_MOST_ROWS]),
        f"Revision {_code(text_of(revision.get('commit'))[:12])}{dirty} · "
        f"profile {_code(verdict.get('profile'))} · environment {_code(verdict.get('environment'))} · "
        f"{_markdown(time_text(verdict.get('finished_at') or verdict.get('started_at')))}",
        "",
        *([f"**A pass after a fail.** {_markdown(told)}\n"] if (told := passed_after_fail(verdict)) else []),
        *_overrides(verdict),
        *_reasons(verdict),
        *_compared(records),
        *(
            f"{_code(w.get('check'))} is waived by {_markdown(w.get('who'))} "
            f"until {_markdown(time_text(w.get('expires_at')))}: {_markdown(w.get('why'))}\n"
            for w in waivers[:_MOST_ROWS]
        ),
        *_table(
            "Perf: best p95 per metric",
            ("suite", "metric", "p95 (ms)", "n", "file"),
            [
                (
                    _markdown(row.get("suite")),
                    _markdown(row.get("metric")),
                    _markdown(number_text(row.get("p95_ms"), decimals=3)),
                    _markdown(number_text(row.get("n"))),
                    _markdown(row.get("_file")),
                )
                for row in best_p95(rows)
            ],
            numeric=(2, 3),
        ),
        *_table(
            "E2E: latest event per type",
            ("suite", "event", "time", "cid", "name", "variant"),
            [
                (
                    _markdown(event.get("suite")),
                    _markdown(event.get("event")),
                    _markdown(time_text(event.get("ts"))),
                    _code(str(event["cid"])[:_CID_LENGTH]) if event.get("cid") else "",
                    _markdown(event.get("name")),
                    _markdown(event.get("variant")),
                )
                for event in last_events(events)
            ],
        ),
        *_links(artifacts or {}, run_url, verdict.get("run_id")),
    ]
    return _at_most("\n".join(parts) + "\n", MAX_BYTES)


def append_summary(path: Path, summary: str) -> bool:
    """Append `summary` to the file at `path`, which may have 1 MiB in all; False if it had to be cut.

    Raises:
        HologramError: the file cannot be read or written.
    """
    try:
        room = MAX_BYTES - (path.stat().st_size if path.exists() else 0)
    except OSError as error:
        raise HologramError(f"cannot read {path}: {error.strerror or error}. Fix its permissions.") from error
    # append_lines may close a torn line first, and ends with a line feed.
    fitting = _at_most(summary, room - 2)
    if fitting:
        append_lines(path, [fitting.removesuffix("\n")])
    return fitting == summary


def _at_most(text: str, size: int) -> str:
    if len(text.encode()) <= size:
        return text
    room = size - len(_CUT.encode())
    if room <= 0:
        return ""
    kept = text.encode()[:room].decode(errors="ignore")
    return kept[: kept.rfind("\n") + 1] + _CUT


def _overrides(verdict: Mapping[str, Any]) -> Iterable[str]:
    looser = [item for item in mappings_of(verdict.get("overrides")) if item.get("looser")]
    for item in looser[:_MOST_ROWS]:
        value, own = (_markdown(number_text(item.get(name))) for name in ("value", "profile_value"))
        variable = _code(item.get("variable"))
        yield f"**Looser than the profile:** {variable} is {value}; the profile has {own}.\n"


def _reasons(verdict: Mapping[str, Any]) -> Iterable[str]:
    reasons = mappings_of(verdict.get("reasons"))
    red = [reason for reason in worst_first(reasons) if is_red(reason)]
    if not red:
        return [f"{green_count(reasons)}.\n"] if reasons else []
    return _table(
        "Reasons",
        ("evidence", "check", "status", "figure", "limit", "cause"),
        [
            (
                _markdown(reason.get("kind")),
                _markdown(", ".join(cause.checks)),
                _markdown(reason.get("status")),
                _markdown(with_unit(reason.get("value"), reason.get("unit"))),
                _markdown(with_unit(reason.get("limit"), reason.get("unit"))),
                _markdown(cause.message),
            )
            for cause in causes(red)
            for reason in [cause.reason]
        ],
        numeric=(3, 4),
    )


def _compared(records: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [f"- {_markdown(paired.line)}" for paired in worst_of_each(records)[:_MOST_ROWS]]
    return ["### Against the baseline\n", *lines, ""] if lines else []


def _links(artifacts: Mapping[str, str], run_url: str | None, run_id: object) -> list[str]:
    links = [_link(name, address) for name, address in list(artifacts.items())[:_MOST_ROWS]]
    if run_url:
        links.append(_link(f"Dagster run {run_id}", run_url))
    return ["### Artifacts\n", *(f"- {link}" for link in links)] if links else []


def _link(name: str, address: str) -> str:
    if not re.match(r"https?://", address) and re.match(r"[a-zA-Z][\w+.-]*:|//", address):
        return f"{_markdown(name)}: {_code(address)}"
    return f"[{_markdown(name)}]({quote(text_of(address), safe=':/?#=&%@+,;~[]!$')})"


def _table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, numeric: Sequence[int] = ()
) -> list[str]:
    if not rows:
        return []
    rule = ["---:" if index in numeric else "---" for index in range(len(columns))]
    lines = [f"| {' | '.join(cells)} |" for cells in (columns, rule, *rows[:_MOST_ROWS])]
    left_out = len(rows) - _MOST_ROWS
    return [f"### {title}\n", *lines, f"\n{left_out} more are left out.\n" if left_out > 0 else ""]


def _markdown(value: object) -> str:
    """A value as text that no Markdown renderer takes for markup, a link or a mention."""
    text = " ".join(text_of(value, longest=500).split())
    text = _MARKUP.sub(r"\\\1", html.escape(text, quote=False))
    return text.replace("://", "&#58;//").replace("www.", "www&#46;").replace("@", "&#64;")


def _code(value: object) -> str:
    text = " ".join(text_of(value, longest=500).split()).replace("`", "'").replace("|", "\\|")
    return f"`{text}`" if text else ""
