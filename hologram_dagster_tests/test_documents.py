"""The documents are true: their settings files parse, and their links lead somewhere."""

import re
from pathlib import Path

import pytest

from hologram_dagster.policy import parse_policy

pytestmark = pytest.mark.phase0_ready

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
        assert link.startswith("http") or (document.parent / link).exists(), link


def test_every_settings_file_in_the_documents_parses() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "targets.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    full = parse_policy(blocks[0].encode(), where="targets.md")
    assert full.target is not None
    assert full.target.server is not None
    assert full.budgets.main.gql == 70
    script = parse_policy(blocks[1].encode(), where="targets.md").target
    assert script is not None
    assert (ROOT / script.worker[1].removeprefix("{tree}/")).exists()
