"""The end of the ledger is read backwards, and verified as strictly as the whole."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.evidence import tail
from hologram_dagster.evidence.tail import find_data, find_lines, lines_backwards, read_back
from hologram_dagster.protocol.ledger import MAX_LINE_BYTES, Ledger
from hologram_dagster.protocol.ledger_entry import LedgerError
from hologram_dagster_tests.evidence.helpers import signer

pytestmark = pytest.mark.phase9_chaos


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path / "ledger.jsonl", signer())
    for number in range(6):
        made.append({"number": number})
    return made


def back_to(path: Path, number: int) -> list[int]:
    entries = read_back(path, lambda data: data["number"] < number)
    return [entry.data["number"] for entry in entries]


def rewrite(ledger: Ledger, lines: list[str]) -> None:
    ledger.path.write_text("".join(f"{line}\n" for line in lines))


@given(
    lines=st.lists(st.text(alphabet="ab€", max_size=40), max_size=12),
    torn=st.text(alphabet="ab", max_size=30),
    chunk=st.integers(min_value=1, max_value=50),
)
def test_backwards_is_the_whole_lines_reversed(
    lines: list[str], torn: str, chunk: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("tail") / "lines"
    path.write_text("".join(f"{line}\n" for line in lines) + torn)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tail, "_CHUNK_BYTES", chunk)
        assert list(lines_backwards(path)) == [line.encode() for line in reversed(lines)]


def test_no_file_has_no_lines(tmp_path: Path) -> None:
    assert list(lines_backwards(tmp_path / "none")) == []
    assert read_back(tmp_path / "none", lambda data: False) == []


def test_an_endless_line_is_refused_before_it_is_held(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"\n" + b"x" * (3 * MAX_LINE_BYTES) + b"\n")
    with pytest.raises(LedgerError, match="over"):
        list(lines_backwards(path))


def test_only_the_part_asked_for_is_read(ledger: Ledger) -> None:
    assert back_to(ledger.path, 4) == [4, 5]
    assert back_to(ledger.path, 0) == [0, 1, 2, 3, 4, 5]
    assert back_to(ledger.path, 9) == []


def test_a_torn_tail_is_no_entry(ledger: Ledger) -> None:
    with ledger.path.open("a") as stream:
        stream.write('{"v":1,"seq":6')
    assert back_to(ledger.path, 4) == [4, 5]


def test_an_edited_entry_is_refused(ledger: Ledger) -> None:
    lines = ledger.path.read_text().splitlines()
    rewrite(ledger, [*lines[:4], lines[4].replace('"number":4', '"number":7'), lines[5]])
    with pytest.raises(LedgerError) as refusal:
        back_to(ledger.path, 3)
    assert refusal.value.code == "bad_data_hash"


def test_a_dropped_entry_is_refused(ledger: Ledger) -> None:
    lines = ledger.path.read_text().splitlines()
    rewrite(ledger, [*lines[:4], lines[5]])
    with pytest.raises(LedgerError) as refusal:
        back_to(ledger.path, 3)
    assert refusal.value.code == "bad_seq"


def test_entries_dropped_from_the_front_are_noticed_when_read_to_the_front(ledger: Ledger) -> None:
    rewrite(ledger, ledger.path.read_text().splitlines()[2:])
    with pytest.raises(LedgerError) as refusal:
        back_to(ledger.path, 0)
    assert refusal.value.code == "bad_seq"


def test_swapped_entries_are_refused(ledger: Ledger) -> None:
    lines = ledger.path.read_text().splitlines()
    rewrite(ledger, [*lines[:3], lines[4], lines[3], lines[5]])
    with pytest.raises(LedgerError) as refusal:
        back_to(ledger.path, 3)
    assert refusal.value.code == "bad_seq"


def test_an_entry_put_in_by_another_key_breaks_the_links(ledger: Ledger, tmp_path: Path) -> None:
    lines = ledger.path.read_text().splitlines()
    rewrite(ledger, lines[:3])
    Ledger(ledger.path, signer(2)).append({"number": 3, "changed": True})
    rewrite(ledger, [*ledger.path.read_text().splitlines(), *lines[4:]])
    with pytest.raises(LedgerError) as refusal:
        back_to(ledger.path, 2)
    assert refusal.value.code == "bad_prev"


def test_an_edited_boundary_is_refused(ledger: Ledger) -> None:
    lines = ledger.path.read_text().splitlines()
    rewrite(ledger, [*lines[:3], lines[3].replace('"number":3', '"number":-3'), *lines[4:]])
    with pytest.raises(LedgerError) as refusal:
        back_to(ledger.path, 3)
    assert refusal.value.code == "bad_data_hash"


def test_data_is_found_newest_first_and_unreadable_lines_passed_over(ledger: Ledger) -> None:
    lines = ledger.path.read_text().splitlines()
    rewrite(ledger, [*lines, '{"number": broken', '["number"]', json.dumps({"data": ["number"]})])
    assert [data["number"] for data in find_data(ledger.path, "number")] == [5, 4, 3, 2, 1, 0]
    assert list(find_data(ledger.path, "nowhere")) == []


def test_a_search_ends_at_the_first_entry_of_before(ledger: Ledger) -> None:
    for day in (1, 2, 3):
        ledger.append({"wanted": day, "at": f"2026-03-0{day}T00:00:00.000000Z", 'a "at":"0': '"at":"0'})
    asked = [
        [data["wanted"] for data in find_data(ledger.path, "wanted", since=since)]
        for since in ("", "2026-03-02T00:00:00.000000Z", "2027")
    ]
    assert asked == [[3, 2, 1], [3, 2], []]
    assert len(list(find_lines(ledger.path, "number"))) == 6
    assert list(find_lines(ledger.path, "number", since="2026-03-03")) == []
