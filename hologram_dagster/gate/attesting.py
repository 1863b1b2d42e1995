"""The attestation of the older perf family (contract section 2.10), measured now at this revision."""

from datetime import UTC, datetime
from typing import Any

from hologram_dagster.errors import HologramError
from hologram_dagster.history.attestation_export import BenchConfig, BenchRun, attestation
from hologram_dagster.perf.benches import TRANSPORT, benches, time_calls
from hologram_dagster.perf.lock import measuring_lock
from hologram_dagster.settings import Settings
from hologram_dagster.target.revision import read_revision


def attest(settings: Settings, config: BenchConfig) -> dict[str, Any]:
    """Measure every bench as `config` says, holding the measuring lock; the document.

    The code measured is the installed one; the commit is that of the repository.

    Raises:
        HologramError: no repository, uncommitted changes (a commit would not name what was
            measured), a bench that answers wrongly, or the measuring lock did not come free.
    """
    revision = read_revision(settings.repository, exclude=[settings.state_dir, settings.reports_dir])
    if revision.dirty:
        raise HologramError(
            "the tree has uncommitted changes, and an attestation names a commit: commit first."
        )
    with measuring_lock():
        # Run by run, so that what disturbs the machine for a while does not meet one bench alone.
        measured: dict[str, list[BenchRun]] = {}
        for _ in range(config.runs):
            for name, call in benches().items():
                iters = config.iters_transport if name == TRANSPORT else config.iters
                timed = time_calls(call, warmup=config.warmup, iters=iters)
                run = BenchRun(timed.total_ns, timed.samples_ns, timed.cpu_ns)
                measured.setdefault(name, []).append(run)
    return attestation(
        measured, commit=revision.commit, config=config, watts=settings.watts, at=datetime.now(UTC)
    )
