"""Lock files: which packages a revision pins, and by which hashes of their artifacts.

Read, never resolved: what a file does not say is not known. A version has as many hashes
as it has artifacts (a wheel for each platform, an sdist); installers refuse any other.
"""

import base64
import binascii
import json
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from packageurl import PackageURL
from packaging.utils import canonicalize_name
from pip_requirements_parser import RequirementsFile

from hologram_dagster.errors import FormatError, not_json

PYPI, NPM = "pypi", "npm"


@dataclass(frozen=True, slots=True, order=True)
class Locked:
    """One version of a package; `hashes` are `algorithm:hex` of the artifacts the lock allows.

    `ecosystem` is the package URL's type. `version` is empty where the file does not pin one.
    """

    ecosystem: str
    name: str
    version: str
    hashes: tuple[str, ...] = ()

    @property
    def purl(self) -> str:
        """The package URL (purl specification)."""
        namespace, _, name = self.name.rpartition("/")
        return str(PackageURL(self.ecosystem, namespace or None, name, self.version or None))


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock file of a revision: its path from the top, the sha256 (hex) of its bytes, what it pins."""

    path: str
    sha256: str
    packages: tuple[Locked, ...]


def is_lock(path: str) -> bool:
    """Whether `path` is named like a lock file that can be read here."""
    return _reader(path) is not None


def read_lock(path: str, content: bytes) -> tuple[Locked, ...]:
    """The packages that the lock file `path` pins, sorted; each version once.

    Raises:
        FormatError: it is not in the form that its name promises; names the file.
        KeyError: no form is known for that name (see `is_lock`).
    """
    reader = _reader(path)
    if reader is None:
        raise KeyError(path)
    try:
        text = content.decode()
        found = list(reader(text, path))
    except json.JSONDecodeError as error:
        raise not_json(path, error) from None
    except (ValueError, yaml.YAMLError) as error:
        raise FormatError(f"{path} cannot be read as a lock file: {error}.") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise FormatError(
            f"{path} is not in the form its name promises ({type(error).__name__}: {error})."
        ) from None
    return merged(found)


def merged(found: list[Locked]) -> tuple[Locked, ...]:
    """`found`, sorted, with all that is known of one version in one place."""
    hashes: dict[tuple[str, str, str], set[str]] = {}
    for item in found:
        hashes.setdefault((item.ecosystem, item.name, item.version), set()).update(item.hashes)
    return tuple(Locked(*key, tuple(sorted(of_it))) for key, of_it in sorted(hashes.items()))


def _requirements(text: str, path: str) -> Iterator[Locked]:
    # Its `from_string` does not work in release 32.
    with tempfile.TemporaryDirectory(prefix="hologram-lock-") as folder:
        copy = Path(folder, "requirements.txt")
        copy.write_text(text)
        parsed = RequirementsFile.from_file(str(copy))
    for invalid in parsed.invalid_lines:
        raise FormatError(f"{path} line {invalid.line_number}: {invalid.line!r} is no requirement.")
    for each in parsed.requirements:
        if each.name:
            yield _python(each.name, each.get_pinned_version, each.hash_options)


def _python(name: str, version: str | None, hashes: list[str]) -> Locked:
    return Locked(PYPI, canonicalize_name(name), version or "", tuple(hashes))


def _toml(text: str, path: str) -> Iterator[Locked]:
    """uv.lock and poetry.lock (`package`), pylock.toml (`packages`, PEP 751)."""
    document = tomllib.loads(text)
    for package in document.get("package", document.get("packages", [])):
        # Of uv: the project itself, which has no artifact.
        if {"virtual", "editable"} & set(package.get("source", {})):
            continue
        files = [*package.get("files", []), *package.get("wheels", []), package.get("sdist", {})]
        yield _python(package["name"], package.get("version"), [h for file in files for h in _of_file(file)])


def _of_file(file: Mapping[str, Any]) -> Iterator[str]:
    if "hash" in file:
        yield file["hash"]
    for algorithm, value in file.get("hashes", {}).items():
        yield f"{algorithm}:{value}"


def _package_lock(text: str, path: str) -> Iterator[Locked]:
    document = json.loads(text)
    if "packages" not in document:
        raise FormatError(f"{path} is of npm 6 or older: write it again with npm 7 or newer.")
    for place, package in document["packages"].items():
        if place and not package.get("link"):
            name = package.get("name") or place.rpartition("node_modules/")[2]
            yield Locked(NPM, name, package.get("version", ""), _integrity(package.get("integrity", "")))


def _pnpm_lock(text: str, path: str) -> Iterator[Locked]:
    document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    for key, package in (document.get("packages") or {}).items():
        # `name@version`, with a slash before it and peers in parentheses behind it in older ones.
        name, _, version = key.removeprefix("/").partition("(")[0].rpartition("@")
        yield Locked(NPM, name, version, _integrity((package.get("resolution") or {}).get("integrity", "")))


def _integrity(text: str) -> tuple[str, ...]:
    """The hashes of a subresource integrity (W3C), as `algorithm:hex`."""
    found = []
    for part in text.split():
        algorithm, _, encoded = part.partition("-")
        try:
            found.append(f"{algorithm}:{base64.b64decode(encoded, validate=True).hex()}")
        except binascii.Error:
            raise ValueError(f"{part!r} is no integrity") from None
    return tuple(found)


_Reader = Callable[[str, str], Iterator[Locked]]
_BY_NAME: Mapping[str, _Reader] = {
    "uv.lock": _toml,
    "poetry.lock": _toml,
    "package-lock.json": _package_lock,
    "npm-shrinkwrap.json": _package_lock,
    "pnpm-lock.yaml": _pnpm_lock,
}


def _reader(path: str) -> _Reader | None:
    file = PurePosixPath(path)
    if known := _BY_NAME.get(file.name):
        return known
    if file.name.startswith("pylock.") and file.suffix == ".toml":
        return _toml
    return _requirements if "requirements" in file.stem and file.suffix in {".txt", ".lock"} else None
