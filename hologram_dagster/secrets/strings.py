"""Quoted strings in text of no particular language: is a place inside one, where does one end.

What belongs here: quotes and backslashes. What does not: secrets.
"""

import re

_TOKEN = re.compile(r"""\\+["'`]?|["'`]""")
_TOKEN_OR_LINE = re.compile(r"""\n|\\+["'`]?|["'`]""")
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
        self.quote = ""

    def advance(self, to: int) -> None:
        """Read on up to `to`; every character is read once, whatever the calls."""
        text = self._text
        for token in _TOKEN_OR_LINE.finditer(text, self._at, to):
            found = token[0]
            if found == "\n":
                self.quote = ""
            elif found[-1] == "\\" or len(found) % 2 == 0:
                continue
            elif not self.quote:
                start = token.start()
                if len(found) == 1 and (start == 0 or text[start - 1] in _BEFORE_OPENING):
                    self.quote = found
            elif self.quote == found[-1] and not _is_word(text[token.end() : token.end() + 1]):
                self.quote = ""
        self._at = max(self._at, to)

    def skip(self, to: int) -> None:
        """Go on at `to` without reading what lies between, except for line ends."""
        if self._text.find("\n", self._at, to) >= 0:
            self.quote = ""
        self._at = max(self._at, to)

    def closes_at(self, token: re.Match[str]) -> bool:
        """Whether `token` (backslashes and a quote) ends the string that is open."""
        found = token[0]
        return (
            found[-1] == self.quote
            and len(found) % 2 == 1
            and not _is_word(self._text[token.end() : token.end() + 1])
        )


class ClosingQuotes:
    """Finds where quoted values of one text end.

    Remembers what was looked for in vain, so that a text full of quotes that nothing
    closes is not read again for each of them.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._in_vain: set[tuple[str, int, str]] = set()

    def find(self, start: int, quote: str, escapes: int, enclosing: str) -> int | None:
        """Where the value ends that began at `start` behind `quote`; None if nowhere.

        `escapes` is the number of backslashes that stood before the opening quote (1 in
        JSON inside JSON, 3 one level deeper), `enclosing` the quote of the string around
        it. A quote that is doubled, escaped, or followed by a word or another quote is
        inside.
        """
        sought = (quote, escapes, enclosing)
        if sought in self._in_vain:
            return None
        end = self._search(start, *sought)
        if end is None:
            self._in_vain.add(sought)
        return end

    def _search(self, start: int, quote: str, escapes: int, enclosing: str) -> int | None:
        text = self._text
        if len(quote) == 3:
            end = text.find(quote, start)
            return end if end >= 0 else None
        position = start
        while token := _TOKEN.search(text, position):
            position = token.end()
            if token[0][-1] != quote:
                continue
            run = len(token[0]) - 1
            if run < escapes:
                return token.start()
            if run % (2 * (escapes + 1)) != escapes:
                continue
            after = text[position : position + 1]
            if after == quote and not escapes and token.start() > start:
                position += 1
            elif quote == "'" and (joint := _SHELL_APOSTROPHE.match(text, position - 1)):
                position = joint.end()
            elif not after or after == enclosing or not (_is_word(after) or after in "\"'`"):
                return position - 1 - escapes
        return None
