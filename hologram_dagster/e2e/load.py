"""`e2e_load` and `e2e_stress`: whole operations at a fixed rate (contract sections 2.8, 3.1, 3.7).

An operation publishes a payload of its own to IPFS, registers it by name, resolves the
name and reads the payload back; it is delivered if every byte is right. Load only services
that may be disturbed: the caller decides which.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from statistics import fmean

from hologram_dagster.e2e import naming
from hologram_dagster.e2e.events import EventLog
from hologram_dagster.e2e.naming import WrongAnswer
from hologram_dagster.e2e.removal import remove_all
from hologram_dagster.e2e.services import Services, StepFailed
from hologram_dagster.errors import HologramError
from hologram_dagster.ipfs.cids import cid_of
from hologram_dagster.ipfs.faults import Cause, IpfsError
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.perf.statistics import percentile
from hologram_dagster.profiles import Traffic
from hologram_dagster.registry.client import RegistryError
from hologram_dagster.secrets.redactor import redact

METHOD = "1"
ANSWERS_CORRECT = "answers_correct"
REMOVAL = "removal"
# A service that hangs must not hang the run: what has not begun by then counts as an error.
_LATEST_S = 30.0
_REMOVAL_S = 60.0
_BUSY = frozenset({429, 503})
_MOST_ERRORS = 10
_BITS_PER_MBIT = 1e6

OpenServices = Callable[[], AbstractContextManager[Services]]


@dataclass(frozen=True, slots=True)
class Suite:
    """One of the two loads: its evidence kind, and the first word of its events."""

    kind: str
    word: str

    @property
    def name(self) -> str:
        """The suite of its events (contract section 3.1)."""
        return f"phase8_{self.word}"

    @property
    def log_name(self) -> str:
        """The file of its events, beside the log of all."""
        return f"{self.word}_events.jsonl"


LOAD = Suite("e2e_load", "load")
STRESS = Suite("e2e_stress", "stress")


class End(StrEnum):
    """How an operation ended: with its own bytes, refused by a busy service, wrongly, or not at all."""

    DELIVERED = "delivered"
    REJECTED = "rejected"
    WRONG = "wrong"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Done:
    """One operation: its end, the time from when it was due (ms), what went wrong, what it may have made."""

    end: End
    latency_ms: float
    cause: str = ""
    made: tuple[str, str] | None = None


def observe_traffic(
    suite: Suite, open_services: OpenServices, traffic: Traffic, logs: Sequence[EventLog]
) -> Observation:
    """Send `traffic`, each worker through services of its own, and remove again what it made.

    Values: the contract's stats, `wrong` (of `error_count`), and what was planned. Findings:
    `answers_correct` and `removal`; the thresholds are judged elsewhere. Each of `logs` gets
    the event with the stats.

    Raises:
        HologramError: nothing could be sent, or a log cannot be written.
    """
    started_at = datetime.now(UTC)
    try:
        done, duration_s = _send(open_services, traffic)
    except HologramError as error:
        for log in logs:
            log.write(f"{suite.word}_test_error", error=str(error))
        raise
    values = stats(done, duration_s, traffic.payload_bytes)
    errors = [redact(each.cause) for each in done if each.cause]
    for log in logs:
        log.write(f"{suite.word}_test_complete", stats={**values, "errors": errors[:_MOST_ERRORS]})
    made = [each.made for each in done if each.made]
    removed = remove_all(open_services, made, workers=traffic.workers, within_s=_REMOVAL_S)
    findings = (_answers(done), _removal(len(made), removed.stays, removed.failed))
    failed = any(finding.status is not Status.PASSED for finding in findings)
    return Observation(
        kind=suite.kind,
        status=Status.FAILED if failed else Status.PASSED,
        method=METHOD,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        values={
            **values,
            "wrong": sum(each.end is End.WRONG for each in done),
            "workers": traffic.workers,
            "payload_bytes": traffic.payload_bytes,
            "planned_ops_per_sec": traffic.ops_per_s,
        },
        facts={"first_error": errors[0]} if errors else {},
        findings=findings,
    )


def stats(done: Sequence[Done], duration_s: float, payload_bytes: int) -> dict[str, float]:
    """The contract's stats of a load of `duration_s` seconds.

    `sent` = `delivered` + `rejected` (429 or 503) + `error_count`. The throughput counts the
    payloads delivered both ways, out and back, in Mbit/s. Latencies, from when an operation was
    due, are those of the delivered ones, by nearest rank; without any there are none.
    """
    delivered = [each.latency_ms for each in done if each.end is End.DELIVERED]
    rejected = sum(each.end is End.REJECTED for each in done)
    figures: dict[str, float] = {
        "duration_sec": duration_s,
        "sent": len(done),
        "delivered": len(delivered),
        "rejected": rejected,
        "ops_per_sec": len(delivered) / duration_s,
        "throughput_mbps": 2 * 8 * len(delivered) * payload_bytes / _BITS_PER_MBIT / duration_s,
    }
    if delivered:
        figures |= {
            "p50_latency_ms": percentile(delivered, 0.50),
            "p99_latency_ms": percentile(delivered, 0.99),
            "avg_latency_ms": fmean(delivered),
        }
    return figures | {"error_count": len(done) - len(delivered) - rejected}


def _send(open_services: OpenServices, traffic: Traffic) -> tuple[list[Done], float]:
    """Every operation's end, and the seconds from the start to the last end."""
    mark, stop = secrets.token_hex(4), threading.Event()
    start = time.monotonic()
    latest = start + traffic.duration_s + _LATEST_S

    def share(numbers: Iterable[int]) -> list[Done]:
        done = []
        with open_services() as services:
            for number in numbers:
                due = start + number / traffic.ops_per_s
                stop.wait(max(0.0, due - time.monotonic()))
                if stop.is_set() or time.monotonic() > latest:
                    why = f"not begun within {_LATEST_S:g} s after the last was due"
                    done.append(Done(End.FAILED, _since_ms(due), why))
                else:
                    name = f"load/{mark}-{number}"
                    done.append(_operate(services, name, secrets.token_bytes(traffic.payload_bytes), due))
        return done

    with ThreadPoolExecutor(traffic.workers) as pool:
        try:
            shares = pool.map(
                share,
                [
                    range(number, traffic.operations, traffic.workers)
                    for number in range(min(traffic.workers, traffic.operations))
                ],
            )
            done = [each for of_worker in shares for each in of_worker]
        finally:
            # Where one worker broke off, or the user did, the others need not go on.
            stop.set()
    return done, time.monotonic() - start


def _operate(services: Services, name: str, payload: bytes, due: float) -> Done:
    # Known before it is added, so that it can be removed whatever the node answers.
    made = (name, cid_of(payload))
    try:
        _deliver(services, name, payload)
    except WrongAnswer as wrong:
        return Done(End.WRONG, _since_ms(due), str(wrong), made)
    except StepFailed as failure:
        return Done(End.FAILED, _since_ms(due), str(failure), made)
    except HologramError as error:
        return Done(_end_of(error), _since_ms(due), str(error), made)
    return Done(End.DELIVERED, _since_ms(due), made=made)


def _deliver(services: Services, name: str, payload: bytes) -> None:
    """Publish `payload` as `name`, and get it back by that name.

    Raises:
        WrongAnswer: something else came back.
        StepFailed: no variant of publishing worked.
        ServiceError: a service refused, or could not be asked.
    """
    cid = services.ipfs.add(payload, "payload")
    naming.check_published(naming.publish(services.registry, name, cid), name, cid)
    naming.check_resolved(naming.resolve(services.registry, name), name, cid)
    data = services.ipfs.cat(cid, check=False)
    if data != payload:
        raise WrongAnswer(f"{name}: {cid} reads back as {len(data)} other bytes than were published")


def _end_of(error: HologramError) -> End:
    if isinstance(error, IpfsError):
        if error.cause in (Cause.INVALID_RESPONSE, Cause.OTHER_CONTENT):
            return End.WRONG
        status = error.http_status
    else:
        status = error.status if isinstance(error, RegistryError) else None
    return End.REJECTED if status in _BUSY else End.FAILED


def _answers(done: Sequence[Done]) -> Finding:
    wrong = [each.cause for each in done if each.end is End.WRONG]
    if wrong:
        told = f"{len(wrong)} of {len(done)} operations were answered wrongly: {redact(wrong[0])}"
        return Finding(ANSWERS_CORRECT, Status.FAILED, told)
    return Finding(ANSWERS_CORRECT, Status.PASSED, f"none of {len(done)} operations was answered wrongly")


def _removal(made: int, stays: Sequence[str], failed: Sequence[str]) -> Finding:
    if failed:
        told = f"{len(failed)} of {made} operations could not be taken back: {redact(failed[0])}"
        return Finding(REMOVAL, Status.FAILED, told)
    told = f"{len(stays)} names stay: {stays[0]}" if stays else "everything made was removed"
    return Finding(REMOVAL, Status.PASSED, told)


def _since_ms(due: float) -> float:
    return 1000 * (time.monotonic() - due)
