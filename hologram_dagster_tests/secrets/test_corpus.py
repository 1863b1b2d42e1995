"""What is found and redacted of the corpus, what is not touched, and that the document says so."""

import re
from pathlib import Path

import pytest

from hologram_dagster.secrets.kinds import CONTRACT, Kind
from hologram_dagster.secrets.redactor import redact
from hologram_dagster.secrets.scan import find
from hologram_dagster_tests.secrets.addresses import SORTS, addresses, lines
from hologram_dagster_tests.secrets.corpus import PER_KIND, Item, corpus
from hologram_dagster_tests.secrets.measuring import is_gone, ours, redacted, scores

pytestmark = pytest.mark.phase7_security

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "secrets_evidence.md"
ITEMS = corpus()


def test_the_corpus_has_twenty_secrets_and_look_alikes_of_every_kind() -> None:
    for kind in set(Kind) - {Kind.KNOWN}:
        secrets = [item for item in ITEMS if item.kind is kind and item.value]
        alike = [item for item in ITEMS if item.kind is kind and not item.value]
        assert len(secrets) >= 20, kind
        assert len(alike) >= 20, kind
        # In mixed forms: what stands around the values differs, and the values do.
        assert len({item.text.replace(item.value, "") for item in secrets}) >= 1
        assert len({item.value for item in secrets}) == len(secrets)
        assert all(item.value in item.text for item in secrets)
    assert len(set(Kind) - CONTRACT - {Kind.KNOWN}) >= 20


@pytest.mark.parametrize("seed", [96, 0, 1])
def test_all_of_the_contracts_kinds_and_nearly_all_of_the_rest_are_found_and_redacted(seed: int) -> None:
    items = corpus(seed)
    gone = redacted(items)
    for kind, score in scores(items, ours).items():
        least = 1.0 if kind in CONTRACT else 0.95
        assert score.recall >= least, (kind, score)
        assert gone[kind] / PER_KIND >= least, kind
        assert score.precision is not None
        assert score.precision >= 0.95, (kind, score)


def test_what_is_left_of_a_value_is_noticed() -> None:
    # The measure itself can fail: a value without a name or form is neither found nor gone.
    bare = Item(Kind.TOKEN, "sent q7Rt1AbC9x2Lm to host", "q7Rt1AbC9x2Lm")
    assert not is_gone(bare)
    assert not ours(bare.text)


@pytest.mark.parametrize("seed", [7, 8])
def test_none_of_600_addresses_is_found_or_changed(seed: int) -> None:
    written = lines(600, seed)
    assert len(set(addresses(600, seed))) == 600
    assert len(SORTS) == 15
    assert [line for line in written if find(line)] == []
    assert [line for line in written if redact(line) != line] == []


def test_the_document_tells_the_figures_of_this_corpus() -> None:
    rows = re.findall(
        r"^\| \**([a-z_0-9]+)\** \| (\d+)% \| (\d+%) \| (\d+%) \|", DOCUMENT.read_text(), re.MULTILINE
    )
    gone, own = redacted(ITEMS), scores(ITEMS, ours)
    told = {kind: (redacts, f"{recall} | {precision}") for kind, redacts, recall, precision in rows}
    assert told == {
        str(kind): (f"{gone[kind] / PER_KIND:.0%}"[:-1], str(score)) for kind, score in own.items()
    }
