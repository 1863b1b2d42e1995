"""What a killed experiment leaves behind, so that the next start can remove it.

Processes end with their parent, by the kernel. What does not: files, and services of the user's that
were killed by their commands. Each is noted in a folder before it is made, under the mark of its maker
(`faults.owners`), and removed by whoever starts next once the maker has died. Namespaces and small
disks carry the mark in their own names, and are swept, too.

    leftovers = Leftovers(state_dir / "chaos" / "leftovers")
    leftovers.sweep()                                     # at the start of every experiment
    with leftovers.noted(Leftover.command(start_again)):  # before the fault
        ...

`guarded` has it done at once: a small process that outlives its maker sweeps when that was killed.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from hologram_dagster.chaos.experiment import Leftover
from hologram_dagster.chaos.faults import disk, namespaces
from hologram_dagster.chaos.faults.owners import maker_lives, mark_of_this_process
from hologram_dagster.chaos.journal_file import conclude_killed
from hologram_dagster.errors import HologramError
from hologram_dagster.files import create_whole
from hologram_dagster.locking import exclusive
from hologram_dagster.processes import scrubbed_environment, wait_until

_COMMAND_TIMEOUT_S = 60
_SUFFIX = ".json"
_GUARDIAN = Path(__file__).with_name("_guardian.py")
_DEATH_TIMEOUT_S = 60.0


class Leftovers:
    """The notes in one folder of the state."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def folder(self) -> Path:
        """Where the notes are."""
        return self._folder

    @contextmanager
    def noted(self, leftover: Leftover) -> Iterator[None]:
        """Have `leftover` noted while the context lasts; however it ends, its maker then lives to undo it.

        Raises:
            HologramError: the note cannot be written, so nothing may be begun.
        """
        note = self._folder / f"{mark_of_this_process()}-{uuid4().hex}{_SUFFIX}"
        create_whole(note, json.dumps({"kind": leftover.kind, "words": leftover.words}) + "\n")
        try:
            yield
        finally:
            note.unlink(missing_ok=True)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Have a process of its own sweep if this one dies before the context ends."""
        guardian = subprocess.Popen(
            [
                sys.executable,
                "-I",
                "-S",
                str(_GUARDIAN),
                str(self._folder.absolute()),
                mark_of_this_process(),
            ],
            env=scrubbed_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert guardian.stdin is not None
        try:
            yield
        finally:
            # A word tells it that we got so far ourselves; without it the pipe just ends.
            with suppress(OSError):
                guardian.stdin.write(b".")
                guardian.stdin.close()
            guardian.wait()

    def sweep(self) -> list[str]:
        """Undo what dead makers left, and tell it.

        A note whose undoing fails stays, and the rest is undone all the same.

        Raises:
            HologramError: something could not be undone; the text names all of it.
        """
        undone: list[str] = []
        faults: list[str] = []
        # Two that start at once must not start a service twice.
        with exclusive(self._folder / ".lock"):
            for note in self._stale():
                try:
                    leftover = _read(note)
                    _undo(leftover)
                except HologramError as error:
                    faults.append(str(error))
                else:
                    note.unlink(missing_ok=True)
                    undone.append(leftover.told)
            try:
                undone += [f"namespace {name}" for name in namespaces.remove_stale()]
                undone += [f"disk {folder}" for folder in disk.unmount_stale()]
            except HologramError as error:
                faults.append(str(error))
        if faults:
            raise HologramError(
                f"an experiment that was killed left what could not be undone: {'; '.join(faults)}"
            )
        return undone

    def _stale(self) -> list[Path]:
        return sorted(
            note for note in self._folder.glob(f"*{_SUFFIX}") if not maker_lives(note.name.rpartition("-")[0])
        )


def _read(note: Path) -> Leftover:
    try:
        said = json.loads(note.read_text())
        return Leftover(str(said["kind"]), tuple(str(word) for word in said["words"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HologramError(f"{note} cannot be read: remove it by hand.") from error


def _undo(leftover: Leftover) -> None:
    if leftover.kind == "command":
        _run(leftover.words)
    elif leftover.kind == "path":
        _remove(Path(leftover.words[0]))
    else:
        conclude_killed(Path(leftover.words[0]))


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise HologramError(f"cannot remove {path}: {error.strerror}.") from error


def _run(command: Sequence[str]) -> None:
    told = " ".join(command)
    try:
        done = subprocess.run(
            command,
            env=scrubbed_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_COMMAND_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise HologramError(f"`{told}` did not end within {_COMMAND_TIMEOUT_S} s.") from None
    except (OSError, ValueError) as error:
        raise HologramError(f"`{told}` cannot be run: {error}.") from error
    if done.returncode:
        raise HologramError(f"`{told}` ended with status {done.returncode}.")


def main(folder: str, mark: str) -> None:
    """Sweep once the maker `mark` is dead; for the guardian of a maker that was killed."""
    wait_until(lambda: not maker_lives(mark), timeout_s=_DEATH_TIMEOUT_S)
    Leftovers(Path(folder)).sweep()


if __name__ == "__main__":
    main(*sys.argv[1:])
