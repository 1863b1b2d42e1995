"""Dagster's own log without secrets: what a step logs or raises, in the event log and on the console.

Dagster makes a log manager for the run and others for its steps, each with handlers of its own,
and tells the error of a failed step twice, by both. What they have in common is how a record
becomes one of Dagster's: there the secrets go.
"""

import json
import logging
from typing import Any

import dagster as dg
from dagster._core.log_manager import DagsterLogHandler
from dagster._serdes import deserialize_value, serialize_value

from hologram_dagster.secrets.redactor import redact, redact_texts

_convert_record = DagsterLogHandler._convert_record


def protect_log() -> None:
    """From now on, let no record of any run in this process leave with a secret; again is harmless."""
    DagsterLogHandler._convert_record = _convert_without_secrets  # type: ignore[method-assign,assignment]


def _convert_without_secrets(handler: DagsterLogHandler, record: logging.LogRecord) -> logging.LogRecord:
    converted = _convert_record(handler, record)
    text = converted.getMessage()
    if converted.exc_info:
        # The console alone prints it, and would do so as it is.
        text += "\n" + logging.Formatter().formatException(converted.exc_info)
        converted.exc_info = None
    converted.msg, converted.args = redact(text), ()
    fields: dict[str, Any] = vars(converted)["dagster_meta"]
    fields["orig_message"] = redact(fields["orig_message"])
    if fields["dagster_event"] is not None:
        fields["dagster_event"] = vars(converted)["dagster_event"] = without_secrets(fields["dagster_event"])
    return converted


def without_secrets(event: dg.DagsterEvent) -> dg.DagsterEvent:
    """`event` with every text in it redacted; the same object where there is nothing to redact."""
    held = json.loads(serialize_value(event))
    clean = redact_texts(held)
    return event if clean == held else deserialize_value(json.dumps(clean), dg.DagsterEvent)
