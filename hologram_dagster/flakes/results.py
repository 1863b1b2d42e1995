"""The result files of a test run, whatever wrote them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from hologram_dagster.errors import FormatError
from hologram_dagster.flakes.attempts import Results, TestRun
from hologram_dagster.flakes.database_file import read_database
from hologram_dagster.flakes.junit import read_junit
from hologram_dagster.flakes.reportlog import read_reportlog

# A database file says itself of which runs its results are.
_READERS: Mapping[str, Callable[[Path, TestRun], Results]] = {
    ".xml": read_junit,
    ".jsonl": read_reportlog,
    ".json": lambda path, _: read_database(path),
}
# What a test command may leave in its folder.
WRITTEN = (".jsonl", ".xml")


def read_results(path: Path, run: TestRun) -> Results:
    """The attempts in the file at `path`: JUnit XML, pytest-reportlog or a flake database, by its suffix.

    Raises:
        FormatError: another suffix, or not in its form; names file and place.
        HologramError: it cannot be read.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise FormatError(
            f"{path}: name JUnit XML (.xml), a --report-log of pytest (.jsonl), or a flake database (.json)"
        )
    try:
        return reader(path, run)
    except FileNotFoundError:
        raise FormatError(f"{path} is not there") from None


def read_folder(folder: Path, run: TestRun) -> Results:
    """The attempts in all result files below `folder`.

    A test that two files tell of was run once for each, so its attempts are numbered on.

    Raises:
        FormatError: as `read_results`.
    """
    together = Results()
    counts: dict[str, int] = {}
    for path in sorted(each for each in folder.rglob("*") if each.suffix.lower() in WRITTEN):
        read = read_results(path, run)
        together.notes += read.notes
        for attempt in read.attempts:
            number = counts.get(attempt.test, 0)
            counts[attempt.test] = number + 1
            together.attempts.append(attempt.numbered(number))
    return together
