"""A target whose `encode` a commit can make slower by real work, for tests that compare revisions."""

import sys
import textwrap

from hologram_dagster_tests.gate.bench import Bench, git

# A worker whose `encode` does `EXTRA` more real work of its own kind for each four parts it should do.
WORKER = textwrap.dedent(
    """
    from hologram_dagster.protocol import atlas
    from hologram_dagster.target import reference_worker

    EXTRA = {extra}
    encode = atlas.encode

    def slow_encode(data):
        encode(data[: len(data) * EXTRA // 4])
        return encode(data)

    atlas.encode = slow_encode
    reference_worker.main()
    """
)
_SERVER = (
    "command = [{python!r}, '-m', 'hologram_dagster.registry.server', '--port', '{{port}}', "
    "'--database', 'sqlite:///{{data}}/registry.sqlite', '--ipfs-api', '{{ipfs}}']"
)


def commit(bench: Bench, extra: int, **more: str) -> str:
    """A commit with that worker, and a text file of each name and content in `more`."""
    (bench.folder / "worker.py").write_text(WORKER.format(extra=extra))
    for name, content in more.items():
        (bench.folder / f"{name}.txt").write_text(content)
    git(bench.folder, "add", ".")
    git(bench.folder, "commit", "-qm", f"extra {extra}")
    return git(bench.folder, "rev-parse", "HEAD")


def add_target(bench: Bench) -> str:
    """A commit whose hologram.toml names the worker and a server."""
    python = sys.executable
    (bench.folder / "hologram.toml").write_text(
        f"[target]\nname = 'scratch'\nworker = [{python!r}, '{{tree}}/worker.py']\n"
        f"[target.server]\n{_SERVER.format(python=python)}\n"
    )
    return commit(bench, 0)
