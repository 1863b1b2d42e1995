"""The runbook: every check has its section, and its commands exist."""

from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from hologram_dagster.cli.app import app
from hologram_dagster.evidence.judge import CHECKS
from hologram_dagster.reports.runbook import ANY, DOCUMENT, FAMILIES, family_of, runbook_markdown

pytestmark = pytest.mark.phase0_ready

ROOT = Path(__file__).resolve().parents[2]


def test_the_document_is_what_triage_says() -> None:
    written = (ROOT / DOCUMENT).read_text()
    assert written == runbook_markdown(), "write it again from runbook_markdown()"


@pytest.mark.parametrize("kind", CHECKS)
def test_every_check_has_a_section_of_its_own_family(kind: str) -> None:
    family = family_of(kind)
    assert family is not ANY, f"{kind} needs a family in hologram_dagster/reports/runbook.py"
    section = runbook_markdown().partition(f"## {family.title}\n")[2].partition("\n## ")[0]
    for check in CHECKS[kind]:
        assert check.description in section


def test_what_is_no_kind_of_evidence_is_explained_too() -> None:
    assert family_of("ledger") is family_of("verdict") is ANY
    for family in FAMILIES:
        heading = family.anchor.partition("#")[2]
        assert heading == heading.lower()
        assert f"## {family.title}\n" in runbook_markdown()


@pytest.mark.parametrize("command", sorted({each for family in FAMILIES for each in family.commands}))
def test_every_command_is_one_of_ours(command: str) -> None:
    program, verb, *rest = command.split()
    assert program == "hologram"
    words = [verb, rest[0]] if verb in {"stack", "baseline", "history", "secrets", "flakes"} else [verb]
    assert verb in get_command(app).commands  # type: ignore[attr-defined]  # click's group
    shown = CliRunner().invoke(app, [*words, "--help"])
    assert shown.exit_code == 0, shown.output
