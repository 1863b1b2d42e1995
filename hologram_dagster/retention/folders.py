"""What has expired in our own folders: logs, checkouts, stacks of killed runs, rotated events."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from hologram_dagster.e2e.events import rotated_logs
from hologram_dagster.files import size_of
from hologram_dagster.retention.expired import Expired, expired_path
from hologram_dagster.settings import Settings
from hologram_dagster.stack.status import status
from hologram_dagster.watch.remote import checkouts_of


def expired_files(settings: Settings, now: datetime) -> Iterator[Expired]:
    """What of our own folders is beyond its retention at `now`; nothing that anything still uses."""
    logs = (now - timedelta(days=settings.keep_runs_days)).timestamp()
    artifacts = (now - timedelta(days=settings.keep_artifacts_days)).timestamp()
    for path in _older(settings.state_dir / "logs", logs):
        yield expired_path("log", path, name=f"logs/{path.name}", export=True)
    for name in ("events.jsonl", "load_events.jsonl", "stress_events.jsonl"):
        for path in rotated_logs(settings.reports_dir / "e2e" / name):
            if path.stat().st_mtime < artifacts:
                yield expired_path("events", path, name=f"e2e/{path.name}", export=True)
    checkouts = checkouts_of(settings)
    for path in checkouts.unused(artifacts):
        yield Expired(
            "checkout",
            str(path.relative_to(checkouts.root)),
            size_of(path),
            partial(checkouts.remove_unused, path, artifacts),
        )
    for folder in ("runs", "fresh"):
        for path in _older(settings.state_dir / "stack" / folder, artifacts):
            if not status(path).running:
                yield expired_path("stack", path, name=f"stack/{folder}/{path.name}", export=False)


def _older(folder: Path, moment: float) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.stat().st_mtime < moment)
