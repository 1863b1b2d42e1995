"""Sending one request with a few more tries, and telling what came of it without any secret.

A webhook's address is a secret, and httpx, urllib3 and apprise write addresses into their
logs: they are silenced while something is sent, and no text here is made from an address,
a header or an answer.
"""

import importlib.util
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

# For each try, to connect and then to answer.
TIMEOUT_S = 5.0
# For all that one run tells; runs wait for each other meanwhile.
TOTAL_S = 20.0
# Between tries; what a server asks for with Retry-After is heeded up to the longest.
PAUSES_S = (0.5, 1.0, 2.0)
_LONGEST_PAUSE_S = 10.0
_SHORTEST_TRY_S = 0.1
_TALKATIVE = ("httpx", "urllib3.connectionpool", "apprise")


@dataclass(frozen=True, slots=True)
class Request:
    """A JSON body for a service; `remedy` is what a user can do if it is refused."""

    channel: str
    url: str = field(repr=False)
    body: Mapping[str, Any]
    remedy: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of telling `channel`; `detail` is a sentence without secrets."""

    channel: str
    delivered: bool
    detail: str


def send(request: Request, *, until: float, pauses_s: Sequence[float] = PAUSES_S) -> Delivery:
    """POST `request`; tried again after each of `pauses_s` (s) where another try may help.

    That is: no answer, 429, and 5xx. No try begins after `until` (`time.monotonic()`), nor waits
    past it. Redirects are not followed: a token goes where it was meant to.
    """
    pauses = iter(pauses_s)
    tries = 0
    if time.monotonic() >= until:
        return _too_late(request.channel)
    with _silenced(), httpx.Client() as client:
        while True:
            tries += 1
            asked_for = 0.0
            timeout_s = max(min(TIMEOUT_S, until - time.monotonic()), _SHORTEST_TRY_S)
            try:
                # Only the status counts: a body that does not end is not waited for.
                with client.stream(
                    "POST",
                    request.url,
                    json=dict(request.body),
                    headers=dict(request.headers),
                    timeout=timeout_s,
                ) as answer:
                    status, asked_for = answer.status_code, _retry_after_s(answer)
            except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
                failed, again = f"no answer ({type(error).__name__})", isinstance(error, httpx.TransportError)
                again = again and not isinstance(error, httpx.UnsupportedProtocol)
            else:
                if httpx.codes.is_success(status):
                    return Delivery(request.channel, True, f"delivered at try {tries}")
                failed, again = f"HTTP {status}", _may_change(status)
            pause = next(pauses, None) if again else None
            if pause is not None:
                pause = min(max(pause, asked_for), _LONGEST_PAUSE_S)
            if pause is None or time.monotonic() + pause >= until:
                told = f"not delivered: {failed} at try {tries}: {request.remedy}"
                return Delivery(request.channel, False, told)
            time.sleep(pause)


def _too_late(channel: str) -> Delivery:
    return Delivery(channel, False, "not delivered: the others took all the time there was for telling")


def send_by_apprise(url: str, *, channel: str, title: str, text: str, good: bool, until: float) -> Delivery:
    """Tell the service at the Apprise address `url` once, unless it is past `until` (`time.monotonic()`).

    Needs the extra `apprise`, which gives up after some seconds by itself.
    """
    if time.monotonic() >= until:
        return _too_late(channel)
    if importlib.util.find_spec("apprise") is None:
        remedy = "apprise is not installed: pip install 'hologram_dagster[apprise]'"
        return Delivery(channel, False, f"not delivered: {remedy}")
    import apprise

    service = apprise.Apprise()
    kind = apprise.NotifyType.SUCCESS if good else apprise.NotifyType.FAILURE
    with _silenced():
        if not service.add(url):
            return Delivery(
                channel, False, "not delivered: not an Apprise address: check HOLOGRAM_APPRISE_URLS"
            )
        delivered = bool(service.notify(title=title, body=text, notify_type=kind))
    detail = (
        "delivered at try 1"
        if delivered
        else "not delivered: refused or no answer: check HOLOGRAM_APPRISE_URLS"
    )
    return Delivery(channel, delivered, detail)


def _may_change(status: int) -> bool:
    return status == httpx.codes.TOO_MANY_REQUESTS or status >= 500


def _retry_after_s(answer: httpx.Response) -> float:
    try:
        return float(answer.headers.get("Retry-After", 0))
    except ValueError:
        # The other form is a date; our own pauses do as well.
        return 0.0


@contextmanager
def _silenced() -> Iterator[None]:
    with ExitStack() as restored:
        for name in _TALKATIVE:
            logger = logging.getLogger(name)
            logger.addFilter(_nothing)
            restored.callback(logger.removeFilter, _nothing)
        yield


def _nothing(_: logging.LogRecord) -> bool:
    return False
