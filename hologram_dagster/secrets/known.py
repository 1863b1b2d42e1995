"""Values that this process knows to be secret: they go wherever they stand, whatever stands around them.

A name or a form gives most secrets away; what a service says about a token it was sent may
have neither. So who reads a secret (`settings`) or makes one (`stack`) says so here.
"""

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote, urlsplit

# A shorter value, or one of small letters alone, may be any word.
_LEAST = 8
# Of one that goes over lines (a PEM key), the lines are looked for one by one.
_LEAST_LINE = 16
_LEAST_PART = 16
_USERINFO = re.compile(r"://(?P<user>[^\s/?#@:]*):(?P<password>[^\s/?#]+)@")


class _Known:
    def __init__(self) -> None:
        self.values: set[str] = set()
        # Longest first: one may hold another.
        self.forms: tuple[str, ...] = ()


_known = _Known()


def remember(*values: str) -> None:
    """From now on, each of `values` is redacted wherever it stands: as it is, and encoded."""
    new = {value for value in values if _is_telling(value)} - _known.values
    if new:
        _known.values |= new
        forms = {form for value in _known.values for form in _forms(value)}
        _known.forms = tuple(sorted(forms, key=lambda form: (-len(form), form)))


def remember_url(url: str) -> None:
    """Remember the passwords in `url`, or in several with white space between."""
    for found in _USERINFO.finditer(url):
        user, password = unquote(found["user"]), unquote(found["password"])
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        remember(found["password"], password, pair)


def remember_address(url: str) -> None:
    """Remember a `url` whose path is the secret, as those of webhooks are: whole, and its long parts."""
    remember_url(url)
    for one in url.split():
        split = urlsplit(one)
        parts = re.split(r"[/=&]", f"{split.path}&{split.query}")
        remember(one, *(part for part in (*parts, split.netloc) if len(part) >= _LEAST_PART))


def forget_all() -> None:
    """Forget every value: for tests, which are many users of one process."""
    _known.values, _known.forms = set(), ()


def places(text: str) -> Iterator[int]:
    """Where in `text` a known value begins, one place a value."""
    for form in _known.forms:
        if (at := text.find(form)) >= 0:
            yield at


def replace_known(text: str, marker: str) -> str:
    """`text` with `marker` in place of every known value."""
    for form in _known.forms:
        if form in text:
            text = text.replace(form, marker)
    return text


def _is_telling(value: str) -> bool:
    return len(value) >= _LEAST and re.fullmatch(r"[a-z]+", value) is None


def _forms(value: str) -> Iterator[str]:
    lines = value.split("\n")
    for line in lines if len(lines) > 1 else ():
        if len(line.strip()) >= _LEAST_LINE and "-----" not in line:
            yield line.strip()
    yield value
    yield json.dumps(value)[1:-1]
    yield repr(value)[1:-1]
    yield quote(value)
    yield quote(value, safe="")
    yield quote_plus(value)
    coded = base64.b64encode(value.encode(errors="replace")).decode()
    yield from (coded, coded.rstrip("="), coded.replace("+", "-").replace("/", "_").rstrip("="))
