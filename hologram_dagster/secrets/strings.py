"""Quoted strings in text of no particular language: is a place inside one, where does one end.

What belongs here: quotes and backslashes. What does not: secrets.
"""

import re

_TOKEN = re.compile(r"""\\+["'`]?|["'`]""")
# Inside single quotes a shell writes an apostrophe as '"'"' or '\\''.
_SHELL_APOSTROPHE = re.compile(r"""'"'+"'|'\\''""")
_BEFORE_OPENING = frozenset(" \t\r\n{[(,:=<>")


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


class StringState:
    """Follows a text from left to right and knows which quote is open, if any.

    Strings end with their line, an opening quote stands after white space or
    punctuation, a closing one before something other than a word: so the apostrophe of
    "don't" opens nothing.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._quote = ""
        self._skipped: list[tuple[int, int]] = []

    def skip(self, start: int, end: int) -> None:
        """Never read what lies between `start` and `end`, except for line ends."""
        self._skipped.append((start, end))

    def quote_at(self, to: int) -> str:
        """The quote that is open at `to`, empty if none; every character is read once, whatever the calls."""
        line = self._text.rfind("\n", self._at, to)
        if line >= 0:
            self._quote, self._at = "", line
        for start, end in self._skipped:
            if end > self._at:
                self._read(start)
                self._at = max(self._at, end)
        self._skipped.clear()
        self._read(to)
        return self._quote

    def _read(self, to: int) -> None:
        text, quote = self._text, self._quote
        for token in _TOKEN.finditer(text, self._at, max(self._at, to)):
            found = token[0]
            if found[-1] == "\\" or len(found) % 2 == 0:
                continue
            if not quote:
                start = token.start()
                if len(found) == 1 and (start == 0 or text[start - 1] in _BEFORE_OPENING):
                    quote = found
            elif quote == found[-1] and not _is_word(text[token.end() : token.end() + 1]):
                quote = ""
        self._at, self._quote = max(self._at, to), quote

    def closes_at(self, token: re.Match[str], start: int) -> bool:
        """Whether `token` (backslashes and a quote) ends the string that is open at `start`."""
        found = token[0]
        return (
            len(found) % 2 == 1
            and not _is_word(self._text[token.end() : token.end() + 1])
            and found[-1] == self.quote_at(start)
        )


# The longest value that may go over lines, characters: more than any key or certificate in use.
LONGEST = 2**16


class UnsettledError(Exception):
    """Only what follows the text that is there can decide."""


class _Way:
    """The way of the last search of one sort: places between tokens, and what lies at its end."""

    def __init__(self) -> None:
        self.places: set[int] = set()
        self.head = 0
        self.found: int | None = None


class ClosingQuotes:
    """Finds where quoted values of one text end.

    Remembers the way of earlier searches: one that comes onto it goes where that went, so
    that a text full of quotes that nothing closes is not read again for each of them.
    """

    def __init__(self, text: str, *, final: bool = True) -> None:
        self._text = text
        self._final = final
        self._ways: dict[tuple[str, int, str], _Way] = {}

    def find(self, start: int, quote: str, escapes: int, enclosing: str) -> int | None:
        """Where the value ends that began at `start` behind `quote`; None if nowhere near (`LONGEST`).

        `escapes` is the number of backslashes that stood before the opening quote (1 in
        JSON inside JSON, 3 one level deeper), `enclosing` the quote of the string around
        it. A quote that is doubled, escaped, or followed by a word or another quote is
        inside.

        Raises:
            UnsettledError: it may end in what follows the text.
        """
        if len(quote) == 3:
            end = self._text.find(quote, start, start + LONGEST)
            found = end if end >= 0 else None
        else:
            found = self._search(start, quote, escapes, enclosing)
        if found is None and not self._final and start + LONGEST > len(self._text):
            raise UnsettledError
        return found

    def _search(self, start: int, quote: str, escapes: int, enclosing: str) -> int | None:
        sort = (quote, escapes, enclosing)
        way = self._ways.get(sort)
        if way is None or start >= way.head:
            way = _Way()
        places, position, joined = set[int](), start, False
        found: int | None = None
        while found is None:
            token = _TOKEN.search(self._text, position)
            if token is None or token.start() >= start + LONGEST:
                break
            found, position = self._judge(token, start, *sort)
            places.add(position)
            if not joined and position in way.places:
                # The smaller set goes into the larger one, so that all joins together stay linear.
                way.places |= places
                places, position, found, joined = way.places, way.head, way.found, True
        way.places, way.head, way.found = places, position, found
        self._ways[sort] = way
        return found

    def _judge(
        self, token: re.Match[str], start: int, quote: str, escapes: int, enclosing: str
    ) -> tuple[int | None, int]:
        """Where the value ends if `token` ends it, and where to read on."""
        position = token.end()
        if token[0][-1] != quote:
            return None, position
        run = len(token[0]) - 1
        if run < escapes:
            return token.start(), position
        if run % (2 * (escapes + 1)) != escapes:
            return None, position
        after = self._text[position : position + 1]
        if after == quote and not escapes and token.start() > start:
            return None, position + 1
        if quote == "'" and (joint := _SHELL_APOSTROPHE.match(self._text, position - 1)):
            return None, joint.end()
        if not after or after == enclosing or not (_is_word(after) or after in "\"'`"):
            return position - 1 - escapes, position
        return None, position
