"""Recall and precision by kind over the corpus, and what is told of them."""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hologram_dagster.secrets.kinds import Kind
from hologram_dagster.secrets.redactor import redact
from hologram_dagster.secrets.scan import find
from hologram_dagster_tests.secrets.corpus import PER_KIND, Item

# Of a value that is gone, not this many characters in a row may be left.
_LEFT = 6
Finds = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Score:
    """Of `PER_KIND` secrets and look-alikes of one kind: found, and falsely found."""

    found: int
    false: int

    @property
    def recall(self) -> float:
        return self.found / PER_KIND

    @property
    def precision(self) -> float | None:
        """None where nothing was found, right or wrong."""
        return self.found / (self.found + self.false) if self.found + self.false else None

    def __str__(self) -> str:
        """The two as cells of a table."""
        return f"{self.recall:.0%} | " + ("-" if self.precision is None else f"{self.precision:.0%}")


def scores(items: Iterable[Item], finds: Finds) -> dict[Kind, Score]:
    """How `finds` does on each kind."""
    found: Counter[Kind] = Counter()
    false: Counter[Kind] = Counter()
    kinds: dict[Kind, None] = {}
    for item in items:
        kinds[item.kind] = None
        if finds(item.text):
            (found if item.value else false)[item.kind] += 1
    return {kind: Score(found[kind], false[kind]) for kind in kinds}


def redacted(items: Iterable[Item]) -> Counter[Kind]:
    """Of how many secrets of each kind nothing is left by the redactor."""
    return Counter(item.kind for item in items if item.value and is_gone(item))


def is_gone(item: Item) -> bool:
    """Whether nothing of the secret in `item` is left, and something of the text around it is."""
    clean = redact(item.text)
    pieces = {item.value[at : at + _LEFT] for at in range(len(item.value) - _LEFT + 1)}
    around = item.text.replace(item.value, "")
    return not any(piece in clean and piece not in around for piece in pieces) and clean != "[REDACTED]"


def ours(text: str) -> bool:
    """Whether our scanner finds anything in `text`."""
    return bool(find(text))


@contextmanager
def detect_secrets() -> Iterator[Finds]:
    """Whether detect-secrets with all its plugins finds anything in a text; nothing is verified."""
    from detect_secrets.core.scan import scan_file
    from detect_secrets.settings import default_settings

    with tempfile.TemporaryDirectory() as folder, default_settings():
        path = Path(folder, "item.txt")

        def finds(text: str) -> bool:
            path.write_text(text)
            return any(scan_file(str(path)))

        yield finds
