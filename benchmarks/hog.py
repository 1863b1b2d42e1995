"""A noisy neighbour: burns CPU and copies 32 MiB, 40 % of the time, in bursts, until it is killed.

`python benchmarks/hog.py SEED`
"""

import random
import sys
import time


def main() -> None:
    draw, memory = random.Random(int(sys.argv[1])), bytearray(32 * 2**20)
    while True:
        burst_s = draw.uniform(0.1, 0.6)
        until = time.monotonic() + burst_s
        while time.monotonic() < until:
            bytes(memory)
            sum(range(20_000))
        time.sleep(1.5 * burst_s)


if __name__ == "__main__":
    main()
