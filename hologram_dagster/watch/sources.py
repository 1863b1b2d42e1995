"""`HOLOGRAM_WATCH`: the branches that are watched, each as `URL#branch`.

What belongs here: reading that variable, and naming a branch without its secrets. What
does not: asking the remote (`remote`).
"""

import re
from dataclasses import dataclass
from hashlib import sha256

from hologram_dagster.errors import SettingsError

DEFAULT_BRANCH = "main"
# Bounds the cursor, together with what it holds for each branch.
MOST_SOURCES = 32
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]*@")
# What git allows in a branch's name, less what would read as an option or a pattern.
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]*")


@dataclass(frozen=True, slots=True)
class Source:
    """A branch of a repository; `url` is a URL or a path, and may hold credentials."""

    url: str
    branch: str

    @property
    def label(self) -> str:
        """`URL#branch` without credentials; names the source wherever people read."""
        return f"{without_credentials(self.url)}#{self.branch}"

    @property
    def key(self) -> str:
        """A short name for cursors, refs and files: it stays the same when credentials change."""
        return sha256(self.label.encode()).hexdigest()[:16]


def without_credentials(url: str) -> str:
    """`url` without `user:password@`."""
    return _CREDENTIALS.sub("", url)


def parse_sources(text: str | None) -> tuple[Source, ...]:
    """The branches that `text` names, separated by white space; none where it is empty.

    Raises:
        SettingsError: a malformed or repeated entry; shows it without credentials.
    """
    sources = [_parse(entry) for entry in (text or "").split()]
    labels = [source.label for source in sources]
    if repeated := sorted({label for label in labels if labels.count(label) > 1}):
        raise SettingsError(f"HOLOGRAM_WATCH names {repeated[0]} twice: name each branch once.")
    if len(sources) > MOST_SOURCES:
        raise SettingsError(
            f"HOLOGRAM_WATCH names {len(sources)} branches: at most {MOST_SOURCES} are watched."
        )
    return tuple(sources)


def _parse(entry: str) -> Source:
    url, _, branch = entry.partition("#")
    branch = branch or DEFAULT_BRANCH
    if not url or url.startswith("-") or not _BRANCH.fullmatch(branch):
        raise SettingsError(
            f"HOLOGRAM_WATCH: {without_credentials(entry)!r} is not of the form URL#branch "
            "(several are separated by spaces; without #branch it is #main)."
        )
    return Source(url, branch)
