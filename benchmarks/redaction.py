"""How fast the redactor is, beside detect-secrets over the same lines: `python benchmarks/redaction.py`.

Log text as services write it: plain, header, URL and JSON lines with content addresses, of
which every fourth holds a secret; and the same without secrets. The figures are of this
machine; what carries over is the ratio, taken in turn in one run.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from hologram_dagster.secrets.redactor import MARKER, redact
from hologram_dagster.secrets.stream import RedactingStream

MIB = 2**20


def _line(rng: random.Random, number: int, *, secret: bool) -> str:
    cid = "bafybei" + "".join(rng.choices("abcdefghijklmnopqrstuvwxyz234567", k=52))
    digest, value = f"{rng.getrandbits(256):064x}", f"{rng.getrandbits(160):040x}"
    at = f"2026-11-25T01:{number // 60 % 60:02}:{number % 60:02}Z"
    clean = (
        f"{at} INFO registry resolve name=demo/app/{number} cid={cid} took 3.1 ms",
        f'{{"ts": "{at}", "level": "info", "event": "publish", "cid": "{cid}", "sha256": "{digest}"}}',
        f"{at} DEBUG ipfs POST /api/v0/add?pin=true 200 digest {digest}",
        f'{{"ts": "{at}", "suite": "phase8", "event": "resolve", "resp": {{"name": "a", "cid": "{cid}"}}}}',
    )
    hits = (
        f"{at} INFO client sent Authorization: Bearer {value}",
        f"{at} WARN retry GET https://registry.example/graphql?token={value}&cid={cid} 503",
        f'{{"ts": "{at}", "level": "info", "password": "{value}", "cid": "{cid}", "n": 1}}',
        f"{at} ERROR refused api_key={value} user=bob cid={cid}",
        f"{at} INFO pushed with ghp_{value[:36]} to main",
    )
    return rng.choice(hits if secret else clean)


def log_text(size: int, *, every: int | None, seed: int = 1) -> str:
    """About `size` characters of log lines; every `every`th holds a secret, none with None."""
    rng, lines, length, number = random.Random(seed), [], 0, 0
    while length < size:
        lines.append(_line(rng, number, secret=bool(every) and number % (every or 1) == 0))
        length += len(lines[-1]) + 1
        number += 1
    return "\n".join(lines) + "\n"


def _best(work: Callable[[], object], times: int) -> float:
    """The shortest CPU time (s) of `times` calls."""
    spent = []
    for _ in range(times):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent)


def _stream(text: str) -> int:
    stream = RedactingStream()
    step = 65536
    return sum(len(stream.feed(text[at : at + step])) for at in range(0, len(text), step)) + len(
        stream.close()
    )


def _detect_secrets(text: str) -> int:
    from detect_secrets.core.scan import scan_file
    from detect_secrets.settings import default_settings

    with tempfile.TemporaryDirectory() as folder, default_settings():
        path = Path(folder, "service.log")
        path.write_text(text)
        return len(list(scan_file(str(path))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=8, help="size of the text for the redactor")
    parser.add_argument("--other-kib", type=int, default=256, help="size of the text for detect-secrets")
    parser.add_argument("--without-other", action="store_true", help="leave detect-secrets out")
    given = parser.parse_args()
    print(f"{'text':<28}{'redact':>10}{'stream':>10}{'detect-secrets':>16}{'ratio':>8}  (MB/s, CPU time)")
    for name, every in (("a secret in every 4th line", 4), ("in every 100th line", 100), ("none", None)):
        text = log_text(given.mib * MIB, every=every)
        clean = redact(text)
        assert clean.count(MARKER) == (0 if every is None else -(-text.count("\n") // every)), name
        whole = len(text) / _best(lambda text=text: redact(text), 5) / 1e6  # type: ignore[misc]
        parts = len(text) / _best(lambda text=text: _stream(text), 5) / 1e6  # type: ignore[misc]
        told = f"{name:<28}{whole:>10.1f}{parts:>10.1f}"
        if not given.without_other:
            small = text[: given.other_kib * 1024]
            other = len(small) / _best(lambda small=small: _detect_secrets(small), 1) / 1e6  # type: ignore[misc]
            told += f"{other:>16.2f}{whole / other:>8.0f}"
        print(told)


if __name__ == "__main__":
    main()
