"""Where secrets lie in a text: the value that follows a secret's name, whole.

One pass from left to right; every regular expression here is free of nested or
overlapping repetition, so the time is linear in the text. Where a value's end is in
doubt the longer reading is taken: losing some of a log line is cheap, a leaked secret
is not. The rules, by what stands before the value:

- a quote: to its closing quote, over lines, at any depth of escaping;
- `?` or `&` before the name (a URL's query, a form): to the next `&` or white space
  (`%26`, where the equals sign is encoded itself);
- a colon, a cookie or authorization, or a name first in its line: to the end of the
  line, for YAML, folded headers and open brackets with the deeper indented lines below;
- else: to the next white space.

Inside a quoted string none of these goes beyond the string's end.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from hologram_dagster.secrets.kinds import HINTS, NAME, WHOLE_LINE, Kind
from hologram_dagster.secrets.strings import ClosingQuotes, StringState


@dataclass(frozen=True, slots=True)
class Span:
    """A value `text[start:end]` (without its quotes) of `kind`.

    `quoted`: it stands in quotes. `number`: it is a bare JSON number, whose replacement
    needs quotes for the JSON to stay JSON. `pair`: a comma stood between name and value.
    `resume`: where to read on.
    """

    kind: Kind
    start: int
    end: int
    resume: int
    quoted: bool = False
    number: bool = False
    pair: bool = False


_CAPITALS = re.compile(r"[A-Z]+")
_SEPARATOR = re.compile(
    r"""\d{0,2}(?:\[\])?(?P<closed>\\{0,7}["'`])?\]?[ \t]*"""
    r"(?:(?P<sign>!?={1,3}>?|:{1,2}={0,2}|%3[adAD])|(?P<comma>,))[ \t]*"
)
_BEARER_SEPARATOR = re.compile(r"(?P<encoded>%20|\+)|[ \t]+")
# "a Bearer token" in a sentence has no value.
_BEARER_WORD = re.compile(r"""(?:tokens?|authentication|auth)(?=[\s.,;:)'"`]|$)""")
_FLAG_SEPARATOR = re.compile(r"[ \t]+(?=[^\s-])")
_OPENING = re.compile(r"""[bBrRuUfF]{0,2}(?P<escapes>(?:\\|\\\\\\|\\{7})?)(?P<quote>\"\"\"|'{3}|["'`])""")
_NEXT_LINE_OPENING = re.compile(r"""\s*(?=[bBrRuUfF]{0,2}\\{0,7}["'`])""")
_NOTHING = re.compile(r"(?:null|None|true|false|True|False)(?=[ \t]*(?:[,;)}\]&\r\n]|\Z))")
_NUMBER = re.compile(r"-?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,5})?(?=\s*[,}\]])")
_FIRST_IN_LINE = re.compile(
    r"[ \t]*(?:(?:[-+>*#;]|//|export|set|const|let|var|env|ENV|ARG)[ \t]+)*(?:[-+>#;{][ \t]*)?"
    r"""(?:\\*["'`])?"""
)
# What may follow a quoted value without being part of it.
_AFTER_QUOTED = re.compile(r"[ \t]*(?:[,)}\]]|;?[ \t]*(?:#|//|[\r\n]|\Z))")
_LINE = re.compile(r"[^\r\n]*")
_END_OF_WORD = re.compile(r"""\\+["'`]?|["'`]|\s""")
_END_OF_QUERY = re.compile(r"""\\+["'`]?|["'`]|[\s&]""")
_END_OF_ENCODED_QUERY = re.compile(r"""\\+["'`]?|["'`]|[\s&]|%26""")
_END_OF_LINE = re.compile(r"""\\+(?:["'`]|\r?\n)?|["'`]|[\r\n]""")
_USERINFO = re.compile(r"""[^\s/?#@:"'<>]*:(?P<value>[^\s/?#"'<>]+)@""")
_PEM_BEGIN = re.compile(r"-----begin [a-z0-9 ]{0,40}private key-----")
_PEM_END = re.compile(r"-----end [a-z0-9 ]{0,40}private key-----")
_LONGEST_PREFIX = 200


def find_spans(text: str) -> Iterator[Span]:
    """The values of all secrets in `text`, from left to right, none overlapping."""
    lowered = text.lower()
    if len(lowered) != len(text):
        # A letter outside ASCII grew; lower ASCII alone so that the places stay the same.
        lowered = _CAPITALS.sub(lambda run: run[0].lower(), text)
    if any(hint in lowered for hint in HINTS):
        yield from _Reader(text, lowered).spans()


class _Reader:
    """One pass over one text."""

    def __init__(self, text: str, lowered: str) -> None:
        self._text = text
        self._lowered = lowered
        self._strings = StringState(text)
        self._closing = ClosingQuotes(text)

    def spans(self) -> Iterator[Span]:
        position = 0
        while name := NAME.search(self._lowered, position):
            position = name.end()
            span = self._span_after(name)
            if span is None:
                continue
            if not span.quoted:
                span = self._with_whole_pem(span)
            self._strings.skip(span.resume)
            position = max(position, span.resume)
            if span.end > span.start:
                yield span

    def _span_after(self, name: re.Match[str]) -> Span | None:
        start, end = name.span()
        match name.lastgroup:
            case "pem":
                closing = _PEM_END.search(self._lowered, end)
                return _bare(Kind.PRIVATE_KEY, end, closing.start() if closing else len(self._text))
            case "url":
                found = _USERINFO.match(self._text, end)
                return _bare(Kind.PASSWORD, *found.span("value")) if found else None
            case "bearer":
                return self._bearer(start, end)
            case group:
                return self._named(Kind(str(group)), start, end)

    def _bearer(self, start: int, end: int) -> Span | None:
        named = _SEPARATOR.match(self._text, end)
        if named and (named["sign"] or named["closed"]):
            return self._named(Kind.BEARER, start, end)
        separator = _BEARER_SEPARATOR.match(self._text, end)
        before = self._text[start - 1 : start]
        if separator is None or before.isalnum() or before == "_":
            return None
        value = separator.end()
        if _BEARER_WORD.match(self._lowered, value):
            return None
        ends = _END_OF_QUERY if separator["encoded"] else _END_OF_WORD
        return self._quoted(Kind.BEARER, value) or self._until(Kind.BEARER, value, ends)

    def _named(self, kind: Kind, start: int, end: int) -> Span | None:
        text = self._text
        separator = _SEPARATOR.match(text, end)
        if separator is None:
            return self._flag(kind, start, end)
        value = separator.end()
        if separator["comma"]:
            # ("authorization", "..."): a pair, which needs both in quotes.
            pair = self._quoted(kind, value) if separator["closed"] else None
            return replace(pair, pair=True) if pair else None
        colon = separator["sign"].startswith(":")
        start = _start_of_name(text, start)
        column = _column(text, start)
        if span := self._quoted(kind, value):
            if separator["closed"] or self._stands_alone(span):
                return span
            more = kind in WHOLE_LINE or (colon and column is not None)
            if not more and text[span.resume].isspace():
                return span
        elif nothing := _NOTHING.match(text, value):
            return Span(kind, value, value, nothing.end())
        elif separator["closed"] and (number := _NUMBER.match(text, value)):
            return Span(kind, value, number.end(), number.end(), number=True)
        if separator["sign"].startswith("%"):
            return self._until(kind, value, _END_OF_ENCODED_QUERY)
        if _in_query(text, self._lowered, start):
            return self._until(kind, value, _END_OF_QUERY)
        if kind not in WHOLE_LINE and not colon and column is None:
            return self._until(kind, value, _END_OF_WORD)
        if not self._strings.quote:
            if colon and column is not None:
                return self._block(kind, value, column)
            if text[value : _end_of_line(text, value)].rstrip()[-1:] in tuple("[{(,"):
                # A list or object begins here and goes on below.
                return self._block(kind, value, _indent(text, start))
        return self._until(kind, value, _END_OF_LINE)

    def _flag(self, kind: Kind, start: int, end: int) -> Span | None:
        """A command's option and its value as two words."""
        separator = _FLAG_SEPARATOR.match(self._text, end)
        if separator is None or self._text[_start_of_name(self._text, start)] != "-":
            return None
        value = separator.end()
        return self._quoted(kind, value) or self._until(kind, value, _END_OF_WORD)

    def _quoted(self, kind: Kind, value: int) -> Span | None:
        """The value in quotes at `value`, or at the start of the next line that is not empty."""
        text = self._text
        self._strings.advance(value)
        around = self._strings.quote
        if around and text.startswith(around, value) and not text.startswith(around * 2, value):
            # The string around ends here; a doubled quote (CSV) opens one inside it.
            return None
        if text[value : value + 1] in ("\r", "\n") and (gap := _NEXT_LINE_OPENING.match(text, value)):
            value = gap.end()
        opening = _OPENING.match(text, value)
        if opening is None:
            return None
        start = opening.end()
        end = self._closing.find(start, opening["quote"], len(opening["escapes"]), around)
        if end is None:
            # Not closed: to the end of the line, or of the string around.
            return None if around else _bare(kind, start, _end_of_line(text, start))
        return Span(kind, start, end, end + len(opening["escapes"]) + len(opening["quote"]), quoted=True)

    def _stands_alone(self, span: Span) -> bool:
        """Whether nothing follows a quoted value that could be part of the value."""
        around = self._strings.quote
        return _AFTER_QUOTED.match(self._text, span.resume) is not None or (
            around != "" and self._text.startswith(around, span.resume)
        )

    def _until(self, kind: Kind, value: int, ends: re.Pattern[str]) -> Span:
        self._strings.advance(value)
        for token in ends.finditer(self._text, value):
            found = token[0]
            if found[-1] in "\"'`":
                if not self._strings.closes_at(token):
                    continue
            elif found[0] == "\\" and (found[-1] != "\n" or found.count("\\") % 2):
                # An odd backslash before the line's end continues the line; others mean nothing.
                continue
            return _bare(kind, value, token.start())
        return _bare(kind, value, len(self._text))

    def _block(self, kind: Kind, value: int, column: int) -> Span:
        """The rest of the line and the lines below it that are indented deeper than `column`."""
        text = self._text
        end = at = _end_of_line(text, value)
        empty = not text[value:end].strip()
        while (line := text.find("\n", at)) >= 0:
            at = _end_of_line(text, line + 1)
            content = text[line + 1 : at]
            stripped = content.lstrip(" \t")
            indent = len(content) - len(stripped)
            if (indent > column and stripped) or (empty and indent == column and stripped.startswith("- ")):
                end = at
            elif stripped:
                break
        return _bare(kind, value, end)

    def _with_whole_pem(self, span: Span) -> Span:
        """`span` up to the end of the PEM block that begins in it, if one does."""
        lowered = self._lowered
        begin = _PEM_BEGIN.search(lowered, span.start, span.end)
        if begin is None:
            return span
        closing = _PEM_END.search(lowered, begin.end())
        return _bare(span.kind, span.start, max(span.end, closing.end()) if closing else len(lowered))


def _bare(kind: Kind, start: int, end: int) -> Span:
    return Span(kind, start, end, end)


def _end_of_line(text: str, position: int) -> int:
    line = _LINE.match(text, position)
    return line.end() if line else position


def _indent(text: str, position: int) -> int:
    line = text[text.rfind("\n", 0, position) + 1 : position]
    return len(line) - len(line.lstrip(" \t"))


def _start_of_name(text: str, position: int) -> int:
    while position and (text[position - 1].isalnum() or text[position - 1] in "_-.$"):
        position -= 1
    return position


def _in_query(text: str, lowered: str, start: int) -> bool:
    before = text[start - 1] if start else ""
    if before == "#":
        return start > 1 and not text[start - 2].isspace()
    return before in ("?", "&") or (before == ";" and lowered.endswith("&amp;", 0, start))


def _column(text: str, start: int) -> int | None:
    """The column of the name at `start` if it is the first thing in its line, else None."""
    line = text.rfind("\n", max(0, start - _LONGEST_PREFIX), start) + 1
    if line == 0 and start > _LONGEST_PREFIX:
        return None
    prefix = text[line:start]
    if not _FIRST_IN_LINE.fullmatch(prefix):
        return None
    return len(prefix.rstrip("\"'`\\"))
