"""The archive that is written, whole and checked, before anything is removed.

A tar, compressed with gzip, with a member `SHA256SUMS` over all others in the form of
`sha256sum -c`. Evidence lies in it as in its store: extracted over the state folder it
can be verified again.
"""

import hashlib
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

from hologram_dagster.errors import HologramError
from hologram_dagster.files import creating_whole
from hologram_dagster.retention.expired import Member

SUMS = "SHA256SUMS"


def write_archive(path: Path, members: Iterable[Member]) -> str:
    """Write `members` to the new archive at `path`, read it back, and return its sha256 (hex).

    Raises:
        HologramError: it cannot be written, or does not read back as it was written.
    """
    sums: dict[str, str] = {}
    try:
        with creating_whole(path) as stream, tarfile.open(fileobj=stream, mode="w:gz") as archive:
            for name, content in members:
                sums[name] = hashlib.sha256(content).hexdigest()
                _add(archive, name, content)
            _add(archive, SUMS, "".join(f"{digest}  {name}\n" for name, digest in sums.items()).encode())
    except FileExistsError:
        raise HologramError(f"{path} is there already: prune again.") from None
    _read_back(path, sums)
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def _read_back(path: Path, sums: dict[str, str]) -> None:
    """Refuse an archive that does not hold exactly what `sums` says.

    Raises:
        HologramError: it does not.
    """
    found: dict[str, str] = {}
    try:
        with tarfile.open(path, mode="r:gz") as archive:
            for info in archive:
                stream = archive.extractfile(info)
                if stream is not None and info.name != SUMS:
                    found[info.name] = hashlib.sha256(stream.read()).hexdigest()
    except (OSError, tarfile.TarError, EOFError) as error:
        raise HologramError(
            f"the archive {path} cannot be read back ({error}): nothing was removed."
        ) from None
    if found != sums:
        raise HologramError(f"the archive {path} is not what was written to it: nothing was removed.")
