"""The reference worker with `encode` 20 % slower, by real work: what the self-test must find.

`python -m hologram_dagster.perf.paired.slowed_worker` speaks the worker protocol.
"""

from hologram_dagster.protocol import atlas
from hologram_dagster.target import reference_worker

SLOWER_PCT = 20


def main() -> None:
    """Serve as the reference worker does, with a fifth of each payload encoded twice."""
    encode = atlas.encode

    def slowed(data: bytes | bytearray | memoryview) -> atlas.State:
        encode(data[: len(data) * SLOWER_PCT // 100])
        return encode(data)

    atlas.encode = slowed
    reference_worker.main()


if __name__ == "__main__":
    main()
