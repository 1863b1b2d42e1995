"""The Dagster home: SQLite or PostgreSQL by one variable, the user's own instance file kept."""

from pathlib import Path

import psycopg
import pytest

from hologram_dagster_tests.gate.bench import Bench
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


def test_a_postgresql_that_does_not_answer_is_told_without_its_password(bench: Bench) -> None:
    url = "postgresql://hologram:s3cretword@127.0.0.1:1/none"  # nothing listens on port 1
    done = bench.hologram("setup", DAGSTER_PG_URL=url)
    assert done.returncode == 2
    assert "Dagster refuses the home" in done.stderr
    assert "s3cretword" not in done.stdout + done.stderr
