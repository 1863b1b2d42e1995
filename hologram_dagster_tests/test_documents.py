"""The documents are true: their settings files parse, and their links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

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
    # An example without a server could never be green on main.
    assert script.server is not None
    assert (ROOT / script.worker[1].removeprefix("{tree}/")).exists()


def test_the_projects_own_settings_file_and_its_examples_parse() -> None:
    own = (ROOT / "hologram.toml").read_text()
    assert parse_policy(own.encode(), where="hologram.toml").target is None
    for example in re.findall(r"^# (trusted_keys|\[.*?\])", own, re.MULTILINE):
        line = 'trusted_keys = ["0123456789abcdef"]' if example == "trusted_keys" else example
        parse_policy(line.encode(), where="hologram.toml")


def test_every_hook_of_a_commit_passes_on_this_checkout() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    for hook in hooks:
        program, *options = hook["entry"].split()
        assert program.startswith(".venv/bin/")
        if "pytest" in options:
            # This suite runs those tests itself.
            continue
        files = ["hologram_dagster/errors.py"] if hook.get("pass_filenames", True) else []
        command = [str(Path(sys.executable).parent / Path(program).name), *options, *files]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
