"""50 kills of IPFS nodes and 50 of registries under publish load: is anything lost, does anything stay?

`python benchmarks/soak.py` kills the node of a stack, or its registry, with SIGKILL in batches of 10, while
contents are published and tried again as the contract has it (section 3.8). Each batch has a stack of its
own; afterwards everything acknowledged is read back, and the processes that know of its folder are counted. A
line a batch goes to `.hologram/soak/batches.jsonl` (run it again to go on), and the table to
docs/chaos_evidence.md. Exit code 1 when something was lost or stayed.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from hologram_dagster.chaos.experiments.publishing import Publisher  # noqa: E402 (the checkout must come first)
from hologram_dagster.chaos.faults.services import Killable  # noqa: E402
from hologram_dagster.chaos.intervals import quantile  # noqa: E402
from hologram_dagster.chaos.load import Load, success_share  # noqa: E402
from hologram_dagster.files import append_lines, write_whole  # noqa: E402
from hologram_dagster.processes import wait_until  # noqa: E402
from hologram_dagster.stack.stack import Stack  # noqa: E402

BATCHES = ROOT / ".hologram" / "soak" / "batches.jsonl"
DOCUMENT = ROOT / "docs" / "chaos_evidence.md"
BEGIN, END = "<!-- begin of soak -->", "<!-- end of soak -->"
VICTIMS = ("IPFS node", "registry")
A_BATCH = 10
BETWEEN_S = 1.0
DOWN_S = 0.5
RECOVERY_S = 60.0
HANG_S = 60.0
RATE_PER_S = 5.0


def batch(victim: str, seed: int) -> dict[str, Any]:
    """`A_BATCH` kills on a stack of their own, and what came of them."""
    with tempfile.TemporaryDirectory(prefix="hologram-soak-") as name:
        folder = Path(name)
        with (
            Stack.start(folder) as stack,
            Publisher(stack.ipfs_api, stack.graphql_url, seed=seed) as publisher,
        ):
            load = Load("publish", publisher.publish, rate_per_s=RATE_PER_S, timeout_s=HANG_S)
            killed: Killable = stack.node if victim == "IPFS node" else stack.registry
            with load:
                taken = [_kill(killed, publisher) for _ in range(A_BATCH)]
                time.sleep(BETWEEN_S)
            wait_until(lambda: not publisher.probe(), timeout_s=RECOVERY_S)
            lost = publisher.lost()
            operations = load.operations
            told = {
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "victim": victim,
                "kills": A_BATCH,
                "recovery_ms": [round(each) for each in taken if each is not None],
                "operations": len(operations),
                "done": round(success_share(operations), 4),
                "acknowledged": len(publisher.acknowledged),
                "lost": len(lost),
                "load_1m": round(os.getloadavg()[0], 1),
            }
        wait_until(lambda: not _left(folder), timeout_s=HANG_S)
        return {**told, "left": len(_left(folder))}


def _kill(victim: Killable, publisher: Publisher) -> float | None:
    """Kill and start it; ms until a publication worked again, None where none did in time."""
    time.sleep(BETWEEN_S)
    began = time.perf_counter()
    victim.kill()
    if not publisher.probe():
        raise SystemExit("a publication worked while the service was dead: nothing was tried")
    time.sleep(DOWN_S)
    victim.restart()
    if not wait_until(lambda: not publisher.probe(), timeout_s=RECOVERY_S):
        return None
    return 1000 * (time.perf_counter() - began)


def _left(folder: Path) -> list[str]:
    """Command lines of processes that know of `folder`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().decode(errors="replace")
            if str(folder) in words and path.parent.name != str(os.getpid()):
                found.append(words)
    return found


def table(batches: Sequence[dict[str, Any]]) -> str:
    """What came of all batches, a row a victim."""
    lines = [
        "| killed | kills | not back in 60 s | back after, median (95 % interval), ms | p95, ms | operations "
        "| done | acknowledged | lost | processes left |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for victim in VICTIMS:
        own = [each for each in batches if each["victim"] == victim]
        if not own:
            continue
        times = [taken for each in own for taken in each["recovery_ms"]]
        kills = sum(each["kills"] for each in own)
        p50, p95 = quantile(times, 0.5), quantile(times, 0.95)
        operations = sum(each["operations"] for each in own)
        done = sum(each["done"] * each["operations"] for each in own) / operations
        kept, lost, left = (sum(each[name] for each in own) for name in ("acknowledged", "lost", "left"))
        lines.append(
            f"| {victim} | {kills} | {kills - len(times)} "
            f"| {p50.value:.0f} ({p50.low:.0f} to {p50.high:.0f}) | {p95.value:.0f} "
            f"| {operations} | {100 * done:.1f} % | {kept} | {lost} | {left} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Do the kills that are still to do, and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50, help="of each (default: %(default)s)")
    kills = parser.parse_args().kills
    batches = [json.loads(line) for line in BATCHES.read_text().splitlines()] if BATCHES.exists() else []
    for victim in VICTIMS:
        while (done := sum(each["kills"] for each in batches if each["victim"] == victim)) < kills:
            seen = batch(victim, seed=done)
            append_lines(BATCHES, [json.dumps(seen)])
            batches.append(seen)
            print(json.dumps(seen), flush=True)
    shown = table(batches)
    print(shown)
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    write_whole(DOCUMENT, f"{before}{BEGIN}\n\n{shown}\n\n{END}{after}")
    sys.exit(1 if any(each["lost"] or each["left"] for each in batches) else 0)


if __name__ == "__main__":
    main()
