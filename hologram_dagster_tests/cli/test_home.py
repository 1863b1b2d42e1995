"""The Dagster home: SQLite or PostgreSQL by one variable, the user's own instance file kept."""

from pathlib import Path

import psycopg
import pytest

from hologram_dagster.cli.postgres import require_postgres
from hologram_dagster.errors import HologramError
from hologram_dagster_tests.gate.bench import Bench, MakeBench
from hologram_dagster_tests.postgres import running_postgres


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench.make(tmp_path / "repository")


def instance_file(bench: Bench) -> Path:
    return bench.folder / ".hologram" / "dagster" / "dagster.yaml"


def test_a_home_is_made_once_and_kept(bench: Bench) -> None:
    for _ in range(2):
        done = bench.hologram("setup")
        assert done.returncode == 0, done.stderr
    assert "storage" not in instance_file(bench).read_text()


def test_a_users_own_instance_file_stays(bench: Bench) -> None:
    file = instance_file(bench)
    file.parent.mkdir(parents=True)
    file.write_text("telemetry: {enabled: false}\n# mine\n")
    assert bench.hologram("setup").returncode == 0
    assert file.read_text().endswith("# mine\n")


@pytest.mark.system("postgresql")
@pytest.mark.timeout(240)
def test_a_gate_run_is_kept_in_postgresql(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_postgres(tmp_path_factory.mktemp("postgres")) as url:
        done = bench.hologram("gate", DAGSTER_PG_URL=url)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "storage" in instance_file(bench).read_text()
        assert url not in instance_file(bench).read_text()
        with psycopg.connect(url) as connection:
            rows = connection.execute("select run_id, status from runs").fetchall()
            assert rows == [(bench.verdict()["run_id"], "SUCCESS")]
        assert not list(instance_file(bench).parent.rglob("*.db"))
        red = bench.materialize("tag:gate/dev", DAGSTER_PG_URL=url, SLO_ENCODE_P95_MS="0.0001")
        assert red.returncode == 1
    # Without the variable the same home is one of SQLite again.
    assert bench.hologram("setup").returncode == 0
    assert "storage" not in instance_file(bench).read_text()


NOBODY = "postgresql://hologram:s3cretword@127.0.0.1:1/none"  # nothing listens on port 1


@pytest.mark.parametrize("verb", ["setup", "gate", "prune", "ui"])
def test_a_postgresql_that_does_not_answer_is_told_without_its_password(
    make_bench: MakeBench, verb: str
) -> None:
    """In a home that has been used: each command asks again."""
    bench = make_bench()
    done = bench.hologram(verb, DAGSTER_PG_URL=NOBODY)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "PostgreSQL of DAGSTER_PG_URL cannot be used" in done.stderr
    assert "onnection refused" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "s3cretword" not in done.stdout + done.stderr
    assert not bench.reports.exists()
    assert not bench.evidence.exists()
    assert "storage" not in instance_file(bench).read_text()


@pytest.mark.parametrize(
    "url",
    [
        "mysql://hologram:s3cretword@127.0.0.1/x",
        "postgres://hologram:s3cretword@127.0.0.1/x",
        "postgresql://hologram:a@s3cretword@127.0.0.1/x",
        "postgresql://hologram:x@127.0.0.1:s3cretword/x",
        "s3cretword",
        "sqlite:///s3cretword",
    ],
)
def test_a_url_that_is_no_postgresqls_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(HologramError, match="DAGSTER_PG_URL is no URL of a PostgreSQL") as refused:
        require_postgres(url)
    assert "s3cretword" not in str(refused.value)
