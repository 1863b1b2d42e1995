"""The real Kubo program for tests: that on PATH, else the one that `tools/build_kubo.sh` built."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

from hologram_dagster.ipfs.kubo import PROGRAM, find_kubo

_SCRIPT = Path(__file__).parents[1] / "tools" / "build_kubo.sh"


@cache
def kubo_program() -> Path | None:
    """Where it is, None if it was not built here."""
    if (found := find_kubo()) is not None:
        return found
    if shutil.which("go") is None:
        return None
    done = subprocess.run([_SCRIPT, "--path"], capture_output=True, text=True, check=True)
    built = Path(done.stdout.strip())
    assert built.name == PROGRAM
    return built if built.exists() else None


def can_build_kubo() -> bool:
    """Whether it is here, or can be built: then a test that needs it must run in CI."""
    return find_kubo() is not None or shutil.which("go") is not None
