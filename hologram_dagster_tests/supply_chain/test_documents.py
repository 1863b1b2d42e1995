"""The commands of `docs/supply_chain.md` are those of the programs: ours is run, options of others are."""

import re
import shlex
from pathlib import Path

import pytest

from hologram_dagster_tests.supply_chain.test_vouching import attested, hologram, published

pytestmark = pytest.mark.phase7_security

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "supply_chain.md").read_text(), re.DOTALL)


def test_our_own_command_answers_as_the_document_says(folder: Path) -> None:
    run, _ = attested(folder)
    record = next((run.evidence.ledger.path.parent / "records").rglob("verdict-*.json"))
    values = {
        "reports/supply_chain/verdict.sigstore.json": str(published(run, "verdict.sigstore.json")),
        "public.pem": str(published(run, "public.pem")),
        "COMMIT": run.identity.revision.commit,
        "RECORD": str(record),
    }
    (command,) = [line for block in BLOCKS for line in block.splitlines() if line.startswith("hologram ")]
    name, verb, *arguments = shlex.split(command)
    assert (name, verb) == ("hologram", "verify")
    assert hologram(*(values.get(each, each) for each in arguments))[0] == 0


def test_the_command_for_cosign_has_the_options_that_are_run_with_it() -> None:
    (block,) = [block for block in BLOCKS if block.startswith("cosign verify-blob-attestation --key")]
    script = (ROOT / "tools" / "verify_by_others.sh").read_text()
    options = re.findall(r"--[a-z-]+(?:=\w+)?", block)
    assert len(options) == 4
    assert [option for option in options if option not in script] == []
