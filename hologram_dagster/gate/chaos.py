"""Chaos experiments in a gate run: where they are carried out, and what becomes evidence.

What belongs here: the site from the settings, and trying again what a busy host left undecided. What does
not: the experiments (`chaos`), whether the findings fail the run (`evidence.judge`).
"""

import shutil
from dataclasses import replace
from pathlib import Path

from hologram_dagster.chaos.catalogue import CATALOGUE, Site, Theirs, carry_out_on
from hologram_dagster.chaos.journal_file import journal_path
from hologram_dagster.chaos.leftovers import Leftovers
from hologram_dagster.gate.run import GateRun, policy_of
from hologram_dagster.gate.services import own_endpoints
from hologram_dagster.observation import Artifact, Observation, Status, with_facts
from hologram_dagster.policy import ChaosCommands
from hologram_dagster.protocol.canonical import sha256_hex
from hologram_dagster.settings import Settings
from hologram_dagster.target.revision import resolve_ref

# What a host that is busy for a moment leaves undecided is tried again; what failed is not.
MOST_TRIES = 3


def chaos_site(
    settings: Settings,
    *,
    folder: Path,
    budget_ms: float,
    seed: int = 0,
    repeats: int = 1,
    commands: ChaosCommands | None = None,
) -> Site:
    """The site that `settings` name: the user's services, or those that the experiment starts in `folder`.

    Raises:
        HologramError: only one of the user's services is named, or `hologram.toml` is malformed.
    """
    own = own_endpoints(settings)
    theirs = None
    if own is not None:
        if commands is None:
            commands = policy_of(settings.repository, resolve_ref(settings.repository, "HEAD")).chaos
        urls = tuple(url.strip() for url in (settings.graphql_urls or "").split(",") if url.strip())
        theirs = Theirs(
            own.ipfs_api, own.graphql_url, own.graphql_token, commands, settings.allow_disruption, urls
        )
    return Site(
        folder=folder,
        reports=settings.reports_dir / "chaos",
        leftovers=Leftovers(settings.state_dir / "chaos" / "leftovers"),
        budget_ms=budget_ms,
        seed=seed,
        repeats=repeats,
        theirs=theirs,
    )


def observe_chaos(run: GateRun, kind: str, *, repeats: int = 1) -> Observation:
    """What came of the experiment `kind`; one left undecided is tried again, with the next seed.

    Raises:
        HologramError: what it needs does not start.
    """
    folder = run.settings.state_dir / "chaos" / "runs" / run.identity.run_id / kind
    undecided: list[str] = []
    for seed in range(MOST_TRIES):
        try:
            site = chaos_site(
                run.settings,
                folder=folder,
                budget_ms=run.plan.budgets_ms["gql"],
                seed=seed,
                repeats=repeats,
                commands=run.policy.chaos,
            )
            seen, journal = carry_out_on(CATALOGUE[kind], site)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if seen.status is not Status.INCONCLUSIVE:
            break
        undecided.append(seen.why)
    tries = len(undecided) + (seen.status is not Status.INCONCLUSIVE)
    seen = with_facts(seen, tries=str(tries), undecided="; ".join(undecided))
    return replace(seen, artifacts=_kept(run, kind)) if journal is not None else seen


def _kept(run: GateRun, kind: str) -> tuple[Artifact, ...]:
    """The journal, kept with the evidence: that in the reports is the newest run's."""
    data = journal_path(run.settings.reports_dir / "chaos", kind).read_bytes()
    store = run.evidence.store
    return (Artifact(store.uri(store.put_artifact(data, f"{kind}.json")), sha256_hex(data)),)
