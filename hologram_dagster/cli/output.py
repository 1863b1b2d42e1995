"""What the command line shows: progress a step, then the verdict. Plain lines, no terminal needed."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.text import Text

from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.check import Severity
from hologram_dagster.evidence.document import State, Verdict, read_verdict
from hologram_dagster.observation import Status
from hologram_dagster.reports.causes import Cause, causes, not_compared
from hologram_dagster.reports.reading import with_unit

_STYLES = {"pass": "bold green", "fail": "bold red", "inconclusive": "bold yellow"}
_SLOWEST = 5
_NOT_WRITTEN = " was not written: see the causes above and the log"


def _red_line(cause: Cause) -> Text:
    """One cause: where, status, its text, and figure and limit where it has any."""
    reason = cause.reason
    line = Text.assemble(
        ("  ", ""),
        (f"{reason['kind']} {', '.join(cause.checks)}", "bold"),
        f": {reason['status']}: " + cause.message.replace("\n", "\n      "),
    )
    if reason["value"] is not None and reason["limit"] is not None:
        figure, limit = (with_unit(reason[name], reason["unit"]) for name in ("value", "limit"))
        line.append(f" [figure {figure}, limit {limit}]")
    return line


class Steps:
    """The steps of a run as they come; keeps their durations (s)."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self.seconds: dict[str, float] = {}

    def tell(self, line: dict[str, object]) -> None:
        """Show one progress line of `defs.launch`."""
        step, event = str(line.get("step")), line.get("event")
        if event == "started":
            return
        if event == "warned":
            self._console.print(Text.assemble((".. ", "yellow"), f" {step:<24}{line.get('message')}"))
            return
        seconds = float(str(line.get("seconds", 0)))
        self.seconds[step] = seconds
        mark, style = ("ok ", "green") if event == "finished" else ("RED", "bold red")
        self._console.print(Text.assemble((mark, style), f" {step:<24}{seconds:7.1f} s"))

    def slowest(self) -> str:
        """Where the time went, longest step first."""
        longest = sorted(self.seconds.items(), key=lambda item: -item[1])[:_SLOWEST]
        return ", ".join(f"{step} {seconds:.1f} s" for step, seconds in longest)


def show_verdict(
    verdict: Verdict, reports: Path, steps: Steps, *, seconds: float, compared: Sequence[str] = ()
) -> None:
    """Print the verdict, every red check with figure, limit and cause, and where the report is.

    `compared` are the lines on operations that were compared with a baseline.
    """
    console = Console(highlight=False)
    word = str(verdict.verdict)
    console.print()
    waived = " (waived)" if verdict.waived else ""
    console.print(Text.assemble(("verdict: ", "bold"), (word.upper() + waived, _STYLES.get(word, "bold"))))
    for told in not_compared(verdict.to_json()):
        console.print(Text(f"not compared: {told}", style="yellow"), soft_wrap=True)
    if verdict.after_fail:
        console.print(verdict.after_fail, style="yellow", soft_wrap=True)
    for override in verdict.overrides:
        if override.looser:
            console.print(
                f"looser than the profile: {override.variable} = {override.value:g} "
                f"(profile: {override.profile_value:g})",
                style="yellow",
            )
    red = [reason for reason in verdict.reasons if reason.red]
    if red:
        for cause in causes(asdict(reason) for reason in red if reason.check != "present"):
            console.print(_red_line(cause), soft_wrap=True)
        if absent := [reason.kind for reason in red if reason.check == "present"]:
            console.print(f"  no fresh evidence: {', '.join(absent)}", soft_wrap=True)
    for reason in verdict.reasons:
        if not reason.red and reason.severity is Severity.WARN and reason.status is not Status.PASSED:
            console.print(
                Text(f"warning:  {reason.kind} {reason.check}: {reason.message}"),
                style="yellow",
                soft_wrap=True,
            )
    for waiver in verdict.waivers:
        until = f"{waiver.expires_at:%Y-%m-%d %H:%M} UTC"
        console.print(
            Text(f"waived:   {waiver.check} by {waiver.who} until {until}: {waiver.why}"), soft_wrap=True
        )
    for line in compared:
        console.print(Text(f"compared: {line}"), soft_wrap=True)
    console.print(f"revision: {verdict.revision.commit[:12]}{' (dirty)' if verdict.revision.dirty else ''}")
    if verdict.baseline_commit:
        rule = f" ({verdict.baseline_rule})" if verdict.baseline_rule else ""
        console.print(f"baseline: {verdict.baseline_commit[:12]}{rule}", soft_wrap=True)
    if steps.seconds:
        console.print(f"time:     {seconds:.1f} s in all; {steps.slowest()}")
    report = (reports / "index.html").resolve()
    note = _of_another_run(verdict, reports) if report.exists() else _NOT_WRITTEN
    console.print(Text(f"report:   {report}{note}"), soft_wrap=True)


def _of_another_run(verdict: Verdict, reports: Path) -> str:
    """That what `reports` holds is of another run than `verdict`; else empty."""
    try:
        shown = read_verdict(reports / "verdict.json")
    except (OSError, HologramError):
        return ""
    if shown.run_id == verdict.run_id:
        return ""
    word = shown.verdict if shown.state is State.FINAL else shown.state
    return (
        f" is not of this verdict: run {shown.run_id} ({word}) has written {reports.name}/ since. "
        f"The verdict above is of run {verdict.run_id}, and kept as evidence."
    )
