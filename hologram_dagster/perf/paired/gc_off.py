"""Run a Python module as the main program with garbage collection frozen and off.

`python gc_off.py MODULE ARGS…`, or `-m` with our name: how our own servers and workers are
launched to be compared, since a collection falls on either side at random. With collection
on (the plain `-m MODULE`) a tail that it causes shows. Imports nothing of ours: it also
runs revisions, and under Pythons, that have no such module.
"""

import gc
import sys
from pathlib import Path

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: gc_off.py MODULE [ARGUMENT…]")
    # As with -m: modules come from the working folder, not from beside this file.
    sys.path[0] = str(Path.cwd())
    import runpy

    gc.disable()
    gc.freeze()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
