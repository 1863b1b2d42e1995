"""What is measured of a fault, from outside: never what it was told to do.

Each goes its own way to the service and says what it met. What belongs here: the measuring. What
does not: which figure proves a fault (the experiments).
"""

import time
from collections.abc import Callable
from enum import StrEnum

import httpx

from hologram_dagster.errors import ServiceError, chain
from hologram_dagster.secrets.redactor import redact


class Reach(StrEnum):
    """What a request meets."""

    ANSWERS = "answers"
    REFUSED = "refused"
    RESET = "reset"
    SILENT = "silent"


def reach(url: str, *, timeout_s: float) -> Reach:
    """What a GET on a new connection to `url` meets. Any HTTP answer is one; silence lasts `timeout_s`."""
    try:
        with httpx.Client(timeout=timeout_s, trust_env=False, verify=False) as client:
            client.get(url)
    except httpx.TimeoutException:
        return Reach.SILENT
    except httpx.ConnectError as error:
        # A reset may come before the connection is there.
        reset = any(isinstance(each, ConnectionResetError) for each in chain(error))
        return Reach.RESET if reset else Reach.REFUSED
    except httpx.HTTPError:
        return Reach.RESET
    return Reach.ANSWERS


def round_trips_ms(url: str, *, times: int, timeout_s: float = 30.0) -> list[float]:
    """How long each of `times` GETs of `url` takes, ms, one after the other on one open connection.

    Raises:
        ServiceError: one got no answer.
    """
    taken = []
    try:
        with httpx.Client(timeout=timeout_s, trust_env=False, verify=False) as client:
            client.get(url)  # connects
            for _ in range(times):
                began = time.perf_counter()
                client.get(url)
                taken.append(1000 * (time.perf_counter() - began))
    except httpx.HTTPError as error:
        raise ServiceError(f"no answer to time from {url}: {redact(str(error))}") from error
    return taken


def bytes_per_s(transfer: Callable[[], int]) -> float:
    """The throughput of `transfer`, which returns how many bytes it moved."""
    began = time.perf_counter()
    moved = transfer()
    return moved / (time.perf_counter() - began)
