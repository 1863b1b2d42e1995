"""Log records lose their secrets before any formatter sees them."""

import io
import logging
from collections.abc import Iterator

import pytest

from hologram_dagster.secrets.redactor import RedactingFilter

pytestmark = pytest.mark.phase7_security


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(out: io.StringIO) -> Iterator[logging.Logger]:
    handler = logging.StreamHandler(out)
    handler.addFilter(RedactingFilter())
    handler.setFormatter(logging.Formatter("%(message)s %(request)s", defaults={"request": "-"}))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    yield logger
    handler.close()


def test_message_and_arguments(log: logging.Logger, out: io.StringIO) -> None:
    log.warning("login password=%s sent %s", "abcd", {"token": "efgh"})
    assert out.getvalue() == "login password=[REDACTED] sent {'token': '[REDACTED]'} -\n"


def test_an_exception_and_the_stack(log: logging.Logger, out: io.StringIO) -> None:
    try:
        raise ValueError("refused: Authorization: Basic abcd==")
    except ValueError:
        log.exception("failed", stack_info=True)
    text = out.getvalue()
    assert "ValueError: refused: Authorization: [REDACTED]" in text
    assert "abcd" not in text
    assert "Stack (most recent call last)" in text


def test_an_extra_field(log: logging.Logger, out: io.StringIO) -> None:
    log.warning("sent", extra={"request": {"x-api-key": "abcd", "path": "/"}})
    assert out.getvalue() == "sent {'x-api-key': '[REDACTED]', 'path': '/'}\n"


def test_a_wrong_format_string_is_still_logged_without_its_secret(
    log: logging.Logger, out: io.StringIO
) -> None:
    log.warning("%d tries, password=%s", "token=abcd")
    assert "abcd" not in out.getvalue()
    assert "tries" in out.getvalue()
