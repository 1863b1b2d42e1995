"""The study of `docs/flake_evidence.md`, in its short form."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.phase9_chaos, pytest.mark.study]


def test_what_is_called_flaky_is_flaky_and_what_flakes_often_is_found() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "flake_study.py"), "--runs", "30", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {name: share for name, share in result["precision"].items() if name != "tool_before"} == {
        "flaky": 1.0,
        "flaky_without_reruns": 1.0,
        "quarantined": 1.0,
    }
    kinds = {kind["kind"]: kind for kind in result["kinds"]}
    assert kinds["often"]["called_flaky"] == kinds["order"]["called_flaky"] == 1.0
    assert kinds["always"]["broken"] == 1.0
    assert kinds["sound"]["called_flaky"] == kinds["regressed"]["called_flaky"] == 0.0
