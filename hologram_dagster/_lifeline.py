"""Tie a command's life to its parent's, then become that command.

Run as a script by `processes.start_child`, never imported, standard library only. Asks
the kernel (Linux `prctl(2)`, PR_SET_PDEATHSIG) to SIGKILL this process when the parent
dies, even by kill -9; the request survives `execve`. Elsewhere it just becomes the command.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    parent = int(sys.argv[1])
    command = sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            # The parent died before the request was made; nobody would ever kill us.
            sys.exit(1)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")
