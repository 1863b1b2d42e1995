"""Crashes and competing processes cost the ledger nothing that was acknowledged, and never fork it."""

import logging
import sys
from pathlib import Path

import pytest

from hologram_dagster.processes import start_child, stop_child, wait_until
from hologram_dagster.protocol.ledger import Ledger, LedgerError
from hologram_dagster.protocol.signing import Signer, load_or_create_signer

pytestmark = [pytest.mark.phase2_5_hardening, pytest.mark.phase9_chaos]

# Appends `count` entries (or for ever) and acknowledges each on stdout once it is written.
APPENDER = """
import sys
from itertools import count, islice
from pathlib import Path
from hologram_dagster.protocol.ledger import Ledger
from hologram_dagster.protocol.signing import load_or_create_signer
folder, name, limit = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) or None
ledger = Ledger(folder / "ledger.jsonl", load_or_create_signer(folder / "key.pem", None))
for number in islice(count(), limit):
    print(ledger.append({"name": name, "number": number}).seq, flush=True)
"""


def appender(folder: Path, name: str, count: int) -> list[str]:
    return [sys.executable, "-c", APPENDER, str(folder), name, str(count)]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl", load_or_create_signer(tmp_path / "key.pem", None))


def test_two_processes_never_fork_it(tmp_path: Path, ledger: Ledger) -> None:
    children = [start_child(appender(tmp_path, name, 60), stdout=-1) for name in ("one", "two")]
    acknowledged = [child.communicate(timeout=120)[0].split() for child in children]
    assert [child.returncode for child in children] == [0, 0]
    entries = list(ledger.entries())
    assert sorted(int(seq) for seqs in acknowledged for seq in seqs) == list(range(120))
    for name in ("one", "two"):
        assert [entry.data["number"] for entry in entries if entry.data["name"] == name] == list(range(60))


def _append_until_killed(folder: Path, name: str, answers: Path) -> None:
    with answers.open("wb") as stream:
        child = start_child(appender(folder, name, 0), stdout=stream)
        try:
            assert wait_until(lambda: answers.stat().st_size > 40, timeout_s=60)
        finally:
            child.kill()
            stop_child(child)


def test_what_was_acknowledged_survives_kills(tmp_path: Path, ledger: Ledger) -> None:
    acknowledged = -1
    for round_number in range(3):
        answers = tmp_path / f"acknowledged-{round_number}"
        _append_until_killed(tmp_path, str(round_number), answers)
        acknowledged = max(acknowledged, int(answers.read_text().splitlines()[-1]))
        # No lock outlives its holder, and the next append goes on where it ended.
        assert ledger.append({"after": round_number}).seq > acknowledged
    seqs = [entry.seq for entry in ledger.entries()]
    assert seqs == list(range(len(seqs)))


def test_a_tail_torn_anywhere_is_found_set_aside_and_reported(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.append({"op": "a"})
    kept = ledger.path.read_bytes()
    ledger.append({"op": "b"})
    whole = ledger.path.read_bytes()
    for cut in range(len(kept) + 1, len(whole), 37):
        ledger.path.write_bytes(whole[:cut])
        with pytest.raises(LedgerError) as caught:
            list(ledger.entries())
        assert (caught.value.code, caught.value.seq) == ("torn_tail", 1)
        assert ledger.seq() == 0

        already = len(ledger.torn_files())
        with caplog.at_level(logging.WARNING):
            assert ledger.append({"op": "c"}).seq == 1
        assert "torn tail" in caplog.records[-1].message
        assert len(ledger.torn_files()) == already + 1
        assert ledger.torn_files()[-1].name == f"ledger.jsonl.torn-{already + 1}"
        assert ledger.torn_files()[-1].read_bytes() == whole[len(kept) : cut]
        assert [entry.data["op"] for entry in ledger.entries()] == ["a", "c"]


def test_a_line_complete_but_for_its_end_was_never_acknowledged(ledger: Ledger) -> None:
    ledger.append({"op": "a"})
    torn = ledger.path.read_bytes()[:-1]
    ledger.path.write_bytes(torn)
    aside = ledger.repair()
    assert aside is not None
    assert aside.read_bytes() == torn
    assert ledger.path.read_bytes() == b""
    assert ledger.repair() is None
    assert ledger.append({"op": "b"}).seq == 0


def test_setting_aside_overwrites_nothing(ledger: Ledger) -> None:
    taken = ledger.path.with_name("ledger.jsonl.torn-1")
    taken.write_bytes(b"older")
    ledger.append({"op": "a"})
    with ledger.path.open("ab") as stream:
        stream.write(b"torn")
    aside = ledger.repair()
    assert aside is not None
    assert aside.name == "ledger.jsonl.torn-2"
    assert ledger.torn_files() == [taken, aside]
    assert taken.read_bytes() == b"older"


def test_a_key_that_changed_goes_on_the_same_chain(ledger: Ledger, stranger: Signer) -> None:
    first = ledger.append({"op": "a"})
    second = Ledger(ledger.path, stranger).append({"op": "b"})
    assert second.prev == first.head
    assert [entry.key_id for entry in ledger.entries()] == [first.key_id, stranger.key_id]
