"""The event log keeps the contract's form and size, loses nothing, and can always be read."""

import json
import multiprocessing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.e2e import events
from hologram_dagster.e2e.events import EventLog, read_events
from hologram_dagster.errors import HologramError

pytestmark = pytest.mark.phase8_e2e


def test_the_line_is_compact_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "e2e" / "events.jsonl"
    EventLog(path, "phase8").write("ipfs_publish", cid="Qm", name="ä")
    (line,) = path.read_text().splitlines()
    event = json.loads(line)
    assert list(event) == ["ts", "suite", "event", "cid", "name"]
    assert isinstance(event["ts"], int)
    assert line == json.dumps(event, separators=(",", ":"))
    assert read_events(path) == ([event], [])


def test_secrets_are_not_written(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    EventLog(path, "s").write(
        "e", resp={"headers": {"authorization": "Bearer abcdef0123456789"}, "n": ["token=zyxw9876543210"]}
    )
    assert "abcdef0123456789" not in path.read_text()
    assert "zyxw9876543210" not in path.read_text()


def test_half_a_character_does_not_break_a_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    EventLog(path, "s").write("e", resp="\ud800 and\nmore")
    assert len(read_events(path)[0]) == 1


def test_it_rotates_before_4_mib_and_counts_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert events.ROTATE_AT_BYTES == 4 * 1024 * 1024
    monkeypatch.setattr(events, "ROTATE_AT_BYTES", 1000)
    path = tmp_path / "events.jsonl"
    (tmp_path / "events.9x.jsonl").write_text("somebody else's")
    log = EventLog(path, "s")
    for number in range(60):
        log.write("e", number=number)
    assert path.stat().st_size <= 1000
    rotated = sorted(tmp_path.glob("events.[0-9].jsonl"))
    assert [other.name for other in rotated] == [f"events.{n}.jsonl" for n in range(1, len(rotated) + 1)]
    assert len(rotated) > 2
    lines = [line for other in [*rotated, path] for line in other.read_text().splitlines()]
    assert [json.loads(line)["number"] for line in lines] == list(range(60))
    # A report reads the last two, and says that there are more.
    seen, notes = read_events(path)
    assert [event["number"] for event in seen] == list(range(60))[-len(seen) :]
    assert len(seen) == sum(len(other.read_text().splitlines()) for other in (rotated[-1], path))
    assert notes == [f"events.jsonl: {len(rotated) - 1} older logs are kept and not counted here"]


def test_a_large_event_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "ROTATE_AT_BYTES", 1000)
    path = tmp_path / "events.jsonl"
    EventLog(path, "s").write("e", text="x" * 5000)
    EventLog(path, "s").write("e", text="y" * 5000)
    assert [event["text"][0] for event in read_events(path)[0]] == ["x", "y"]


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[1]",
        b'{"suite":"s"}',
        b'{"event":1}',
        b"\xff\xfe",
        b'{"event":"torn',
        b"[" * 100_000,
        b"\x00",
        b'{"ts":1e400,"event":"e"}',
        b'{"ts":NaN,"event":"e"}',
    ],
)
def test_a_malformed_line_is_a_note_and_its_neighbours_are_read(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "events.jsonl"
    good = b'{"ts":1,"suite":"s","event":"e"}'
    path.write_bytes(b"\n".join([good, line, b"", good]))
    seen, notes = read_events(path)
    assert len(seen) == 2
    assert notes == ["events.jsonl line 2: not an event; left as it is"]


def test_an_endless_line_is_one_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_LONGEST_LINE", 100)
    path = tmp_path / "events.jsonl"
    good = b'{"event":"e"}'
    for size in (99, 100, 101, 200, 250):
        path.write_bytes(good + b"\n" + b"x" * size + b"\n" + good + b"\n")
        seen, notes = read_events(path)
        assert (len(seen), len(notes)) == (2, 1), size


@given(st.binary(max_size=300))
def test_any_bytes_can_be_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "events.jsonl"
    path.write_bytes(data)
    read_events(path)


def test_a_torn_line_does_not_swallow_the_next(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"event":"torn')
    EventLog(path, "s").write("e")
    seen, notes = read_events(path)
    assert [event["event"] for event in seen] == ["e"]
    assert notes == ["events.jsonl line 1: not an event; left as it is"]


def test_a_missing_log_is_empty_and_an_unreadable_one_a_note(tmp_path: Path) -> None:
    assert read_events(tmp_path / "absent" / "events.jsonl") == ([], [])
    (tmp_path / "events.jsonl").mkdir()
    seen, notes = read_events(tmp_path / "events.jsonl")
    assert seen == []
    assert "cannot be read" in notes[0]


def test_a_full_disk_is_an_error_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.symlink_to("/dev/full")
    with pytest.raises(HologramError, match="No space left on device"):
        EventLog(path, "s").write("e")


def _write_many(path: Path, writer: int) -> None:
    events.ROTATE_AT_BYTES = 2000
    for number in range(50):
        EventLog(path, "s").write("e", writer=writer, number=number)


def test_writers_at_once_lose_nothing_when_it_rotates(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(path, writer)) for writer in range(3)]
    for process in writers:
        process.start()
    for process in writers:
        process.join()
    logs = list(tmp_path.glob("events*.jsonl"))
    assert len(logs) > 3
    seen = {(e["writer"], e["number"]) for log in logs for e in map(json.loads, log.read_text().splitlines())}
    assert seen == {(writer, number) for writer in range(3) for number in range(50)}


def test_a_log_full_of_rubbish_is_told_in_a_few_lines(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    log.write_bytes(b"\n" * 100_000 + b"rubbish\n" * 1000 + b'{"ts":1,"suite":"phase8","event":"use"}\n')
    events, notes = read_events(log)
    assert [event["event"] for event in events] == ["use"]
    assert len(notes) == 21
    assert notes[0] == "events.jsonl line 100001: not an event; left as it is"
    assert notes[-1] == "events.jsonl: 980 more lines are not events"
