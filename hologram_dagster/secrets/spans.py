"""Where secrets lie in a text: the value that follows a secret's name, whole.

One pass from left to right; the search is RE2's, and every regular expression here is free of
nested or overlapping repetition, so the time is linear in the text. Where a value's end is in
doubt the longer reading is taken: losing some of a log line is cheap, a leaked secret
is not. The rules, by what stands before the value:

- a quote: to its closing quote, over lines, at any depth of escaping;
- the name is itself a value (`"name": "password", "value": ...`, as in HAR, Kubernetes and XML): what
  the member or attribute called value holds, a few further on;
- `<` before the name and `>` after it: to the next `<`;
- `?` or `&` before the name (a URL's query, a form): to the next `&` or white space
  (`%26`, where the equals sign is encoded itself);
- a colon, a cookie or authorization, or a name first in its line: to the end of the
  line, for YAML, folded headers and open brackets with the deeper indented lines below;
- else: to the next white space.

Inside a quoted string none of these goes beyond the string's end. What is known by its own
form goes as the form says.

Nothing before the line in which a value's name stands decides anything, so a text may be cut
before any line that no value reaches into, and its parts read one by one (`stream`). To let
that wait for no more than a bounded part of a text, a value over lines has a longest length.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from hologram_dagster.secrets.kinds import WHOLE_LINE, Kind
from hologram_dagster.secrets.search import Mark, Met, as_ascii, search
from hologram_dagster.secrets.shapes import BLOCK_BEGIN, BLOCK_END, SSH_BLOCK, Shape
from hologram_dagster.secrets.strings import LONGEST, ClosingQuotes, StringState, UnsettledError


class Span(NamedTuple):
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


_SEPARATOR = re.compile(
    r"""\d{0,2}(?:\[\])?(?P<closed>\\{0,7}["'`])?\]?[ \t]*"""
    r"(?:(?P<sign>!?={1,3}>?|:{1,2}={0,2}|%3[adAD])|(?P<comma>,))[ \t]*"
)
_BEARER_SEPARATOR = re.compile(r"(?P<encoded>%20|\+)|[ \t]+")
# "a Bearer token" in a sentence has no value.
_BEARER_WORD = re.compile(r"""(?i:tokens?|authentication|auth)(?=[\s.,;:)'"`]|\Z)""")
_SCHEME = re.compile(r"(?i:basic|bearer|digest|negotiate|token)[ \t]+")
_FLAG_SEPARATOR = re.compile(r"[ \t]+(?=[^\s-])")
_NETRC_VALUE = re.compile(r"(?P<value>[^\s=:]\S*)(?P<alone>[ \t]*(?=[\r\n]|\Z))?")
_NETRC_LOGIN = re.compile(r"\blogin[ \t]+\S+[ \t]+\Z")
_OPENING = re.compile(r"""[bBrRuUfF]{0,2}(?P<escapes>(?:\\|\\\\\\|\\{7})?)(?P<quote>\"\"\"|'{3}|["'`])""")
_GAP = re.compile(r"\s*")
_NEXT_LINE_OPENING = re.compile(r"""[bBrRuUfF]{0,2}\\{0,7}["'`]""")
_NOTHING = re.compile(r"(?:null|None|true|false|True|False)(?=[ \t]*(?:[,;)}\]&\r\n]|\Z))")
_NUMBER = re.compile(r"-?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,5})?(?=[ \t]*[,}\]\r\n])")
_FIRST_IN_LINE = re.compile(
    r"[ \t]*(?:(?:[-+>*#;]|//|export|set|const|let|var|env|ENV|ARG)[ \t]+)*(?:[-+>#;{][ \t]*)?"
    r"""(?:\\*["'`])?"""
)
_GAPS = r"\s{0,200}"
_QUOTE = r"""\\{0,7}["'`]"""
# From the end of a name that is a member's value to the value of the member that is called so.
_TO_VALUE_MEMBER = re.compile(
    rf"""{_QUOTE}{_GAPS},{_GAPS}(?:{_QUOTE}[\w.$-]{{1,40}}{_QUOTE}{_GAPS}:{_GAPS}(?:{_QUOTE}[^"'`\\\r\n]{{0,200}}{_QUOTE}|"""
    rf"""[\w.+-]{{1,40}}){_GAPS},{_GAPS}){{0,4}}{_QUOTE}(?:value|val)s?{_QUOTE}{_GAPS}:{_GAPS}""",
    re.IGNORECASE,
)
_TO_VALUE_ATTRIBUTE = re.compile(
    r"""["']\s{1,200}(?:[\w:.-]{1,40}=(?:"[^"<>]{0,200}"|'[^'<>]{0,200}')\s{1,200}){0,4}(?:value|val)\s{0,200}=\s{0,200}""",
    re.IGNORECASE,
)
_TO_VALUE_LINE = re.compile(r"""["']?[ \t]*\r?\n[ \t]*(?:["']?value["']?)[ \t]*:[ \t]*""")
_NAME_MEMBER = re.compile(
    r"""[ \t{,-]*(?:["']?(?:name|key|field|header)["']?)[ \t]*:[ \t]*["']?""", re.IGNORECASE
)
_KEY_ENDS = re.compile(r"\s{0,200}:")
_AFTER_NAME = frozenset(">\"'`\\\r\n \t")
_ELEMENT = re.compile(r"[^<]*")
# The longest that one of these reads before it is known whether it fits.
_LONGEST_TO_VALUE = 2048
# What may follow a quoted value without being part of it.
_AFTER_QUOTED = re.compile(r"[ \t]*(?:[,)}\]]|;?[ \t]*(?:#|//|[\r\n]|\Z))")
_LINE = re.compile(r"[^\r\n]*")
_END_OF_WORD = re.compile(r"""\\+["'`]?|["'`]|\s""")
_END_OF_QUERY = re.compile(r"""\\+["'`]?|["'`]|[\s&]""")
_END_OF_ENCODED_QUERY = re.compile(r"""\\+["'`]?|["'`]|[\s&]|%26""")
_END_OF_LINE = re.compile(r"""\\+(?:["'`]|\r?\n)?|["'`]|[\r\n]""")
_USERINFO = re.compile(r"""[^\s/?#@:"'<>]*:(?P<value>[^\s/?#"'<>]+)@""")
_BLOCK_BEGIN = re.compile(BLOCK_BEGIN, re.ASCII)
_BLOCK_END = re.compile(BLOCK_END, re.ASCII)
_AMPERSAND = re.compile(r"&amp;", re.IGNORECASE)
# Of the first line of a key block, and of what stands before a name in its line: characters.
_LONGEST_BEGIN = 80
_LONGEST_PREFIX = 200
# Of lines that are indented deeper than a name: characters.
_LONGEST_INDENTED = 2**20


def find_spans(text: str) -> Iterator[Span]:
    """The values of all secrets in `text`, from left to right, none overlapping."""
    yield from Reader(text).spans()


class Reader:
    """One pass over one text.

    With `final` unset more may follow: `text` ends with a line, reading ends where only what
    follows can decide, and `settled` tells how much of the text nothing can change any more.
    """

    def __init__(self, text: str, *, final: bool = True) -> None:
        self._text = text
        self._final = final
        self._strings = StringState(text)
        self._closing = ClosingQuotes(text, final=final)
        self.settled = len(text)

    def spans(self) -> Iterator[Span]:
        """The values, from left to right."""
        data = as_ascii(self._text)
        position = reached = safe = looked = 0
        met = search(data, 0)
        while found := next(met, None):
            start, end, what = found
            if start < position:
                # Met inside a value that has been read meanwhile.
                met = search(data, position)
                continue
            if not self._final:
                safe = self._text.rfind("\n", max(reached, looked), start) + 1 or safe
                looked = start
            try:
                span = self._span_after(what, start, end)
            except UnsettledError:
                self.settled = safe
                return
            if span is None:
                position = end
                if not isinstance(what, Kind):
                    # What it took for the beginning of a form may hold a name.
                    position = start + 1
                    met = search(data, position)
                continue
            position = reached = max(end, span.resume)
            if span.end > span.start:
                yield span
        if not self._final:
            self.settled = self._text.rfind("\n", reached) + 1 or safe

    def _span_after(self, what: Met, start: int, end: int) -> Span | None:
        if isinstance(what, Shape):
            found = what.whole.match(self._text, start)
            return _bare(what.kind, *found.span("value" if what.whole.groups else 0)) if found else None
        if isinstance(what, Mark):
            if what is Mark.BLOCK:
                ssh = SSH_BLOCK.search(self._text, start, end)
                return _bare(Kind.SSH_KEY if ssh else Kind.PRIVATE_KEY, end, self._end_of_block(end)[0])
            found = _USERINFO.match(self._text, start + len("://"))
            return _bare(Kind.URL_PASSWORD, *found.span("value")) if found else None
        read = self._bearer if what is Kind.BEARER else self._named
        span = self._named_by_member(what, start, end) or read(what, start, end)
        if span is None:
            return None
        if not span.quoted and span.end - span.start >= len("-----BEGIN"):
            span = self._with_whole_block(span)
        self._strings.skip(span.start, span.resume)
        return span

    def _bearer(self, kind: Kind, start: int, end: int) -> Span | None:
        named = _SEPARATOR.match(self._text, end)
        if named and (named["sign"] or named["closed"]):
            return self._named(kind, start, end)
        separator = _BEARER_SEPARATOR.match(self._text, end)
        before = self._text[start - 1 : start]
        if separator is None or before.isalnum() or before == "_":
            return None
        value = separator.end()
        if _BEARER_WORD.match(self._text, value):
            return None
        ends = _END_OF_QUERY if separator["encoded"] else _END_OF_WORD
        return self._quoted(kind, value) or self._until(kind, value, ends)

    def _named(self, kind: Kind, start: int, end: int) -> Span | None:
        text = self._text
        separator = _SEPARATOR.match(text, end)
        if separator is None:
            return self._word_after(kind, start, end)
        value = separator.end()
        if separator["comma"]:
            # ("authorization", "..."): a pair, which needs both in quotes, the name alone in its.
            alone = text[(begin := _start_of_name(text, start)) - 1 : begin] in tuple("\"'`")
            pair = self._quoted(kind, value) if separator["closed"] and alone else None
            if pair is None or _KEY_ENDS.match(text, pair.resume):
                # Two members of an object: the second text is a key.
                return None
            return pair._replace(pair=True)
        colon = separator["sign"].startswith(":")
        start = _start_of_name(text, start)
        column = _column(text, start)
        if span := self._quoted(kind, value):
            if separator["closed"] or self._stands_alone(span, value):
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
        if _in_query(text, start):
            # Between the scheme and its credentials stands a space that ends nothing.
            scheme = _SCHEME.match(text, value) if kind is Kind.AUTHORIZATION else None
            span = self._until(kind, scheme.end() if scheme else value, _END_OF_QUERY)
            return span._replace(start=value)
        if kind not in WHOLE_LINE and not colon and column is None:
            return self._until(kind, value, _END_OF_WORD)
        if not self._strings.quote_at(value):
            if colon and column is not None:
                return self._block(kind, value, column)
            if text[value : _end_of_line(text, value)].rstrip()[-1:] in tuple("[{(,"):
                # A list or object begins here and goes on below.
                return self._block(kind, value, _indent(text, start))
        return self._until(kind, value, _END_OF_LINE)

    def _named_by_member(self, kind: Kind, start: int, end: int) -> Span | None:
        """The value of a secret whose name is itself a value (of a member or attribute), or of an element."""
        text = self._text
        if text[end : end + 1] not in _AFTER_NAME:
            # Whatever else follows: looking back for the name's start takes time.
            return None
        begin = _start_of_name(text, start)
        before = text[begin - 1 : begin]
        if before == "<" and text.startswith(">", end):
            found = _ELEMENT.match(text, end + 1)
            return _bare(kind, *found.span()) if found else None
        quoted = before in ("'", '"', "`") and text[end : end + 8].lstrip("\\")[:1] == before
        line = text[max(0, begin - _LONGEST_PREFIX) : begin].rpartition("\n")[2]
        forms = (_TO_VALUE_MEMBER, _TO_VALUE_ATTRIBUTE) if quoted else ()
        if _NAME_MEMBER.fullmatch(line):
            forms = (*forms, _TO_VALUE_LINE)
        for form in forms:
            if between := form.match(text, end):
                value = between.end()
                if value == len(text) and not self._final:
                    raise UnsettledError
                if nothing := _NOTHING.match(text, value):
                    return Span(kind, value, value, nothing.end())
                if number := _NUMBER.match(text, value):
                    return Span(kind, value, number.end(), number.end(), number=True)
                return self._quoted(kind, value) or self._until(kind, value, _END_OF_LINE)
        if forms and not self._final and len(text) - end < _LONGEST_TO_VALUE:
            # What decides may be to come.
            raise UnsettledError
        return None

    def _word_after(self, kind: Kind, start: int, end: int) -> Span | None:
        """A value with nothing but white space before it: a command's option, or netrc's password."""
        separator = _FLAG_SEPARATOR.match(self._text, end)
        if separator is None:
            return None
        value = separator.end()
        if self._text[_start_of_name(self._text, start)] == "-":
            return self._quoted(kind, value) or self._until(kind, value, _END_OF_WORD)
        if kind is Kind.PASSWORD and (word := _NETRC_VALUE.match(self._text, value)):
            line = self._text[max(0, start - _LONGEST_PREFIX) : start].rpartition("\n")[2]
            if _NETRC_LOGIN.search(line) or (word["alone"] is not None and not line.strip()):
                return _bare(Kind.NETRC, *word.span("value"))
        return None

    def _quoted(self, kind: Kind, value: int) -> Span | None:
        """The value in quotes at `value`, or at the start of the next line that is not empty."""
        text = self._text
        opening = _OPENING.match(text, self._past_gap(value))
        if opening is None:
            return None
        start, around = opening.end(), self._strings.quote_at(value)
        if around and text.startswith(around, value) and not text.startswith(around * 2, value):
            # The string around ends here; a doubled quote (CSV) opens one inside it.
            return None
        end = self._closing.find(start, opening["quote"], len(opening["escapes"]), around)
        if end is None:
            # Not closed: to the end of the line, or of the string around.
            return None if around else _bare(kind, start, _end_of_line(text, start))
        return Span(kind, start, end, end + len(opening["escapes"]) + len(opening["quote"]), quoted=True)

    def _past_gap(self, value: int) -> int:
        """Where an opening quote stands after white space from `value` on; `value` where none does."""
        if self._text[value : value + 1] not in ("\r", "\n"):
            return value
        gap = _GAP.match(self._text, value)
        after = gap.end() if gap else value
        if after == len(self._text) and not self._final:
            raise UnsettledError
        return after if _NEXT_LINE_OPENING.match(self._text, after) else value

    def _stands_alone(self, span: Span, value: int) -> bool:
        """Whether nothing follows a quoted value that could be part of the value."""
        around = self._strings.quote_at(value)
        return _AFTER_QUOTED.match(self._text, span.resume) is not None or (
            around != "" and self._text.startswith(around, span.resume)
        )

    def _until(self, kind: Kind, value: int, ends: re.Pattern[str]) -> Span:
        for token in ends.finditer(self._text, value):
            found = token[0]
            if found[-1] in "\"'`":
                if not self._strings.closes_at(token, value):
                    continue
            elif found[0] == "\\" and (found[-1] != "\n" or found.count("\\") % 2):
                # An odd backslash before the line's end continues the line; others mean nothing.
                continue
            return _bare(kind, value, token.start())
        if not self._final:
            raise UnsettledError
        return _bare(kind, value, len(self._text))

    def _block(self, kind: Kind, value: int, column: int) -> Span:
        """The rest of the line and the lines below it that are indented deeper than `column`."""
        text = self._text
        end = at = _end_of_line(text, value)
        empty = not text[value:end].strip()
        while True:
            line = text.find("\n", at)
            if at - value > _LONGEST_INDENTED:
                break
            if line < 0 or (line + 1 == len(text) and not self._final):
                if self._final:
                    break
                raise UnsettledError
            at = _end_of_line(text, line + 1)
            content = text[line + 1 : at]
            stripped = content.lstrip(" \t")
            indent = len(content) - len(stripped)
            if (indent > column and stripped) or (empty and indent == column and stripped.startswith("- ")):
                end = at
            elif stripped:
                break
        return _bare(kind, value, end)

    def _with_whole_block(self, span: Span) -> Span:
        """`span` up to the end of the last line of the key block that begins in it, if one does."""
        begin = _BLOCK_BEGIN.search(self._text, span.start, span.end + _LONGEST_BEGIN)
        if begin is None or begin.start() >= span.end:
            return span
        _, end = self._end_of_block(begin.end())
        return _bare(span.kind, span.start, max(span.end, _end_of_line(self._text, end)))

    def _end_of_block(self, begin: int) -> tuple[int, int]:
        """Where the last line begins and ends of the key block whose first line ends at `begin`."""
        longest = begin + LONGEST
        if closing := _BLOCK_END.search(self._text, begin, longest):
            return closing.span()
        if longest > len(self._text) and not self._final:
            raise UnsettledError
        end = min(longest, len(self._text))
        return end, end


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


def _in_query(text: str, start: int) -> bool:
    before = text[start - 1] if start else ""
    if before == "#":
        return start > 1 and not text[start - 2].isspace()
    return before in ("?", "&") or (
        before == ";" and _AMPERSAND.match(text, start - len("&amp;")) is not None
    )


def _column(text: str, start: int) -> int | None:
    """The column of the name at `start` if it is the first thing in its line, else None."""
    line = text.rfind("\n", max(0, start - _LONGEST_PREFIX), start) + 1
    if line == 0 and start >= _LONGEST_PREFIX:
        return None
    prefix = text[line:start]
    if not _FIRST_IN_LINE.fullmatch(prefix):
        return None
    return len(prefix.rstrip("\"'`\\"))
