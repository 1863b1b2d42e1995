"""Take secrets out of text, of JSON-like values and of log records (contract section 7.2).

The whole value goes and `[REDACTED]` stands in its place; the name and the shape stay.
Content addresses (CIDs, digests, nonces, DIDs, UUIDs, commits) are no secrets and stay,
unless they stand where a secret's value does. Redacting twice changes nothing more.
"""

import logging
from collections.abc import Iterable
from typing import Any

from hologram_dagster.secrets.kinds import is_secret_name
from hologram_dagster.secrets.known import replace_known
from hologram_dagster.secrets.spans import Span, find_spans

MARKER = "[REDACTED]"


def redact(text: str) -> str:
    """`text` with the value of every secret replaced by `[REDACTED]`; time linear in its length."""
    return replace_known(replace_spans(text, find_spans(text)), MARKER)


def replace_spans(text: str, spans: Iterable[Span]) -> str:
    """`text` with `[REDACTED]` in place of each of `spans`."""
    parts: list[str] = []
    copied = 0
    for span in spans:
        parts += (text[copied : span.start], f'"{MARKER}"' if span.number else MARKER)
        copied = span.end
    if not parts:
        return text
    parts.append(text[copied:])
    return "".join(parts)


def redact_tree(value: Any) -> Any:
    """A copy of a JSON-like value without secrets: in texts, in keys, and under secret names.

    What stands under a secret's name goes whole, be it a list or an object; nothing
    (None, a boolean, an empty value) stays. A pair of a secret's name and a text, as
    header lists hold them, loses the text. Other objects are returned as they are.
    """
    match value:
        case str():
            return redact(value)
        case dict():
            return _redact_dict(value)
        case [str() as name, str() | bytes()] if is_secret_name(name):
            return type(value)((name, MARKER)) if isinstance(value, list | tuple) else [name, MARKER]
        case list():
            return [redact_tree(item) for item in value]
        case tuple():
            return tuple(redact_tree(item) for item in value)
        case _:
            return value


def redact_texts(value: Any) -> Any:
    """A copy of a JSON-like value with every text in it redacted, keys and shape as they are.

    For values whose form others prescribe; unlike `redact_tree` it takes no key for a secret's name.
    """
    match value:
        case str():
            return redact(value)
        case dict():
            return {key: redact_texts(item) for key, item in value.items()}
        case list():
            return [redact_texts(item) for item in value]
        case _:
            return value


def _redact_dict(value: dict[Any, Any]) -> dict[Any, Any]:
    clean: dict[Any, Any] = {}
    for key, item in value.items():
        secret = isinstance(key, str) and is_secret_name(key)
        new_key = redact(key) if isinstance(key, str) else key
        copies = 2
        while new_key in clean:
            # Two keys that differed only in their secrets must not become one entry.
            new_key, copies = f"{redact(str(key))} ({copies})", copies + 1
        clean[new_key] = _hide(item) if secret else redact_tree(item)
    return clean


def _hide(item: Any) -> Any:
    return item if item is None or isinstance(item, bool) or item in ("", [], {}) else MARKER


_STANDARD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class RedactingFilter(logging.Filter):
    """Redacts the message, its arguments, exception, stack and extra fields of each record.

    Attach it to handlers: Python does not ask a logger's filters about the records of
    its children. The exception is kept as text only, so that no formatter can print it
    unredacted.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact `record` in place; always True."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - a wrong format string must not lose the record
            message = f"{record.msg} {record.args!r}"
        record.msg, record.args = redact(message), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        record.exc_info = None
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        extra = {name: field for name, field in vars(record).items() if name not in _STANDARD_ATTRIBUTES}
        vars(record).update(redact_tree(extra))
        return True
