"""Experiments and journals in Chaos Toolkit's open JSON form (chaostoolkit.org, experiment 1.0.0).

An exported experiment runs under `chaos run`: its hypothesis, looked at once, is that ours passed, as ours
judges for itself what an exit status of an action does not tell. An exported journal has every step of ours
as an activity. What belongs here: their form. What does not: ours (`journal`).
"""

import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

_STATUS = {"passed": "completed", "failed": "failed", "inconclusive": "aborted", "error": "aborted"}
_KINDS = {
    "fault": "action",
    "action": "action",
    "undo": "action",
    "meanwhile": "action",
    "rollback": "action",
}
_HYPOTHESIS = ("steady before", "steady after")


def experiment_of(name: str, title: str, *, seed: int) -> dict[str, Any]:
    """The experiment `name` as one that Chaos Toolkit validates and runs."""
    command = f"chaos run {name} --seed {seed}"
    return {
        "version": "1.0.0",
        "title": title,
        "description": f"Carried out and judged by `hologram {command}`.",
        "tags": ["hologram", name],
        "runtime": {"hypothesis": {"strategy": "after-method-only"}},
        "steady-state-hypothesis": {
            "title": "The experiment passed",
            "probes": [
                {
                    "type": "probe",
                    "name": name,
                    "tolerance": 0,
                    "provider": {
                        "type": "process",
                        "path": "hologram",
                        "arguments": command,
                        "timeout": 1800,
                    },
                }
            ],
        },
        "method": [],
        "rollbacks": [],
    }


def journal_of(journal: Mapping[str, Any]) -> dict[str, Any]:
    """A journal of ours, in JSON's form, as one of Chaos Toolkit's."""
    entries: Sequence[Mapping[str, Any]] = journal["entries"]
    started = datetime.fromisoformat(journal["started_at"])
    ended = datetime.fromisoformat(journal["finished_at"]) if journal["finished_at"] else started
    activities = [_activity(entry) for entry in entries if entry["step"] not in _HYPOTHESIS]
    outcome = str(journal["outcome"])
    return {
        "platform": platform.platform(),
        "experiment": experiment_of(journal["experiment"], journal["title"], seed=journal["seed"]),
        "start": started.isoformat(),
        "end": ended.isoformat(),
        "duration": (ended - started).total_seconds(),
        "status": _STATUS.get(outcome, "aborted"),
        "deviated": outcome == "failed",
        "steady_states": {
            when: {
                "steady_state_met": all(
                    entry["status"] == "passed" for entry in entries if entry["step"] == step
                ),
                "probes": [_activity(entry) for entry in entries if entry["step"] == step],
            }
            for when, step in zip(("before", "after"), _HYPOTHESIS, strict=True)
        },
        "run": [each for each in activities if each["activity"]["name"].partition(" ")[0] != "rollback"],
        "rollbacks": [
            each for each in activities if each["activity"]["name"].partition(" ")[0] == "rollback"
        ],
    }


def _activity(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "activity": {
            "type": _KINDS.get(entry["step"], "probe"),
            "name": f"{entry['step']} {entry['name']}".strip(),
        },
        "status": "succeeded" if entry["status"] == "passed" else "failed",
        "output": entry["told"],
        "duration": round(entry["ended_s"] - entry["began_s"], 3),
    }
