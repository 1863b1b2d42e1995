"""Uploaded files and directories: a multipart body, written to disk as it arrives.

What belongs here: parsing the body and its part headers. What does not: adding the files.
"""

import posixpath
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

_CONTENT = "content"
_MAX_NAME_BYTES, _SHOWN = 255, 60
# How clients mark parts that are no plain file.
_DIRECTORY_TYPE, _LINK_TYPE = b"application/x-directory", b"application/symlink"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file or a directory received whole; it lies alone in its folder, at `path`.

    `name` is empty if none was sent, and for the directory that wraps everything. `files` are
    the names below `path` of each file, as they came; of a single file, no names.
    """

    name: str
    path: Path
    files: list[tuple[str, ...]]

    def directories(self) -> Iterator[tuple[str, ...]]:
        """The names below `path` of each directory, `path` itself included, each after those below it."""
        if self.path.is_dir():
            yield from _directories(self.path, ())

    def empty_directory(self) -> str | None:
        """The path of a directory with nothing in it, if there is one."""
        for names in self.directories():
            if not any(self.path.joinpath(*names).iterdir()):
                return "/".join((self.name, *names))
        return None


def _directories(folder: Path, names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for child in sorted(folder.iterdir()):
        if child.is_dir():
            yield from _directories(child, (*names, child.name))
    yield names


def _names(file_name: bytes) -> tuple[str, ...]:
    """The names in a part's path, cleaned as Kubo does: `..` never leads out."""
    text = unquote_plus(file_name.decode("utf-8", "replace"))
    names = tuple(name for name in posixpath.normpath(f"/{text}").split("/") if name)
    if "\0" in text or any(len(name.encode("utf-8", "surrogatepass")) > _MAX_NAME_BYTES for name in names):
        raise RequestError(f"file name {text[:_SHOWN]!r} is too long or holds a NUL byte")
    return names


class _Parts:
    """Collects the parts of one body in `folder`, in one directory if `wrap`."""

    def __init__(self, folder: Path, *, wrap: bool) -> None:
        self.uploads: list[Upload] = []
        self.ended = False
        self._folder = folder
        self._wrap = wrap
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
        if kind == _LINK_TYPE:
            raise RequestError("adding symbolic links is not supported by this node")
        _, disposition = parse_options_header(self._headers.get(b"content-disposition"))
        names = _names(disposition.get(b"filename", b""))
        is_directory = kind == _DIRECTORY_TYPE
        upload, below = self._place(names, is_directory)
        path = upload.path.joinpath(*below)
        try:
            if is_directory:
                path.mkdir(parents=True, exist_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._stream = path.open("xb")
                upload.files.append(below)
        except (FileExistsError, NotADirectoryError):
            raise RequestError(f"{'/'.join(names)!r}: directory already has entry by that name") from None

    def _place(self, names: tuple[str, ...], is_directory: bool) -> tuple[Upload, tuple[str, ...]]:
        """The upload that a part belongs to, and the names below it."""
        if self._wrap:
            if not names:
                raise RequestError("a part without a file name cannot be wrapped in a directory")
            return (self.uploads[0] if self.uploads else self._begin("")), names
        name, *below = names or ("",)
        last = self.uploads[-1] if self.uploads else None
        if last is None or last.name != name or not last.path.is_dir() or not (below or is_directory):
            last = self._begin(name)
        return last, tuple(below)

    def _begin(self, name: str) -> Upload:
        self.uploads.append(Upload(name, Path(tempfile.mkdtemp(dir=self._folder)) / _CONTENT, []))
        return self.uploads[-1]

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._stream is not None:
            self._stream.write(data[start:end])

    def on_part_end(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

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


async def receive(request: Request, folder: Path, *, wrap: bool) -> list[Upload]:
    """Write what the request's multipart body holds into `folder`, all or an error.

    Raises:
        RequestError: the body is not multipart, is malformed, ends early, or holds what
            this node does not add.
        OSError: a file cannot be written, for instance on a full disk.
    """
    kind, parameters = parse_options_header(request.headers.get("content-type"))
    boundary = parameters.get(b"boundary")
    if not kind.startswith(b"multipart/") or not boundary:
        raise RequestError("file argument 'path' is required, as a multipart/form-data body")
    with closing(_Parts(folder, wrap=wrap)) as parts:
        try:
            parser = MultipartParser(boundary, parts.callbacks())
            async for chunk in request.stream():
                parser.write(chunk)
            parser.finalize()
        except FormParserError as error:
            raise RequestError(f"malformed multipart body: {error}") from None
    if not parts.ended:
        raise RequestError("the multipart body ends early, nothing was added")
    if not parts.uploads:
        raise RequestError("file argument 'path' is required")
    return parts.uploads
