"""The one way evidence assets are made: observe, record, show the few figures a person watches.

What belongs here: the factory and the metadata every evidence asset shares.
What does not: what is observed (each domain's `assets.py`) and what must hold
(`gate_checks`).
"""

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from hologram_dagster.defs.external import SERVICES, observed_services
from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.archive import Stored
from hologram_dagster.gate.remembering import remember
from hologram_dagster.gate.run import GateRun
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.perf.lock import measuring_lock
from hologram_dagster.profiles import EVIDENCE, ProfileName
from hologram_dagster.resources.gate import GateResource
from hologram_dagster.resources.stack import StackResource

OWNERS = ["team:release-engineering"]
UNOBSERVED = "none"


@dataclass(frozen=True, slots=True)
class Scene:
    """What an observing function gets: the gate run, the services under test, and the run's log.

    `warn` writes to the log, `logged` reads what is in it by now, entry by entry.
    """

    run: GateRun
    stack: StackResource
    warn: Callable[[str], None]
    logged: Callable[[], Iterator[str]]

    def measuring(self) -> AbstractContextManager[None]:
        """Hold the host's measuring lock; while it waits the run's log says for whom."""
        return measuring_lock(on_wait=self.warn)


Observe = Callable[[Scene], Observation]


def gate_tags(profiles: frozenset[ProfileName]) -> dict[str, str]:
    """The flag tags (`gate/pr`, ...) by which command lines select a profile's assets."""
    return {f"gate/{profile}": "" for profile in sorted(profiles)}


def evidence_asset(
    *,
    kind: str,
    group: str,
    deps: list[str],
    kinds: set[str],
    method: str,
    description: str,
    observe: Observe,
    shown: tuple[str, ...] = (),
) -> dg.AssetsDefinition:
    """An asset that records what `observe` saw and never judges it; `shown` are values to show a person.

    Not even a bug in `observe` stops the run: it becomes evidence with status `error`
    and its traceback in the log, because a step that raises would take the verdict and
    the report down with it (docs/architecture.md, *How a gate check fails*).
    """

    @dg.asset(
        name=kind,
        group_name=group,
        deps=["revision", *deps, *(SERVICES[used] for used in sorted(kinds & SERVICES.keys()))],
        tags=gate_tags(EVIDENCE[kind]),
        owners=OWNERS,
        kinds=kinds,
        code_version=method,
        description=description,
    )
    def _asset(
        context: dg.AssetExecutionContext, gate: GateResource, stack: StackResource
    ) -> dg.MaterializeResult[None]:
        run = gate.open(context)
        started_at = datetime.now(UTC)
        try:
            observation = observe(Scene(run, stack, context.log.warning, lambda: _logged(context)))
        except HologramError as error:
            observation = _unobserved(kind, started_at, "unobserved", str(error))
        except Exception as error:
            # Evidence of a bug, whatever it is.
            context.log.error(f"bug while observing {kind}", exc_info=True)
            observation = _unobserved(kind, started_at, "bug", _told(kind, error))
        if used := stack.newly_used():
            for event in observed_services(used):
                context.log_event(event)
        run.evidence.ensure_started(run.recorded)
        stored = run.evidence.add(observation, run.identity)
        remember(run, stored.record, context.log.warning)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(stored.sha256), metadata=_metadata(run, observation, stored, shown)
        )

    return _asset


def _logged(context: dg.AssetExecutionContext) -> Iterator[str]:
    """What Dagster's event log holds of this run, an entry a text."""
    cursor: str | None = None
    while True:
        page = context.instance.get_records_for_run(context.run_id, cursor=cursor)
        for record in page.records:
            yield record.event_log_entry.to_json()
        cursor = page.cursor
        if not page.has_more:
            return


def _told(kind: str, error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{frame.filename.rpartition('hologram_dagster/')[2]}:{frame.lineno}"
    return f"bug in {kind}: {type(error).__name__}: {error} ({where})"


def _unobserved(kind: str, started_at: datetime, name: str, why: str) -> Observation:
    """What there is to record where nothing could be observed: why."""
    return Observation(
        kind=kind,
        status=Status.ERROR,
        method=UNOBSERVED,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        findings=(Finding(name, Status.ERROR, why),),
    )


def _metadata(run: GateRun, seen: Observation, stored: Stored, values: tuple[str, ...]) -> Mapping[str, Any]:
    shown: dict[str, Any] = {"status": dg.MetadataValue.text(str(seen.status))}
    # A comparison says in its sentence how it passed, too.
    compared = "ratio" in seen.values
    if why := seen.why or (seen.findings[0].message if compared and seen.findings else ""):
        shown["why"] = dg.MetadataValue.text(why)
    if "p95_ms" in seen.values and "budget_ms" in seen.values:
        p95, budget = seen.values["p95_ms"], seen.values["budget_ms"]
        shown["p95_ms"] = dg.MetadataValue.float(round(p95, 3))
        shown["p95_pct_of_budget"] = dg.MetadataValue.float(round(100 * p95 / budget, 1))
        shown["budget"] = dg.MetadataValue.text(f"p95 <= {budget:g} ms")
    elif not compared:
        duration_s = (seen.finished_at - seen.started_at).total_seconds()
        shown["duration_ms"] = dg.MetadataValue.float(round(1000 * duration_s, 1))
    for name in values:
        if name in seen.values:
            shown[name] = dg.MetadataValue.float(round(float(seen.values[name]), 3))
    if compared:
        shown.update(paired_metadata(seen.values, seen.facts))
    else:
        shown.update({name: dg.MetadataValue.text(text) for name, text in seen.facts.items()})
    shown["commit"] = dg.MetadataValue.text(run.identity.revision.commit)
    shown["evidence"] = dg.MetadataValue.path(stored.uri)
    return shown


def paired_metadata(
    values: Mapping[str, float], facts: Mapping[str, str]
) -> dict[str, dg.MetadataValue[Any]]:
    """What a person watches of a comparison; `ratio` and `launches` are plotted over the runs.

    Empty where the record holds no ratio.
    """
    if "ratio" not in values:
        return {}
    low, high = values["ratio_low"], values["ratio_high"]
    texts = {
        "interval": f"{low:.3f} to {high:.3f} (99 % bounds)",
        "limit": f"ratio <= {1 + values['margin_pct'] / 100:g}",
        **{
            name: facts[name]
            for name in ("weak", "failed_by", "warnings", "baseline_commit")
            if facts.get(name)
        },
    }
    return {
        "ratio": dg.MetadataValue.float(round(values["ratio"], 4)),
        "launches": dg.MetadataValue.int(int(values["launches"])),
        **{name: dg.MetadataValue.text(text) for name, text in texts.items()},
    }
