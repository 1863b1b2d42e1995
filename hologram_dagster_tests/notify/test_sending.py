"""Sending to a real receiver: bounded tries, and no secret in anything that is written down."""

import logging
import math
import socket
import sys
import threading
import time

import pytest

from hologram_dagster.notify.sending import Request, send, send_by_apprise
from hologram_dagster.processes import LOOPBACK, free_port
from hologram_dagster_tests.notify.receiver import Receiver

pytestmark = pytest.mark.phase7_security

SECRET = "T0000-B0000-XsecretX"
PAUSES_S = (0.01, 0.01)
NO_HURRY = math.inf


def request(url: str) -> Request:
    return Request(
        "slack", url, {"text": "hello"}, "check SLACK_WEBHOOK_URL", {"Authorization": f"Bearer {SECRET}"}
    )


def test_what_arrives_is_what_was_sent(receiver: Receiver) -> None:
    sent = send(request(f"{receiver.url}/services/{SECRET}"), pauses_s=PAUSES_S, until=NO_HURRY)
    assert (sent.delivered, sent.detail) == (True, "delivered at try 1")
    (received,) = receiver.received
    assert (received.path, received.body) == (f"/services/{SECRET}", {"text": "hello"})
    assert received.headers["Authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_change_is_tried_again(receiver: Receiver, status: int) -> None:
    receiver.answers = [status, status]
    assert send(request(receiver.url), pauses_s=PAUSES_S, until=NO_HURRY).detail == "delivered at try 3"


def test_tries_are_bounded(receiver: Receiver) -> None:
    receiver.answers = [503] * 10
    sent = send(request(receiver.url), pauses_s=PAUSES_S, until=NO_HURRY)
    assert (sent.delivered, len(receiver.received)) == (False, 3)
    assert sent.detail == "not delivered: HTTP 503 at try 3: check SLACK_WEBHOOK_URL"


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404])
def test_what_will_not_change_is_not_tried_again_and_no_redirect_is_followed(
    receiver: Receiver, status: int
) -> None:
    receiver.answers = [status]
    receiver.headers = {"Location": f"{receiver.url}/elsewhere"}
    sent = send(request(receiver.url), pauses_s=PAUSES_S, until=NO_HURRY)
    assert sent.detail == f"not delivered: HTTP {status} at try 1: check SLACK_WEBHOOK_URL"
    assert len(receiver.received) == 1


@pytest.mark.parametrize("text", ["0.02", "Fri, 27 Nov 2026 07:28:00 GMT"])
def test_a_server_may_ask_for_a_pause_in_either_form(receiver: Receiver, text: str) -> None:
    receiver.answers, receiver.headers = [429], {"Retry-After": text}
    assert send(request(receiver.url), pauses_s=PAUSES_S, until=NO_HURRY).delivered


@pytest.mark.parametrize(
    "url",
    [
        f"http://127.0.0.1:{{port}}/{SECRET}",
        f"ftp://127.0.0.1/{SECRET}",
        f"http://[{SECRET}",
        f"{SECRET}",
        "",
    ],
)
def test_no_secret_is_told_or_logged_when_nobody_answers(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    sent = send(request(url.format(port=free_port())), pauses_s=PAUSES_S, until=NO_HURRY)
    assert not sent.delivered
    assert "no answer (" in sent.detail
    assert SECRET not in sent.detail + caplog.text + repr(request(url))


def test_no_secret_is_logged_when_somebody_does(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert send(request(f"{receiver.url}/{SECRET}"), pauses_s=PAUSES_S, until=NO_HURRY).delivered
    by_apprise = send_by_apprise(
        f"{receiver.url.replace('http', 'json')}/{SECRET}",
        channel="apprise_1",
        title="t",
        text="x",
        good=True,
        until=NO_HURRY,
    )
    assert by_apprise.delivered
    assert SECRET not in caplog.text
    logging.getLogger("httpx").warning("told again after the sending")
    assert "told again" in caplog.text


def test_any_service_of_apprise(receiver: Receiver) -> None:
    address = receiver.url.replace("http", "json")
    sent = send_by_apprise(
        address, channel="apprise_1", title="the title", text="the text", good=False, until=NO_HURRY
    )
    assert sent.delivered
    assert receiver.received[0].body["title"] == "the title"
    assert receiver.received[0].body["type"] == "failure"


@pytest.mark.parametrize("address", [f"nonsense://{SECRET}", "json://127.0.0.1:{port}/" + SECRET])
def test_apprise_failures_tell_no_address(address: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    sent = send_by_apprise(
        address.format(port=free_port()), channel="apprise_1", title="t", text="x", good=True, until=NO_HURRY
    )
    assert not sent.delivered
    assert "HOLOGRAM_APPRISE_URLS" in sent.detail
    assert SECRET not in sent.detail + caplog.text


def test_without_apprise_the_user_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    sent = send_by_apprise(
        "json://127.0.0.1", channel="apprise_1", title="t", text="x", good=True, until=NO_HURRY
    )
    assert "pip install 'hologram_dagster[apprise]'" in sent.detail


def test_who_never_answers_is_given_up_when_time_is_over() -> None:
    with socket.create_server((LOOPBACK, 0)) as silent:
        url = f"http://{LOOPBACK}:{silent.getsockname()[1]}"
        sent = send(request(url), pauses_s=[0.01] * 1000, until=time.monotonic() + 0.5)
    assert not sent.delivered
    assert "no answer (ReadTimeout)" in sent.detail


def test_an_answer_whose_body_never_ends_is_an_answer() -> None:
    with socket.create_server((LOOPBACK, 0)) as endless:
        url = f"http://{LOOPBACK}:{endless.getsockname()[1]}"

        def serve() -> None:
            connection, _ = endless.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
                while connection.recv(4096):
                    pass

        serving = threading.Thread(target=serve)
        serving.start()
        sent = send(request(url), pauses_s=(), until=NO_HURRY)
        serving.join()
    assert sent.delivered


def test_nothing_is_begun_when_time_is_over(receiver: Receiver) -> None:
    over = time.monotonic()
    address = receiver.url.replace("http", "json")
    for sent in (
        send(request(receiver.url), until=over),
        send_by_apprise(address, channel="apprise_1", title="t", text="x", good=True, until=over),
    ):
        assert (sent.delivered, "all the time" in sent.detail) == (False, True)
    assert receiver.received == []
