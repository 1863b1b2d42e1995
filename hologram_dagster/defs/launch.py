"""Run one gate job in this process, telling the progress as JSON lines on standard output.

`hologram gate` starts it as a child (`python -m hologram_dagster.defs.launch`), so that a
hung or killed run still leaves somebody to conclude it. Lines: `{"step", "event":
"started" | "finished" | "failed", "seconds"}`, and `{"step", "event": "warned", "message"}`.
Dagster's own log goes to standard error.
"""

import argparse
import json
import logging
import sys
import threading
from collections.abc import Iterator

import dagster as dg

from hologram_dagster.build import build_defs

_POLL_S = 0.2
_EVENTS = {
    dg.DagsterEventType.STEP_START: "started",
    dg.DagsterEventType.STEP_SUCCESS: "finished",
    dg.DagsterEventType.STEP_FAILURE: "failed",
}


class _Progress:
    """Reads the run's events from the instance as they come, and turns steps into lines."""

    def __init__(self, instance: dg.DagsterInstance, run_id: str):
        self._instance = instance
        self._run_id = run_id
        self._cursor: str | None = None
        self._started: dict[str, float] = {}

    def new_lines(self) -> Iterator[dict[str, object]]:
        if self._instance.get_run_by_id(self._run_id) is None:
            return
        page = self._instance.get_records_for_run(self._run_id, cursor=self._cursor)
        self._cursor = page.cursor
        for record in page.records:
            entry = record.event_log_entry
            event = entry.dagster_event
            if event is None and entry.level == logging.WARNING:
                yield {"step": entry.step_key, "event": "warned", "message": entry.user_message}
            told = _EVENTS.get(event.event_type) if event is not None else None
            if told is None or entry.step_key is None:
                continue
            if told == "started":
                self._started[entry.step_key] = entry.timestamp
            seconds = entry.timestamp - self._started.get(entry.step_key, entry.timestamp)
            yield {"step": entry.step_key, "event": told, "seconds": round(seconds, 2)}


def launch(*, job: str, run_id: str, tags: dict[str, str]) -> bool:
    """Run `job` on the instance of `DAGSTER_HOME`; whether every step and gate succeeded.

    Raises:
        dagster.DagsterInvalidDefinitionError: there is no such job.
    """
    definition = build_defs().resolve_job_def(job)
    with dg.DagsterInstance.get() as instance:
        progress = _Progress(instance, run_id)
        over = threading.Event()

        def tell() -> None:
            last = False
            while not last:
                last = over.wait(_POLL_S)
                for line in progress.new_lines():
                    print(json.dumps(line), flush=True)  # noqa: T201 (the progress protocol)

        teller = threading.Thread(target=tell, name="progress")
        teller.start()
        try:
            result = definition.execute_in_process(
                instance=instance, run_id=run_id, tags=tags, raise_on_error=False
            )
        finally:
            over.set()
            teller.join()
    return result.success


def main() -> None:
    """Entry point of the child process; exits 0 if the run succeeded, else 1."""
    parser = argparse.ArgumentParser(prog="python -m hologram_dagster.defs.launch")
    parser.add_argument("--job", required=True)
    parser.add_argument("--run-id", required=True)
    parser.add_argument("--tags", type=json.loads, default={})
    given = parser.parse_args()
    sys.exit(0 if launch(job=given.job, run_id=given.run_id, tags=given.tags) else 1)


if __name__ == "__main__":
    main()
