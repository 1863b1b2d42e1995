"""Reading a text that comes in parts: the same secrets wherever it is cut."""

from hologram_dagster.secrets.known import replace_known
from hologram_dagster.secrets.redactor import MARKER, replace_spans
from hologram_dagster.secrets.spans import Reader, Span


class SpanStream:
    """Finds the spans of a text that comes in parts, as `find_spans` would in the whole of it.

    A line is given out as soon as nothing that follows can change it: when it is complete, but
    for a value that may go on over lines. Held back are one line, or a value of the longest
    length that such a value has (`spans`).
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._try_at = 0
        self.held = 0
        """Characters taken in and not given out yet."""

    def feed(self, text: str) -> tuple[str, list[Span]]:
        """Take in `text`; what can be given out by now, whole lines, and the spans in it."""
        self._parts.append(text)
        self.held += len(text)
        if "\n" not in text or self.held < self._try_at:
            return "", []
        held = "".join(self._parts)
        complete = held.rfind("\n") + 1
        reader = Reader(held[:complete], final=False)
        spans = list(reader.spans())
        settled = reader.settled
        self._parts, self.held = [held[settled:]], len(held) - settled
        # What is held back is read again once there is twice as much: so the time stays linear.
        self._try_at = 2 * self.held if settled < complete else 0
        return held[:settled], [span for span in spans if span.start < settled]

    def close(self) -> tuple[str, list[Span]]:
        """The rest, and the spans in it; nothing may be fed any more."""
        rest, self._parts, self.held = "".join(self._parts), [], 0
        return rest, list(Reader(rest).spans())


class RedactingStream:
    """Redacts a text that comes in parts, as `redact` would the whole of it (`SpanStream`)."""

    def __init__(self) -> None:
        self._spans = SpanStream()

    @property
    def held(self) -> int:
        """Characters taken in and not given out yet."""
        return self._spans.held

    def feed(self, text: str) -> str:
        """Take in `text`; what can be given out by now, redacted."""
        return replace_known(replace_spans(*self._spans.feed(text)), MARKER)

    def close(self) -> str:
        """The rest, redacted; nothing may be fed any more."""
        return replace_known(replace_spans(*self._spans.close()), MARKER)
