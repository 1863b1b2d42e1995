"""Evidence kept in S3, over HTTP on loopback: what is there counts, what is gone or changed is red."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import s3fs
from upath import UPath

from hologram_dagster.errors import ServiceError, SettingsError
from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.evidence.audit import audit
from hologram_dagster.evidence.gathered import FaultCode
from hologram_dagster.evidence.record import Record
from hologram_dagster.evidence.store import EvidenceStore
from hologram_dagster.evidence.verdict import Word
from hologram_dagster.gate.run import open_archive
from hologram_dagster.policy import Policy
from hologram_dagster.processes import free_port, wait_until
from hologram_dagster.settings import load_settings
from hologram_dagster_tests.evidence.helpers import NOW, archive, green_run, observation, run_of, signer

pytestmark = pytest.mark.phase9_chaos

BUCKET = "s3://hologram-evidence"
RUN = run_of()


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of an S3 server of these tests' own, its bucket made."""
    port = free_port()
    log = tmp_path_factory.mktemp("s3") / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=output,
            stderr=output,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        with pytest.MonkeyPatch.context() as patch:
            point_at(url, patch)
            wait_until(lambda: bucket_made() or server.poll() is not None, timeout_s=60)
        assert server.poll() is None, log.read_text()
        yield url
    finally:
        server.kill()
        server.wait()


def bucket_made() -> bool:
    try:
        s3fs.S3FileSystem(skip_instance_cache=True).mkdir("hologram-evidence")
    except FileExistsError:
        return True
    except OSError:
        return False
    return True


def point_at(url: str, patch: pytest.MonkeyPatch) -> None:
    """Have S3's client ask `url`, with keys that open nothing else; without its cache of connections."""
    patch.setenv("AWS_ENDPOINT_URL", url)
    patch.setenv("AWS_ACCESS_KEY_ID", "test")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def evidence(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Evidence:
    """An archive whose ledger is in a folder and whose records are in S3, where the variable says."""
    point_at(endpoint, monkeypatch)
    monkeypatch.setenv("HOLOGRAM_EVIDENCE_STORE", f"{BUCKET}/{tmp_path.name}/")
    monkeypatch.setenv("HOLOGRAM_STATE_DIR", str(tmp_path))
    opened = open_archive(load_settings(), signer(), Policy())
    assert opened.store.uri("x") == f"{BUCKET}/{tmp_path.name}/x"
    return archive(tmp_path / "evidence", store=f"{BUCKET}/{tmp_path.name}")


def test_a_whole_run_is_kept_in_s3_and_passes(evidence: Evidence) -> None:
    _, verdict, stored = green_run(evidence)
    assert verdict.verdict is Word.PASS
    assert not (evidence.ledger.path.parent / "records").exists()
    for record in stored.values():
        assert UPath(record.uri).read_bytes() == record.record.to_bytes()
    assert not audit(evidence).broken


def test_an_object_that_is_gone_or_changed_is_red(evidence: Evidence) -> None:
    _, _, stored = green_run(evidence)
    gone, changed = (UPath(stored[kind].uri) for kind in RUN.required[:2])
    content = bytearray(changed.read_bytes())
    content[len(content) // 2] ^= 1
    changed.write_bytes(bytes(content))
    gone.unlink()
    gathered = evidence.gather(RUN.identity, RUN.required, now=NOW + timedelta(minutes=1))
    codes = {fault.kind: fault.code for fault in gathered.faults}
    assert codes[RUN.required[0]] is FaultCode.REMOVED
    assert codes[RUN.required[1]] is not FaultCode.REMOVED
    assert {stored.record.kind for stored in gathered.evidence}.isdisjoint(RUN.required[:2])
    assert len(audit(evidence).broken) == 2


def test_of_many_writers_at_once_each_keeps_its_record(evidence: Evidence) -> None:
    record = Record.from_observation(observation("perf_verify"), RUN.identity, signer(), now=NOW)
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: evidence.store.put(record), range(8)))
    assert len(set(paths)) == 8
    assert {evidence.store.get(path) for path in paths} == {record.to_bytes()}


def test_a_dead_endpoint_is_told_with_the_variable_and_is_no_missing_record(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, stored = green_run(evidence)
    point_at("http://127.0.0.1:1", monkeypatch)  # nothing listens on port 1
    dead = EvidenceStore(str(UPath(stored[RUN.required[0]].uri).parent))
    with pytest.raises(ServiceError, match="HOLOGRAM_EVIDENCE_STORE"):
        dead.get("perf_verify-0.json")
    with pytest.raises(ServiceError, match="HOLOGRAM_EVIDENCE_STORE"):
        dead.put_artifact(b"x", "name")


def test_a_store_that_is_no_url_is_refused_by_the_variables_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLOGRAM_EVIDENCE_STORE", "bucket/folder")
    with pytest.raises(SettingsError, match="HOLOGRAM_EVIDENCE_STORE"):
        load_settings()
