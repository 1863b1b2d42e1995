"""Bills of materials (CycloneDX 1.6) of a target and of the gate: the same bytes for the same content.

A component's hashes are those of its artifacts, from a hashed lock file. What is recorded
of an installation (the digest of its RECORD) is a property: it is no artifact's hash.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, distributions
from typing import Any

from cyclonedx.contrib.hash.factories import HashTypeFactory
from cyclonedx.exception.model import UnknownHashTypeException
from cyclonedx.model import HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from packageurl import PackageURL
from packaging.utils import canonicalize_name

from hologram_dagster.errors import HologramError
from hologram_dagster.processes import scrubbed_environment, start_child, stop_child
from hologram_dagster.supply_chain.locks import PYPI, Locked

OWN_NAME = "hologram_dagster"
RECORD_DIGEST = "hologram:installed_record_sha256"
_TIMEOUT_S = 300.0


def target_bom(name: str, *, commit: str, tree: str, locked: Sequence[Locked]) -> bytes:
    """The bill of what the lock files of a revision pin; `commit` and `tree` are its git ids."""
    root = Component(
        name=name,
        version=commit,
        type=ComponentType.APPLICATION,
        bom_ref=f"git:{tree}",
        properties=[Property(name="hologram:git_tree", value=tree)],
    )
    components = [
        Component(
            name=item.name,
            version=item.version or None,
            type=ComponentType.LIBRARY,
            bom_ref=item.purl,
            purl=PackageURL.from_string(item.purl),
            hashes=list(_hash_types(item)),
        )
        for item in locked
    ]
    bom = Bom(components=components)
    # Both would be new each time.
    bom.serial_number = None  # type: ignore[assignment]
    bom.metadata.timestamp = None  # type: ignore[assignment]
    bom.metadata.component = root
    bom.register_dependency(root, components)
    return _to_bytes(json.loads(JsonV1Dot6(bom).output_as_string()))


def gate_bom(locked: Sequence[Locked]) -> bytes:
    """The bill of the environment this process runs in, with the hashes of those `locked` that are installed.

    Raises:
        HologramError: the environment cannot be listed.
    """
    document = _environment()
    for tool in document["metadata"]["tools"]["components"]:
        tool.pop("externalReferences", None)
    pins = {(item.name, item.version): item for item in locked if item.ecosystem == PYPI}
    records = {_key(each): each for each in distributions()}
    components = []
    for component in document.get("components", []):
        # Paths of this machine, and pages of projects, which say nothing of what is installed.
        component.pop("externalReferences", None)
        key = (canonicalize_name(component["name"]), component.get("version", ""))
        if key[0] == canonicalize_name(OWN_NAME):
            document["metadata"]["component"] = {**component, "type": "application"}
            continue
        if key in pins:
            component["hashes"] = [
                {"alg": each.alg.value, "content": each.content} for each in _hash_types(pins[key])
            ]
        if key in records and (record := records[key].read_text("RECORD")):
            digest = {"name": RECORD_DIGEST, "value": hashlib.sha256(record.encode()).hexdigest()}
            component["properties"] = [*component.get("properties", []), digest]
        components.append(component)
    return _to_bytes({**document, "components": components})


def _environment() -> dict[str, Any]:
    command = ["-m", "cyclonedx_py", "environment", "--spec-version", "1.6", "--output-reproducible"]
    process = start_child(
        [sys.executable, *command, "--no-validate", sys.executable],
        env=scrubbed_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        output, errors = process.communicate(timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise HologramError(f"cyclonedx-py did not end within {_TIMEOUT_S:g} s.") from None
    finally:
        stop_child(process)
    if process.returncode:
        last = errors.decode(errors="replace").strip().rpartition("\n")[2]
        raise HologramError(f"cyclonedx-py cannot list this environment: {last or process.returncode}.")
    content: dict[str, Any] = json.loads(output)
    return content


def _key(installed: Distribution) -> tuple[str, str]:
    return canonicalize_name(installed.metadata["Name"] or ""), installed.version


def _hash_types(item: Locked) -> Iterator[HashType]:
    for each in item.hashes:
        try:
            yield HashTypeFactory().from_composite_str(each)
        except UnknownHashTypeException:
            # CycloneDX has no name for it.
            continue


def _to_bytes(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def schema_fault(data: bytes) -> str | None:
    """Where `data` is not CycloneDX 1.6 by the strict schema; None if it is."""
    # Loads half a second's worth of JSON Schema, which what merely reads bills does without.
    from cyclonedx.validation.json import JsonStrictValidator

    try:
        fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(data.decode())
    except ValueError as error:
        return f"not JSON: {error}"
    return None if fault is None else str(fault.data).partition("\n")[0][:300]


def components_in(data: bytes) -> tuple[int, int]:
    """How many components a bill lists, and how many of them have a hash."""
    components = json.loads(data).get("components", [])
    return len(components), sum(bool(component.get("hashes")) for component in components)
