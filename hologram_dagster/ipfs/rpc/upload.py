"""Uploaded files: a multipart body, written to disk as it arrives.

What belongs here: parsing the body and its part headers. What does not: adding the files.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote_plus

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from hologram_dagster.ipfs.rpc.faults import RequestError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_FILE_NAME = "file"
# How clients mark parts that are no plain file.
_SPECIAL_TYPES = {b"application/x-directory": "directories", b"application/symlink": "symbolic links"}


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file received whole; it lies alone in its folder. `name` is empty if none was sent."""

    name: str
    path: Path


class _Parts:
    """Collects the parts of one body in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.files: list[UploadedFile] = []
        self.ended = False
        self._folder = folder
        self._headers: dict[bytes, bytes] = {}
        self._field, self._value = b"", b""
        self._stream: BinaryIO | None = None

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self.on_part_begin,
            "on_header_field": self.on_header_field,
            "on_header_value": self.on_header_value,
            "on_header_end": self.on_header_end,
            "on_headers_finished": self.on_headers_finished,
            "on_part_data": self.on_part_data,
            "on_part_end": self.on_part_end,
            "on_end": self.on_end,
        }

    def on_part_begin(self) -> None:
        self._headers = {}

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field, self._value = b"", b""

    def on_headers_finished(self) -> None:
        kind, _ = parse_options_header(self._headers.get(b"content-type"))
        if kind in _SPECIAL_TYPES:
            raise RequestError(f"adding {_SPECIAL_TYPES[kind]} is not supported by this node, only files")
        _, disposition = parse_options_header(self._headers.get(b"content-disposition"))
        name = unquote_plus(disposition.get(b"filename", b"").decode("utf-8", "replace"))
        if "/" in name:
            raise RequestError(
                f"file name {name!r}: adding directories is not supported by this node, only files"
            )
        path = Path(tempfile.mkdtemp(dir=self._folder)) / _FILE_NAME
        self._stream = path.open("wb")
        self.files.append(UploadedFile(name, path))

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._stream is not None:
            self._stream.write(data[start:end])

    def on_part_end(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def on_end(self) -> None:
        self.ended = True

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()


@contextmanager
def upload_folder(staging: Path) -> Iterator[Path]:
    """A folder for one request's files, gone afterwards."""
    folder = Path(tempfile.mkdtemp(dir=staging))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def drain(request: Request) -> None:
    """Read what is left of a refused body: a client that is still sending would see a reset
    connection instead of the answer."""
    with suppress(RuntimeError, ClientDisconnect):  # RuntimeError: it was read to its end before
        async for _ in request.stream():
            pass


async def receive(request: Request, folder: Path) -> list[UploadedFile]:
    """Write the files of the request's multipart body into `folder`, all or an error.

    Raises:
        RequestError: the body is not multipart, is malformed, ends early, or holds what
            this node does not add.
        OSError: a file cannot be written, for instance on a full disk.
    """
    kind, parameters = parse_options_header(request.headers.get("content-type"))
    boundary = parameters.get(b"boundary")
    if not kind.startswith(b"multipart/") or not boundary:
        raise RequestError("file argument 'path' is required, as a multipart/form-data body")
    with closing(_Parts(folder)) as parts:
        try:
            parser = MultipartParser(boundary, parts.callbacks())
            async for chunk in request.stream():
                parser.write(chunk)
            parser.finalize()
        except FormParserError as error:
            raise RequestError(f"malformed multipart body: {error}") from None
    if not parts.ended:
        raise RequestError("the multipart body ends early, nothing was added")
    if not parts.files:
        raise RequestError("file argument 'path' is required")
    return parts.files
