"""Verifying 100,000 records by a ledger with checkpoints: `python benchmarks/audit.py`.

Prints the seconds, beside those of the same ledger entry by entry (a tenth of it). Exit code 1
when the whole takes 10 s or more.
"""

import logging
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.evidence.audit import audit
from hologram_dagster.evidence.checkpoints import EVERY
from hologram_dagster.evidence.gathering import listing_data
from hologram_dagster.evidence.record import Record, RunIdentity, iso
from hologram_dagster.machine import this_machine
from hologram_dagster.observation import Observation, Status
from hologram_dagster.profiles import ProfileName
from hologram_dagster.protocol.canonical import sha256_hex
from hologram_dagster.protocol.ledger_entry import Entry, link
from hologram_dagster.protocol.log_tree import LogTree
from hologram_dagster.protocol.signing import Signer
from hologram_dagster.target.revision import Revision

RECORDS = 100_000
RECORDS_A_RUN = 50
LIMIT_S = 10.0
_KEY = Signer(Ed25519PrivateKey.generate())


def _write(folder: Path, count: int) -> Evidence:
    """The files that `Evidence.add` leaves, without a sync for each."""
    evidence = Evidence(folder, signer=_KEY)
    folder.mkdir(parents=True, exist_ok=True)
    machine, now = this_machine(), datetime.now(UTC)
    revision = Revision("a" * 40, "b" * 40, dirty=False, ref=None)
    previous: Entry | None = None
    tree = LogTree()
    with evidence.ledger.path.open("wb") as ledger:

        def enter(data: dict[str, object]) -> None:
            nonlocal previous
            previous = link({**data, "at": iso(now)}, previous, _KEY)
            tree.append(previous.line.encode())
            ledger.write(previous.line.encode() + b"\n")

        for number in range(count):
            run = RunIdentity(
                f"run-{number // RECORDS_A_RUN}", ProfileName.DEV, "local", revision, machine, now
            )
            seen = Observation(f"kind_{number % RECORDS_A_RUN}", Status.PASSED, "1", now, now)
            record = Record.from_observation(seen, run, _KEY, now=now)
            path, content = f"{run.run_id}/{record.kind}.json", record.to_bytes()
            where = folder / "records" / path
            where.parent.mkdir(parents=True, exist_ok=True)
            where.write_bytes(content)
            enter(listing_data(record, path, sha256_hex(content)))
            if tree.size % EVERY == 0:
                subtrees = [subtree.hex() for subtree in tree.subtrees]
                said = {"size": tree.size, "root": tree.root().hex(), "subtrees": subtrees}
                enter({"entry": "checkpoint", **said})
    return evidence


def main() -> int:
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        evidence = _write(Path(folder), RECORDS)
        started = time.perf_counter()
        seen = audit(evidence)
        seconds = time.perf_counter() - started
        started = time.perf_counter()
        one_by_one = sum(1 for _, _ in zip(evidence.ledger.entries(), range(RECORDS // 10), strict=False))
        beside = time.perf_counter() - started
    held = seen.holds and seen.records == RECORDS and seconds < LIMIT_S
    print(
        f"{seen.records} records, {seen.entries} entries, {seen.checkpoints} checkpoints: "
        f"{seconds:.1f} s (limit {LIMIT_S:.0f} s): {'ok' if held else 'MISSED'}; "
        f"{one_by_one} entries one by one: {beside:.1f} s"
    )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
