"""Known vulnerabilities of pinned Python packages, asked of a configured source by pip-audit.

Nothing is audited where no source is configured: guessing one would send a list of the
target's packages to a stranger. An audit that did not cover every package is an error.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hologram_dagster.errors import ServiceError
from hologram_dagster.files import write_whole
from hologram_dagster.processes import scrubbed_environment, start_child, stop_child
from hologram_dagster.supply_chain.locks import Locked

# How pip-audit calls the two public services; anything else is the address of an OSV interface.
NAMED_SOURCES = ("pypi", "osv")
_TIMEOUT_S = 900.0


@dataclass(frozen=True, slots=True, order=True)
class Vulnerability:
    """A known vulnerability of one version of a package; `fixed_in` are the versions without it."""

    name: str
    version: str
    identifier: str
    fixed_in: tuple[str, ...] = ()

    def __str__(self) -> str:
        fixed = f" (fixed in {', '.join(self.fixed_in)})" if self.fixed_in else " (no fix is known)"
        return f"{self.name} {self.version}: {self.identifier}{fixed}"


def audit(packages: Collection[Locked], source: str) -> tuple[Vulnerability, ...]:
    """All that `source` knows against `packages` (of Python, each with a version), sorted.

    Raises:
        ServiceError: the source did not answer for every one of them.
    """
    found: set[Vulnerability] = set()
    # A file may name a package once; a lock for several platforms may pin several versions.
    for rank in _ranks(packages):
        found |= set(_audit_once(rank, source))
    return tuple(sorted(found))


def _ranks(packages: Collection[Locked]) -> Iterator[dict[str, str]]:
    left = sorted({(item.name, item.version) for item in packages})
    while left:
        rank: dict[str, str] = {}
        for name, version in left:
            rank.setdefault(name, version)
        yield rank
        left = [each for each in left if rank[each[0]] != each[1]]


def _audit_once(versions: dict[str, str], source: str) -> Iterator[Vulnerability]:
    with tempfile.TemporaryDirectory(prefix="hologram-audit-") as scratch:
        listed = Path(scratch, "requirements.txt")
        write_whole(listed, "".join(f"{name}=={version}\n" for name, version in versions.items()))
        answer = _run(["-r", str(listed), "--cache-dir", str(Path(scratch, "cache"))], source)
    audited = {dependency["name"]: dependency for dependency in answer["dependencies"]}
    if missing := sorted(name for name in versions if "vulns" not in audited.get(name, {})):
        raise ServiceError(f"pip-audit left out {', '.join(missing[:5])}: correct the source, or the lock.")
    for name, dependency in audited.items():
        for vulnerability in dependency["vulns"]:
            fixed = tuple(vulnerability.get("fix_versions", ()))
            yield Vulnerability(name, dependency["version"], vulnerability["id"], fixed)


def _run(arguments: list[str], source: str) -> dict[str, Any]:
    asked = ["-s", source] if source in NAMED_SOURCES else ["-s", "osv", "--osv-url", source]
    options = ["--strict", "--no-deps", "--disable-pip", "--progress-spinner", "off", "-f", "json"]
    process = start_child(
        [sys.executable, "-m", "pip_audit", *options, *asked, *arguments],
        env=scrubbed_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        output, errors = process.communicate(timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise ServiceError(
            f"pip-audit did not end within {_TIMEOUT_S:g} s: see whether its source hangs."
        ) from None
    finally:
        stop_child(process)
    try:
        answer = json.loads(output)
        # Exit code 1 is for vulnerabilities found, and for an audit that broke: only one has an answer.
        if process.returncode in (0, 1) and isinstance(answer["dependencies"], list):
            return dict(answer)
    except (ValueError, KeyError, TypeError):
        pass
    last = errors.decode(errors="replace").strip().rpartition("\n")[2] or f"exit code {process.returncode}"
    raise ServiceError(f"pip-audit got no answer from the source in HOLOGRAM_AUDIT_SOURCE: {last}")
