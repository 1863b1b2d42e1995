"""Where records lie: a folder or an object store, one object a record.

What belongs here: names, exclusive creation, bounded reading. What does not: which of
the objects count; only the ledger says that (`gathering`).

Layout: `artifacts/<sha256>/<name>` for files that belong to records, which are
`<yyyy>/<mm>/<dd>/<run_id>/<kind>-<n>.json` by the day the observation ended. The
ledger is the index: it names each record's path, so nothing here is listed but by an audit of a folder.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from upath import UPath

from hologram_dagster.errors import ServiceError
from hologram_dagster.evidence.record import MAX_BYTES, Record
from hologram_dagster.files import create_whole
from hologram_dagster.protocol.canonical import sha256_hex

_PIECE_BYTES = 1 << 20
_LOCAL = frozenset({"", "file", "local"})


class EvidenceStore:
    """Records under `root`: a path, or a URL that fsspec knows (`s3://bucket/evidence`)."""

    def __init__(self, root: UPath | Path | str):
        remote = UPath(root)
        self._local = Path(remote.path).absolute() if remote.protocol in _LOCAL else None
        self._root = UPath(self._local) if self._local else remote

    def put(self, record: Record) -> str:
        """Store `record` under a path of its own, whole or not at all; the path from the root.

        Raises:
            HologramError: it cannot be written.
        """
        folder = f"{record.finished_at:%Y/%m/%d}/{record.run_id}"
        data = record.to_bytes()
        for number in count():
            path = f"{folder}/{record.kind}-{number}.json"
            try:
                self._create(path, data)
            except FileExistsError:
                continue
            return path
        raise AssertionError("count() never ends")

    def put_artifact(self, data: bytes, name: str) -> str:
        """Store `data`, which belongs to a record, under its digest; the path from the root.

        The same bytes under the same `name` are kept once.

        Raises:
            HologramError: it cannot be written.
        """
        path = self.artifact_path(sha256_hex(data), name)
        with suppress(FileExistsError):
            self._create(path, data)
        return path

    @staticmethod
    def artifact_path(sha256: str, name: str) -> str:
        """Where `put_artifact` keeps the bytes of digest `sha256` (hex) under `name`."""
        return f"artifacts/{sha256}/{name}"

    def get(self, path: str) -> bytes:
        """The bytes at `path`; never more than one over the largest record.

        Raises:
            FileNotFoundError: there is no such object.
            ServiceError: the store cannot be read now.
        """
        with self._explained(path):
            if self._local:
                with (self._local / path).open("rb") as stream:
                    return stream.read(MAX_BYTES + 1)
            where = self._root / path
            return bytes(where.fs.cat_file(where.path, start=0, end=MAX_BYTES + 1))

    def records(self) -> Iterator[str]:
        """The paths of all records in a folder, whether the ledger lists them or not; of S3 none."""
        if self._local:
            for path in sorted(self._local.glob("[0-9]*/*/*/*/*.json")):
                yield path.relative_to(self._local).as_posix()

    def sha256(self, path: str) -> str:
        """The sha256 (hex) of the bytes at `path`, however many.

        Raises:
            FileNotFoundError: there is no such object.
            ServiceError: the store cannot be read now.
        """
        with self._explained(path):
            digest = hashlib.sha256()
            with (self._local or self._root).joinpath(path).open("rb") as stream:
                while piece := stream.read(_PIECE_BYTES):
                    digest.update(piece)
            return digest.hexdigest()

    def remove(self, path: str) -> None:
        """Remove the object at `path`, and local folders that are empty then; none is fine.

        Raises:
            ServiceError: the store refuses.
        """
        try:
            with self._explained(path):
                if self._local:
                    (self._local / path).unlink()
                else:
                    where = self._root / path
                    where.fs.rm_file(where.path)
        except FileNotFoundError:
            return
        if self._local:
            for folder in (self._local / path).relative_to(self._local).parents[:-1]:
                with suppress(OSError):
                    (self._local / folder).rmdir()

    def uri(self, path: str) -> str:
        """The full URI of `path`."""
        return str((self._root / path).as_uri())

    def _create(self, path: str, data: bytes) -> None:
        if self._local:
            create_whole(self._local / path, data)
            return
        where = self._root / path
        with self._explained(path):
            # One put of the whole object, refused by the store where there is one already.
            where.fs.pipe_file(where.path, data, mode="create")

    @contextmanager
    def _explained(self, path: str) -> Iterator[None]:
        try:
            yield
        except (FileExistsError, FileNotFoundError):
            raise
        except Exception as error:  # each kind of store has errors of its own
            cause = f"{type(error).__name__}: {error}"
            remedy = "Check the store and the access to it"
            if not self._local:
                remedy += " (HOLOGRAM_EVIDENCE_STORE; for S3 the package extra s3 and the variables AWS_*)"
            raise ServiceError(f"cannot use {self._root}/{path}: {cause}. {remedy}.") from error
