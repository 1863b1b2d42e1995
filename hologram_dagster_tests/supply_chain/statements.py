"""Statements of all three kinds, about one revision."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hologram_dagster.evidence.document import EvidenceItem, State, Verdict, Word
from hologram_dagster.evidence.verdict import running
from hologram_dagster.observation import Status
from hologram_dagster.supply_chain.locks import Locked
from hologram_dagster.supply_chain.statements import (
    Made,
    Sealed,
    report_provenance,
    revision_provenance,
    verdict_summary,
)
from hologram_dagster_tests.evidence.helpers import NOW, REVISION, run_of, signer

EVIDENCE = [Sealed("evidence/perf_gql", "1" * 64), Sealed("evidence/verdict", "2" * 64)]
MADE = Made(
    run_id="run-1",
    key_id=signer().key_id,
    started_at=NOW,
    finished_at=NOW + timedelta(minutes=1),
    profile="main",
    environment="local",
    plan={"budgets_ms": {"gql": 80}},
)


def verdict(word: Word = Word.PASS) -> Verdict:
    item = EvidenceItem("perf_gql", Status.PASSED, "memory:1", "1" * 64)
    started = running(run_of(), key_id=signer().key_id)
    return replace(started, verdict=word, state=State.FINAL, finished_at=NOW, evidence=(item,))


def summary(word: Word = Word.PASS) -> dict[str, Any]:
    return verdict_summary(
        verdict(word), MADE, evidence=EVIDENCE, levels=["HOLOGRAM_MAIN", "SLSA_BUILD_LEVEL_1"]
    )


def provenance() -> dict[str, Any]:
    locked = [
        Locked("pypi", "one", "1", ("sha256:" + "3" * 64,)),
        Locked("pypi", "two", "2", ("sha256:" + "4" * 64, "sha256:" + "5" * 64)),
    ]
    locks = [Sealed("requirements.lock", "6" * 64)]
    return revision_provenance(REVISION, MADE, locks=locks, locked=locked, evidence=EVIDENCE)


def report() -> dict[str, Any]:
    return report_provenance(REVISION, MADE, files=[Sealed("index.html", "7" * 64)], evidence=EVIDENCE)
