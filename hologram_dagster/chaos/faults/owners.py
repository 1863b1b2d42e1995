"""Whose a thing is that outlives its maker: the maker's pid and birth, written into the thing's name."""

import os

from hologram_dagster.chaos.faults.services import Incarnation


def mark_of_this_process() -> str:
    """The mark: pid and start time, a dash between."""
    own = Incarnation.of(os.getpid())
    return f"{own.pid}-{own.began_ticks}"


def maker_lives(mark: str) -> bool:
    """Whether the process that a mark names still runs; what is no mark has no maker."""
    pid, _, began = mark.partition("-")
    return pid.isdecimal() and began.isdecimal() and Incarnation(int(pid), int(began)).alive
