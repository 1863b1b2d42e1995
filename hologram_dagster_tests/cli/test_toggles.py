"""`hologram toggles`: the numbers of contract section 2.7, in lines that shells take."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.phase6_perf

HOLOGRAM = str(Path(sys.executable).parent / "hologram")


def _toggles(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([HOLOGRAM, "toggles", *arguments], capture_output=True, text=True, check=False)


def test_without_arguments_all_four_profiles_are_printed() -> None:
    output = _toggles().stdout
    headings = [line for line in output.splitlines() if line.startswith("# ") and "," in line]
    assert [line.split(",")[0] for line in headings] == ["# pr", "# main", "# nightly", "# dev"]


def test_a_profile_prints_budgets_sizes_and_endpoints_twice() -> None:
    lines = _toggles("main", "staging").stdout.splitlines()
    exports = [line.removeprefix("export ") for line in lines if line.startswith("export ")]
    assert exports == [
        "SLO_VERIFY_P95_MS=8",
        "SLO_ENCODE_P95_MS=80",
        "SLO_GQL_P95_MS=80",
        "REGRESSION_THRESHOLD_PCT=10",
        "GQL_SAMPLES=100",
        "GQL_WARMUP=10",
        "ENC_MB=4",
        "IPFS_API=https://ipfs-staging.example.com",
        "GRAPHQL_URL=https://graphql-staging.example.com/graphql",
    ]
    powershell = [line for line in lines if line.startswith("$env:")]
    assert powershell[0] == '$env:SLO_VERIFY_P95_MS="8"'
    assert len(powershell) == len(exports)


def test_a_shell_takes_the_lines() -> None:
    script = f'eval "$({HOLOGRAM} toggles pr local | grep ^export)"; echo "$SLO_GQL_P95_MS $IPFS_API"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "150 http://127.0.0.1:5001"


@pytest.mark.parametrize(
    ("shell", "first"),
    [
        ("bash", "export SLO_VERIFY_P95_MS=15"),
        ("powershell", '$env:SLO_VERIFY_P95_MS="15"'),
        ("fish", "set -gx SLO_VERIFY_P95_MS 15"),
        ("github", "SLO_VERIFY_P95_MS=15"),
    ],
)
def test_a_shell_gets_its_own_lines_and_no_others(shell: str, first: str) -> None:
    lines = _toggles("pr", "local", "--shell", shell).stdout.splitlines()
    assert lines[0] == first
    assert len(lines) == 9
    assert all("#" not in line for line in lines)


def test_json_is_one_object_with_the_same_values() -> None:
    document = json.loads(_toggles("main", "staging", "--shell", "json").stdout)
    assert (document["profile"], document["endpoint"]) == ("main", "staging")
    assert json.loads(_toggles("main", "staging", "--json").stdout) == document
    bash = _toggles("main", "staging", "--shell", "bash").stdout.splitlines()
    assert [f"export {key}={value}" for key, value in document["variables"].items()] == bash


@pytest.mark.parametrize(
    "arguments", [("weekly",), ("pr", "moon"), ("--shell", "bash"), ("pr", "--shell", "csh")]
)
def test_unknown_words_are_refused(arguments: tuple[str, ...]) -> None:
    done = _toggles(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
