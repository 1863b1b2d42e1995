"""A real PostgreSQL for the tests marked `system("postgresql")`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hologram_dagster.stack import postgres
from hologram_dagster.stack.postgres import programs as programs

# A fixture's parameter: the same tests against PostgreSQL.
POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.system("postgresql"))


@contextmanager
def running_postgres(folder: Path) -> Iterator[str]:
    """URL of a PostgreSQL of the test's own; `folder` names it."""
    with postgres.running_postgres(folder.name) as url:
        yield url
