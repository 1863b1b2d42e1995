"""What the ledger tells is what was written; anything else is found, with its code (contract 5.3)."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError, HologramError
from hologram_dagster.protocol import ledger_entry
from hologram_dagster.protocol.ledger import MAX_LINE_BYTES, Entry, Ledger, LedgerError
from hologram_dagster.protocol.signing import Signer
from hologram_dagster_tests.protocol.json_values import objects

pytestmark = [pytest.mark.phase1_core, pytest.mark.phase7_security, pytest.mark.proof_chain_mandatory]


@pytest.fixture
def ledger(tmp_path: Path, signer: Signer) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl", signer)


def read(ledger: Ledger) -> list[Any]:
    return [entry.data for entry in ledger.entries()]


def code_of(ledger: Ledger, **options: Any) -> tuple[str, int | None]:
    with pytest.raises(LedgerError) as caught:
        list(ledger.entries(**options))
    assert caught.value.code in str(caught.value)
    return caught.value.code, caught.value.seq


def test_contract_vector(ledger: Ledger) -> None:
    entry = ledger.append({"op": "a"})
    assert (entry.seq, entry.prev) == (0, "")
    assert entry.data_hash == "0d3e18806bd25308d4503687610158436040022133bb91faae5950a2b474684b"
    assert entry.head == "e4e243ea9869d82c87395ecdbe22d774e49e66e53501c3561826a4d0f0fe22d0"


def test_a_line_has_the_contracts_fields(ledger: Ledger) -> None:
    ledger.append({"op": "a"})
    second = ledger.append({"op": "b"})
    lines = ledger.path.read_text().splitlines()
    assert lines[1] == second.line
    fields = json.loads(lines[1])
    assert fields["seq"] == 1
    assert fields["prev"] == json.loads(lines[0])["head"]
    assert fields["data"] == {"op": "b"}
    assert fields["dataHash"] == second.data_hash
    assert fields["head"] == second.head


def test_empty_ledger(ledger: Ledger) -> None:
    assert (list(ledger.entries()), ledger.last(), ledger.head(), ledger.seq()) == ([], None, "", -1)
    assert ledger.repair() is None
    ledger.path.touch()
    assert (list(ledger.entries()), ledger.last(), ledger.head(), ledger.seq()) == ([], None, "", -1)


@given(st.lists(objects, max_size=5))
@settings(deadline=None, max_examples=40)
def test_any_data_round_trips(
    tmp_path_factory: pytest.TempPathFactory, signer: Signer, rows: list[Any]
) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("ledger") / "ledger.jsonl", signer)
    written = [ledger.append(row) for row in rows]
    assert list(ledger.entries()) == written
    assert read(ledger) == rows
    assert ledger.seq() == len(rows) - 1
    assert ledger.head() == (written[-1].head if written else "")


def test_an_entry_longer_than_one_read_is_found_as_the_tail(ledger: Ledger) -> None:
    for length in (10, 8_000, 8_192, 100_000, 10):
        ledger.append({"text": "x" * length})
    assert ledger.seq() == 4
    assert len(read(ledger)) == 5


def test_without_a_key_it_is_for_reading_only(ledger: Ledger) -> None:
    ledger.append({"op": "a"})
    reader = Ledger(ledger.path, None)
    assert read(reader) == [{"op": "a"}]
    assert reader.head() == ledger.head()
    with pytest.raises(HologramError, match="for reading only"):
        reader.append({"op": "b"})


@pytest.mark.parametrize(
    "data", [{"a": float("nan")}, {"a": 2**60}, {1: 2}, {"a": b"x"}, {"a": {1, 2}}], ids=repr
)
def test_what_is_no_json_is_refused_and_leaves_the_ledger_alone(ledger: Ledger, data: Any) -> None:
    ledger.append({"op": "a"})
    before = ledger.path.read_bytes()
    with pytest.raises(FormatError):
        ledger.append(data)
    assert ledger.path.read_bytes() == before


def test_an_overlong_entry_is_refused(ledger: Ledger, signer: Signer) -> None:
    with pytest.raises(HologramError, match="too long"):
        ledger.append({"text": "x" * MAX_LINE_BYTES})
    spare = len(ledger_entry.link({"text": ""}, None, signer).line)
    ledger.append({"text": "x" * (MAX_LINE_BYTES - 1 - spare)})
    assert ledger.path.stat().st_size == MAX_LINE_BYTES
    assert len(read(ledger)) == 1


def test_every_changed_byte_is_found(ledger: Ledger) -> None:
    for op in ("a", "b"):
        ledger.append({"op": op, "$comment": [2.0, 1]})
    whole = ledger.path.read_bytes()
    missed = []
    for at in range(len(whole)):
        for bit in range(8):
            ledger.path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
            try:
                list(ledger.entries())
                missed.append((at, bit))
            except LedgerError:
                pass
    assert not missed


def test_every_other_value_of_every_byte_of_an_entry_is_found(signer: Signer) -> None:
    line = ledger_entry.link({"a": [1.0]}, None, signer).line.encode()
    missed = []
    for at in range(len(line)):
        for value in set(range(256)) - {line[at]}:
            try:
                changed = ledger_entry.parse(line[:at] + bytes([value]) + line[at + 1 :], 0)
                ledger_entry.check(changed, None)
                missed.append((at, value))
            except LedgerError:
                pass
    assert not missed


def test_every_removed_or_doubled_byte_is_found(ledger: Ledger) -> None:
    for op in ("a", "b"):
        ledger.append({"op": op})
    whole = ledger.path.read_bytes()
    # Without the last line feed it is what a crash leaves: found, too, as a torn tail.
    for at in range(len(whole)):
        for changed in (whole[:at] + whole[at + 1 :], whole[:at] + whole[at : at + 1] + whole[at:]):
            ledger.path.write_bytes(changed)
            with pytest.raises(LedgerError):
                list(ledger.entries())


def _rewrite(ledger: Ledger, at: int, change: Callable[[dict[str, Any]], object]) -> None:
    lines = ledger.path.read_text().splitlines()
    fields = json.loads(lines[at])
    change(fields)
    lines[at] = json.dumps(fields, separators=(",", ":"))
    ledger.path.write_text("".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda fields: fields.update(v=2), "bad_version"),
        (lambda fields: fields.update(v=True), "bad_version"),
        (lambda fields: fields.update(seq=2), "bad_seq"),
        (lambda fields: fields.update(seq=1.0), "bad_version"),
        (lambda fields: fields.update(prev="0" * 64), "bad_prev"),
        (lambda fields: fields.update(data={"steps": [1, 2, 4]}), "bad_data_hash"),
        (lambda fields: fields.update(data={"steps": [1, 2, 2**60]}), "bad_data_hash"),
        (lambda fields: fields.update(data=[1]), "bad_version"),
        (lambda fields: fields.update(dataHash="0" * 64), "bad_data_hash"),
        (lambda fields: fields.update(head="0" * 64), "bad_head_hash"),
        (lambda fields: fields.update(signature="0" * 128), "bad_signature"),
        (lambda fields: fields.update(signature=""), "bad_signature"),
        (lambda fields: fields.update(key_id="0" * 16), "bad_signature"),
        (lambda fields: fields.update(public_key="0" * 64), "bad_signature"),
        (lambda fields: fields.update(orderHash="0" * 64), "bad_signature"),
        # The contract's hashes sort arrays and drop comments: only the order hash sees these.
        (lambda fields: fields.update(data={"steps": [2, 1, 3]}), "bad_signature"),
        (lambda fields: fields["data"].update({"$comment": "x"}), "bad_signature"),
        (lambda fields: fields.update(data={"steps": [1.0, 2, 3]}), "bad_signature"),
        (lambda fields: fields.pop("signature"), "bad_version"),
        (lambda fields: fields.update(extra=1), "bad_version"),
    ],
)
def test_codes(ledger: Ledger, change: Callable[[dict[str, Any]], object], code: str) -> None:
    for _ in range(3):
        ledger.append({"steps": [1, 2, 3]})
    _rewrite(ledger, 1, change)
    assert code_of(ledger) == (code, 1)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b'{"v":1}',
        b"\xff\xfe",
        b"\0" * 500,
        b"[" * 100_000,
        b"1" * 5_000,
    ],
    ids=lambda line: repr(line[:8]),
)
def test_lines_that_are_no_entry(ledger: Ledger, line: bytes) -> None:
    ledger.append({"op": "a"})
    with ledger.path.open("ab") as stream:
        stream.write(line + b"\n")
    assert code_of(ledger) == ("bad_version", 1)
    for use in (ledger.head, lambda: ledger.append({"op": "b"})):
        with pytest.raises(LedgerError, match="bad_version"):
            use()


def test_an_endless_line_is_not_held_in_memory(ledger: Ledger) -> None:
    with ledger.path.open("wb") as stream:
        stream.truncate(3 * MAX_LINE_BYTES)
    assert code_of(ledger) == ("bad_version", 0)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ([0, 2, 3], ("bad_seq", 1)),
        ([1, 2, 3], ("bad_seq", 0)),
        ([0, 2, 1, 3], ("bad_seq", 1)),
        ([0, 1, 1, 2, 3], ("bad_seq", 2)),
    ],
    ids=["removed", "first removed", "swapped", "doubled"],
)
def test_removed_and_moved_lines(ledger: Ledger, order: list[int], expected: tuple[str, int]) -> None:
    for number in range(4):
        ledger.append({"number": number})
    lines = ledger.path.read_text().splitlines(keepends=True)
    ledger.path.write_text("".join(lines[at] for at in order))
    assert code_of(ledger) == expected


def test_an_entry_of_another_ledger_does_not_fit(tmp_path: Path, ledger: Ledger, signer: Signer) -> None:
    other = Ledger(tmp_path / "other.jsonl", signer)
    for number in range(3):
        ledger.append({"number": number})
        other.append({"number": -number - 1})
    ours, theirs = (each.path.read_text().splitlines(keepends=True) for each in (ledger, other))
    ledger.path.write_text("".join([ours[0], theirs[1], ours[2]]))
    assert code_of(ledger) == ("bad_prev", 1)


def test_whole_entries_before_a_fault_are_yielded(ledger: Ledger) -> None:
    for number in range(4):
        ledger.append({"number": number})
    _rewrite(ledger, 2, lambda fields: fields.update(data={"number": 9}))
    seen: list[Entry] = []
    with pytest.raises(LedgerError):
        seen.extend(ledger.entries())
    entries = ledger.entries()
    assert [next(entries).seq, next(entries).seq] == [0, 1]


def test_a_cut_at_a_lines_end_shows_against_a_pinned_head(ledger: Ledger) -> None:
    for number in range(3):
        ledger.append({"number": number})
    pinned = ledger.seq(), ledger.head()
    lines = ledger.path.read_text().splitlines(keepends=True)
    ledger.path.write_text("".join(lines[:2]))
    assert len(read(ledger)) == 2
    assert (ledger.seq(), ledger.head()) != pinned
    ledger.append({"number": "forged"})
    assert ledger.seq() == pinned[0]
    assert ledger.head() != pinned[1]


def test_written_anew_under_another_key_shows_against_trusted_keys(
    ledger: Ledger, signer: Signer, stranger: Signer
) -> None:
    ledger.append({"op": "a"})
    Ledger(ledger.path, stranger).append({"op": "b"})
    assert len(read(ledger)) == 2
    assert len(list(ledger.entries(trusted={signer.public_hex, stranger.key_id}))) == 2
    assert code_of(ledger, trusted=[signer.key_id]) == ("bad_signature", 1)
    assert code_of(ledger, trusted=[]) == ("bad_signature", 0)


def test_appending_reads_only_the_tail(ledger: Ledger) -> None:
    for number in range(3):
        ledger.append({"number": number})
    _rewrite(ledger, 0, lambda fields: fields.update(head="0" * 64))
    assert ledger.append({"number": 3}).seq == 3
    assert code_of(ledger) == ("bad_head_hash", 0)


@pytest.mark.parametrize("field", ["head", "dataHash", "signature", "prev"])
def test_nothing_is_appended_to_a_tampered_tail(ledger: Ledger, field: str) -> None:
    ledger.append({"number": 0})
    ledger.append({"number": 1})
    _rewrite(ledger, 1, lambda fields: fields.update({field: "0" * len(fields[field])}))
    before = ledger.path.read_bytes()
    with pytest.raises(LedgerError):
        ledger.append({"number": 2})
    assert ledger.path.read_bytes() == before


def test_threads_never_fork_it(ledger: Ledger) -> None:
    def work(worker: int) -> None:
        for number in range(10):
            ledger.append({"worker": worker, "number": number})

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = read(ledger)
    assert len(rows) == 40
    for worker in range(4):
        assert [row["number"] for row in rows if row["worker"] == worker] == list(range(10))


def test_reading_shows_what_was_there_when_it_began(ledger: Ledger) -> None:
    for number in range(3):
        ledger.append({"number": number})
    entries = ledger.entries()
    assert next(entries).seq == 0
    ledger.append({"number": 3})
    assert [entry.seq for entry in entries] == [1, 2]
    assert ledger.seq() == 3


def test_an_unusable_file_is_named(tmp_path: Path, signer: Signer) -> None:
    (tmp_path / "ledger.jsonl").mkdir()
    ledger = Ledger(tmp_path / "ledger.jsonl", signer)
    for use in (ledger.head, ledger.repair, lambda: list(ledger.entries()), lambda: ledger.append({})):
        with pytest.raises(HologramError, match=r"ledger\.jsonl"):
            use()
