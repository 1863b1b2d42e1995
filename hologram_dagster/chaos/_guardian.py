"""Outlive an experiment, and have swept what it leaves if it is killed.

Run as a script by `leftovers.guarded`, never imported, standard library only. Waits for a word on
standard input: a maker that ends in order sends one. One that is killed does not, and the pipe ends.
"""

import os
import signal
import sys

if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if not os.read(0, 1):
        sweeping = ["-P", "-m", "hologram_dagster.chaos.leftovers", *sys.argv[1:]]
        os.execv(sys.executable, [sys.executable, *sweeping])
