"""The table of features: every section has its rows, each with a command that there is, or a reason."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hologram_dagster.cli.app import app
from hologram_dagster.settings import Settings

pytestmark = pytest.mark.phase0_ready

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "hologram_dagster_tests"
DOCUMENT = (ROOT / "docs" / "compatibility.md").read_text()
FEATURES = DOCUMENT.partition("## Each feature")[2].partition("\n## ")[0]
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in FEATURES.splitlines()
    if re.match(r"\| \d", line)
]
# The contract's sections 2 to 7, each of which is a list of features.
SECTIONS = [f"{chapter}.{part}" for chapter, parts in {2: 10, 3: 8, 4: 4, 5: 3, 6: 7, 7: 5}.items()
            for part in range(1, parts + 1)]  # fmt: skip
# The contract's section 2.8, in its order; those of CI systems and of chat are in it, too.
VARIABLES = re.findall(
    r"\w+",
    """
    SLO_VERIFY_P95_MS SLO_ENCODE_P95_MS SLO_GQL_P95_MS REGRESSION_THRESHOLD_PCT ENC_MB GQL_SAMPLES GQL_WARMUP
    GRAPHQL_TEST_NAME GRAPHQL_SECURE_NAME GRAPHQL_URL GRAPHQL_TOKEN IPFS_API E2E_APP_NAME E2E_LOAD_DURATION
    E2E_LOAD_WORKERS E2E_LOAD_PAYLOAD E2E_LOAD_OPS_PER_SEC E2E_STRESS_DURATION E2E_STRESS_WORKERS
    E2E_STRESS_PAYLOAD E2E_STRESS_OPS_PER_SEC E2E_STRESS_LANES E2E_STRESS_TARGET_GBPS E2E_PERF_DURATION
    E2E_PERF_LANES E2E_PERF_PAYLOAD E2E_PERF_TARGET_GBPS RUNTIME_CMD_WASM RUNTIME_CMD_EFI RUNTIME_CMD_UBOOT
    HOLOGRAM_PKG HOLOGRAM_WATTS SLACK_WEBHOOK_URL TEAMS_WEBHOOK_URL GITHUB_ACTIONS GITHUB_REF
    GITHUB_REPOSITORY GITHUB_RUN_ID GITHUB_STEP_SUMMARY COLD PORT HOLOGRAM_NET PSS_PROOF_DIGEST
    """,
)


def test_every_section_has_a_row() -> None:
    told = {section for row in ROWS for section in row[0].split(", ")}
    assert set(SECTIONS) - told == set()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1][:30]}")
def test_a_row_has_a_command_or_a_reason(row: tuple[str, ...]) -> None:
    section, feature, shown, reason = row
    assert section
    assert feature
    assert re.search(r"`(hologram|pytest|sh) [^`]+`", shown) or len(reason) > 20, row


def test_every_variable_is_a_setting_or_left_out_with_a_reason() -> None:
    settings = {str(field.validation_alias.choices[0]) for field in Settings.model_fields.values()}  # type: ignore[union-attr]
    left_out = set()
    for _, feature, shown, _ in ROWS:
        if not shown:
            names = re.findall(r"`([A-Z0-9_]+)", feature)
            left_out |= set(names)
            for stem in re.findall(r"`([A-Z0-9_]+_)\*`", feature):
                left_out |= {stem.removesuffix("_") + name for name in names if name.startswith("_")}
    assert set(VARIABLES) - settings - left_out == set()
    assert settings & left_out == set()


def test_every_test_file_of_the_table_holds_tests() -> None:
    shown = " ".join(row[2] for row in ROWS)
    files = sorted({name for text in re.findall(r"`pytest ([^`]+)`", shown) for name in text.split()})
    assert len(files) > 12
    for name in files:
        assert re.search(r"^(async )?def test_", (TESTS / name).read_text(), re.MULTILINE), name


@pytest.mark.parametrize("call", sorted(set(re.findall(r"`hologram (bridge \S+:\S+ \S+)`", DOCUMENT))))
def test_a_call_of_the_bridge_answers(call: str) -> None:
    done = CliRunner().invoke(app, call.split())
    assert done.exit_code == 0, done.output
    assert '"ok":true' in done.output


def test_every_trap_of_the_older_tools_that_the_tables_tell_has_both_sides() -> None:
    before, _, _ = DOCUMENT.partition("## Each feature")
    rows = [line for line in before.splitlines() if line.startswith("| ") and not line.startswith("| what")]
    assert len(rows) > 40
    for line in rows:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert len(cells) == 3, line
        assert all(cells), line
