"""`.hologram-secrets.json`: findings that a person has looked at and accepted, and folders of samples.

It holds no value. A fingerprint is made slowly (scrypt), so that trying out what the value
may be is slow, too; it binds to path and kind, so that the same value elsewhere is found.
"""

import hashlib
import json
import secrets
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from hologram_dagster.errors import FormatError
from hologram_dagster.files import write_whole
from hologram_dagster.secrets.kinds import CONTRACT, Kind
from hologram_dagster.secrets.scan import BLOCKS, Leak

FILE_NAME = ".hologram-secrets.json"
# What tests and documents write as samples; a token of a service is one wherever it stands.
SAMPLED = (CONTRACT - BLOCKS) | {
    Kind.URL_PASSWORD,
    Kind.CONNECTION_STRING,
    Kind.NETRC,
    Kind.PASSWORD_HASH,
}

_Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(_Strict):
    """An accepted finding: where, of which kind; `line` is where it was when accepted."""

    path: str
    line: int
    kind: Kind
    fingerprint: _Hex


class _File(_Strict):
    schema_version: Literal[1] = 1
    samples: tuple[str, ...] = ()
    salt: _Hex
    accepted: tuple[Entry, ...] = ()


@lru_cache(maxsize=4096)
def _fingerprint(salt: str, path: str, kind: Kind, digest: str) -> str:
    bound = "\0".join((salt, path, kind)).encode()
    return hashlib.scrypt(digest.encode(), salt=bound, n=2**13, r=8, p=1, dklen=16).hex()


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is accepted; `samples` are folders (from the file's own) whose samples are no findings."""

    samples: tuple[str, ...] = ()
    salt: str = field(default_factory=lambda: secrets.token_hex(16))
    entries: tuple[Entry, ...] = ()

    def holds(self, path: str, leak: Leak) -> bool:
        """Whether `leak` in the file `path` (from the file's own folder, with slashes) is accepted."""
        if leak.kind in SAMPLED and any(PurePosixPath(path).is_relative_to(each) for each in self.samples):
            return True
        known = {each.fingerprint for each in self.entries if (each.path, each.kind) == (path, leak.kind)}
        return bool(known) and _fingerprint(self.salt, path, leak.kind, leak.digest) in known

    def with_all(self, found: Iterable[tuple[str, Leak]]) -> "Accepted":
        """The same with exactly the findings `found` (path, leak) accepted."""
        first: dict[tuple[str, Kind, str], int] = defaultdict(int)
        for path, leak in found:
            if not (leak.kind in SAMPLED and self.holds(path, leak)):
                first.setdefault((path, leak.kind, leak.digest), leak.line)
        entries = (
            Entry(path=path, line=line, kind=kind, fingerprint=_fingerprint(self.salt, path, kind, digest))
            for (path, kind, digest), line in first.items()
        )
        ordered = sorted(entries, key=lambda entry: (entry.path, entry.line, entry.kind))
        return Accepted(self.samples, self.salt, tuple(ordered))

    def write(self, path: Path) -> None:
        """Replace the file `path`.

        Raises:
            HologramError: it cannot be written.
        """
        content = _File(samples=self.samples, salt=self.salt, accepted=self.entries)
        write_whole(path, json.dumps(content.model_dump(mode="json"), indent=1) + "\n")


def parse_accepted(content: bytes, *, where: str) -> Accepted:
    """What the file `where` accepts.

    Raises:
        FormatError: it is not in the form it should have.
    """
    try:
        read = _File.model_validate_json(content)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(str(part) for part in fault["loc"])
        raise FormatError(
            f"{where}: {f'{key}: ' if key else ''}{fault['msg']}. "
            "Write it anew with `hologram secrets scan --write-baseline`."
        ) from None
    return Accepted(read.samples, read.salt, read.accepted)


def read_accepted(path: Path) -> Accepted:
    """What the file at `path` accepts.

    Raises:
        FormatError: it cannot be read, or is not in the form it should have.
    """
    try:
        return parse_accepted(path.read_bytes(), where=str(path))
    except OSError as error:
        raise FormatError(f"cannot read {path}: {error.strerror or error}.") from error
