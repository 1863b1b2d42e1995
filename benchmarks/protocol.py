"""Atlas against sha256 of the same bytes: `python benchmarks/protocol.py`.

Each operation and its yardstick run side by side, alternately, in one process; the
medians are compared. Exit code 1 when a ratio is over its limit.
"""

import hashlib
import statistics
import sys
import time
from collections.abc import Callable

from hologram_dagster.protocol import atlas

ROUNDS = 101
ENCODE_BYTES = 4 << 20
VERIFY_BYTES = 64 << 10
ENCODE_LIMIT = 5.0
VERIFY_LIMIT = 3.0


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(name: str, work: Callable[[], object], yardstick: Callable[[], object], limit: float) -> bool:
    pairs = [(_seconds(work), _seconds(yardstick)) for _ in range(ROUNDS)]
    ours = statistics.median(ours for ours, _ in pairs)
    sha256 = statistics.median(sha256 for _, sha256 in pairs)
    ratio = ours / sha256
    print(
        f"{name}: {ours * 1e6:.0f} us, sha256 {sha256 * 1e6:.0f} us, "
        f"ratio {ratio:.2f} (limit {limit:.1f}) {'ok' if ratio <= limit else 'OVER'}"
    )
    return ratio <= limit


def main() -> int:
    content = bytes(range(256)) * (ENCODE_BYTES // 256)
    part = content[:VERIFY_BYTES]
    state = atlas.encode(part)
    held = [
        measure(
            "encode 4 MiB",
            lambda: atlas.encode(content),
            lambda: hashlib.sha256(content).digest(),
            ENCODE_LIMIT,
        ),
        measure(
            "verify 64 KiB", lambda: atlas.verify(state), lambda: hashlib.sha256(part).digest(), VERIFY_LIMIT
        ),
    ]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
