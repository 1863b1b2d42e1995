"""Files are written whole or not at all, and never over one another by accident."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hologram_dagster.errors import HologramError
from hologram_dagster.files import append_lines, create_whole, write_whole

pytestmark = pytest.mark.phase0_ready


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB with less than one block free."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_write_whole_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.json"
    write_whole(target, "one")
    write_whole(target, b"two", mode=0o600)
    assert target.read_text() == "two"
    assert target.stat().st_mode & 0o777 == 0o600
    assert _names(target.parent) == ["file.json"]


def test_create_whole_never_replaces(tmp_path: Path) -> None:
    target = tmp_path / "file"
    create_whole(target, "one")
    with pytest.raises(FileExistsError):
        create_whole(target, "two")
    assert target.read_text() == "one"
    assert _names(tmp_path) == ["file"]


def test_append_closes_a_torn_line_first(tmp_path: Path) -> None:
    target = tmp_path / "events.jsonl"
    target.write_text('{"whole":1}\n{"torn":')
    append_lines(target, ['{"new":1}', '{"new":2}'])
    assert target.read_text().splitlines() == ['{"whole":1}', '{"torn":', '{"new":1}', '{"new":2}']


@pytest.mark.system("root")
def test_a_full_disk_is_an_error_that_loses_nothing(full_disk: Path) -> None:
    kept = full_disk / "kept.json"
    write_whole(kept, "kept")
    log = full_disk / "log.jsonl"
    append_lines(log, ["first"])
    full = pytest.raises(HologramError, match=r"cannot write .*(No space left).*Free space")
    with full:
        write_whole(kept, b"x" * 100_000)
    with full:
        create_whole(full_disk / "new", b"x" * 100_000)
    with full:
        append_lines(log, ["x" * 100_000])
    assert kept.read_text() == "kept"
    assert log.read_text() == "first\n"
    assert _names(full_disk) == ["kept.json", "log.jsonl"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(HologramError, match=str(tmp_path / "file")):
        write_whole(tmp_path / "file" / "below", "x")
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208 (names only)
