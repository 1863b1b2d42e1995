"""The two import rules: only the Dagster side knows Dagster, and plain packages import downwards."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hologram_dagster

pytestmark = pytest.mark.phase0_ready

PACKAGE = Path(hologram_dagster.__file__).parent
MAY_KNOW_DAGSTER = ("definitions", "build", "defs", "launch", "resources")

# Lowest first. A module may import from its own unit and from lower rows only.
LAYERS = (
    ("errors", "observation", "_lifeline"),
    ("files", "locking", "machine", "processes"),
    ("protocol",),
    ("secrets",),
    ("settings", "policy"),
    ("profiles",),
    ("ipfs",),
    ("registry",),
    ("stack", "target"),
    ("perf", "watch"),
    # Its load has its percentiles from `perf`.
    ("e2e",),
    ("attack", "chaos"),
    ("evidence",),
    ("history", "supply_chain"),
    ("flakes",),
    ("reports",),
    ("notify", "retention"),
    ("gate",),
    ("resources",),
    ("defs",),
    ("build",),
    ("definitions", "launch"),
    ("cli",),
)


def _modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts != ("__init__",):
            # The launcher lives with what it launches, and stands above `build`.
            yield ("launch" if parts == ("defs", "launch") else parts[0]), path


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative imports hide where a module lives"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_only_the_dagster_side_imports_dagster() -> None:
    guilty = [
        str(path.relative_to(PACKAGE))
        for unit, path in _modules()
        if unit not in MAY_KNOW_DAGSTER
        and any(name.split(".")[0].startswith("dagster") for name in _imports(path))
    ]
    assert guilty == []


def test_packages_import_downwards_only() -> None:
    rank = {unit: row for row, units in enumerate(LAYERS) for unit in units}
    unknown = {unit for unit, _ in _modules()} - set(rank)
    assert unknown == set(), "give each new package its row in LAYERS"
    guilty = []
    for unit, path in _modules():
        for name in _imports(path):
            parts = name.split(".")
            if parts[0] == "hologram_dagster" and len(parts) > 1 and parts[1] in rank:
                other = parts[1]
                if other != unit and rank[other] >= rank[unit]:
                    guilty.append(f"{path.relative_to(PACKAGE)} imports {name}")
    assert guilty == []


# What takes longer to load than a command that does not need it may take.
HEAVY = ("dagster", "pandas", "pyarrow", "scipy", "jsonschema")


@pytest.mark.parametrize("module", ["hologram_dagster.cli.app", "hologram_dagster.registry.server"])
def test_importing_the_plain_side_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*{set(HEAVY)} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
