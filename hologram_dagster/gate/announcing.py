"""Telling of a run's verdict, once, whoever comes to its end first.

What belongs here: who is told by the settings, that each verdict of a run is told once, and
the record of what came of it. What does not: forms and sending (`notify`).

The record is evidence of kind `announcement`, which no profile requires: a message that
could not be delivered changes no verdict. A run that is killed between the sending and the
record may be told of twice; one that is never told of would be worse.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.gathering import EVIDENCE_ENTRY
from hologram_dagster.evidence.record import Record, iso
from hologram_dagster.evidence.tail import find_data
from hologram_dagster.evidence.verdict import KIND as VERDICT
from hologram_dagster.evidence.verdict import State, Verdict, Word
from hologram_dagster.evidence.verdict_record import word_of_status
from hologram_dagster.gate.run import GateRun
from hologram_dagster.locking import exclusive
from hologram_dagster.notify.chat import plain_text, slack_payload, teams_payload
from hologram_dagster.notify.message import ESCALATION_REDS, Message, make_message
from hologram_dagster.notify.sending import PAUSES_S, TOTAL_S, Delivery, Request, send, send_by_apprise
from hologram_dagster.notify.statuses import github_status, gitlab_status
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.profiles import ProfileName
from hologram_dagster.reports.links import run_link
from hologram_dagster.secrets.redactor import redact
from hologram_dagster.settings import Settings, names_in

KIND = "announcement"
METHOD = "1"
# How far back gates that did not pass count as "in a row".
_IN_A_ROW = timedelta(days=30)

_log = logging.getLogger(__name__)

# Called with `until`, the `time.monotonic()` after which nothing more is tried.
Sending = Callable[..., Delivery]


def announce(
    run: GateRun, verdict: Verdict, *, pauses_s: Sequence[float] = PAUSES_S, within_s: float = TOTAL_S
) -> tuple[Delivery, ...]:
    """Tell everybody whom the settings name of `verdict`; empty if that was done, or nobody is named.

    Takes about `within_s` seconds at most, whoever does not answer.

    A running verdict is not told. A run whose verdict changed afterwards is told of again.
    Nothing here may stand in the way of a verdict, so what goes wrong is a delivery that failed.
    """
    if verdict.state is not State.FINAL:
        return ()
    try:
        with exclusive(run.settings.state_dir / "announcing.lock"):
            return _announce(run, verdict, pauses_s, within_s)
    except HologramError as error:
        _log.warning("%s", redact(str(error)))
        return (Delivery(KIND, False, redact(str(error))),)


def _announce(
    run: GateRun, verdict: Verdict, pauses_s: Sequence[float], within_s: float
) -> tuple[Delivery, ...]:
    sendings = list(_sendings(run, verdict, pauses_s))
    if not sendings or _is_announced(run, verdict):
        return ()
    started_at = datetime.now(UTC)
    deliveries = _send_all(sendings, within_s)
    run.evidence.add(_observation(verdict, deliveries, started_at), run.identity)
    return deliveries


def _send_all(sendings: Sequence[Sending], within_s: float) -> tuple[Delivery, ...]:
    """Send one after the other; one that hangs has no more than its share of what time is left."""
    end = time.monotonic() + within_s
    deliveries = []
    for done, sending in enumerate(sendings):
        now = time.monotonic()
        deliveries.append(sending(until=now + (end - now) / (len(sendings) - done)))
    return tuple(deliveries)


def undelivered(run: GateRun) -> tuple[str, ...]:
    """A sentence for each channel that could not be told of the run's verdict."""
    record = _own_record(run)
    findings = () if record is None else record.findings
    return tuple(f"{f.name}: {f.message}" for f in findings if f.status is not Status.PASSED)


def _is_announced(run: GateRun, verdict: Verdict) -> bool:
    record = _own_record(run)
    return record is not None and record.facts.get("verdict") == verdict.verdict


def _own_record(run: GateRun) -> Record | None:
    stored = run.evidence.gather(run.identity, [KIND], now=datetime.now(UTC)).get(KIND)
    return stored.record if stored and stored.record.run_id == run.identity.run_id else None


def _observation(verdict: Verdict, deliveries: Sequence[Delivery], started_at: datetime) -> Observation:
    told = {True: Status.PASSED, False: Status.ERROR}
    return Observation(
        kind=KIND,
        status=told[all(delivery.delivered for delivery in deliveries)],
        method=METHOD,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        values={"delivered": sum(delivery.delivered for delivery in deliveries), "channels": len(deliveries)},
        facts={"verdict": str(verdict.verdict)},
        findings=tuple(Finding(each.channel, told[each.delivered], each.detail) for each in deliveries),
    )


def _sendings(run: GateRun, verdict: Verdict, pauses_s: Sequence[float]) -> Iterator[Sending]:
    """What is to be sent, each as a call that sends it."""
    settings = run.settings
    for request in _statuses(settings, verdict):
        yield partial(send, request, pauses_s=pauses_s)
    if verdict.profile not in names_in(settings.notify):
        return
    message = make_message(
        verdict, before=_words_before(run, verdict), links=links_of(settings, verdict.run_id)
    )
    for request in _webhooks(settings, message):
        yield partial(send, request, pauses_s=pauses_s)
    addresses = settings.apprise_urls.get_secret_value().split() if settings.apprise_urls else []
    for number, address in enumerate(addresses, start=1):
        yield partial(
            send_by_apprise,
            address,
            channel=f"apprise_{number}",
            title=message.title,
            text=plain_text(message),
            good=message.word is Word.PASS,
        )


def _webhooks(settings: Settings, message: Message) -> Iterator[Request]:
    if settings.slack_webhook_url:
        url = settings.slack_webhook_url.get_secret_value()
        yield Request("slack", url, slack_payload(message), "check SLACK_WEBHOOK_URL and the network")
    if settings.teams_webhook_url:
        url = settings.teams_webhook_url.get_secret_value()
        yield Request("teams", url, teams_payload(message), "check TEAMS_WEBHOOK_URL and the network")


def _statuses(settings: Settings, verdict: Verdict) -> Iterator[Request]:
    """A status is the commit's: not for files with changes, and not for a developer's own run."""
    if verdict.revision.dirty or verdict.profile == ProfileName.DEV:
        return
    link = next(iter(links_of(settings, verdict.run_id).values()), "")
    if settings.github_token and settings.github_repository:
        yield github_status(
            verdict,
            api=settings.github_api_url,
            repository=settings.github_repository,
            token=settings.github_token.get_secret_value(),
            link=link,
        )
    if settings.gitlab_token and settings.gitlab_project:
        yield gitlab_status(
            verdict,
            api=settings.gitlab_api_url,
            project=settings.gitlab_project,
            token=settings.gitlab_token.get_secret_value(),
            link=link,
        )


def links_of(settings: Settings, run_id: str) -> dict[str, str]:
    """Name and address of the published report, the Dagster run and the CI job, where they are known."""
    server, repository, github_run = (
        settings.github_server_url.rstrip("/"),
        settings.github_repository,
        settings.github_run_id,
    )
    github = f"{server}/{repository}/actions/runs/{github_run}" if repository and github_run else ""
    links = {
        "report": f"{settings.reports_url.rstrip('/')}/index.html" if settings.reports_url else "",
        "Dagster run": run_link(settings.ui_url, run_id=run_id),
        "CI job": settings.gitlab_job_url or github,
    }
    return {name: address for name, address in links.items() if address}


def _words_before(run: GateRun, verdict: Verdict) -> list[Word]:
    """The last verdict of each earlier run of the same profile and environment, newest first.

    Not verified: they mark a message, and change no verdict. No more than an escalation needs.
    """
    words: dict[object, Word] = {}
    since = iso(verdict.started_at - _IN_A_ROW)
    for data in find_data(run.evidence.ledger.path, f'"kind":"{VERDICT}"', since=since):
        same = (data.get("profile"), data.get("environment")) == (verdict.profile, verdict.environment)
        if data.get("entry") != EVIDENCE_ENTRY or not same or data.get("run_id") == verdict.run_id:
            continue
        try:
            word = word_of_status(Status(str(data.get("status"))))
        except (KeyError, ValueError):
            continue
        words.setdefault(data.get("run_id"), word)
        if word is Word.PASS or len(words) == ESCALATION_REDS - 1:
            break
    return list(words.values())
