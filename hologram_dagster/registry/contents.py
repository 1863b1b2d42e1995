"""Contents, the second dialect's entries: made from a text, and checked on each write and read.

Everything is computed again from name and bytes: checksum, Atlas metadata (conservation), id
(bijection), proof chain, and a seal over what the chain does not cover. What does not belong
here: rows (`store`), GraphQL (`resolvers`).
"""

from dataclasses import replace
from functools import lru_cache

from hologram_dagster.errors import HologramError
from hologram_dagster.protocol.atlas import encode, verify
from hologram_dagster.protocol.canonical import ccm, sha256_hex
from hologram_dagster.protocol.content import atlas_metadata
from hologram_dagster.registry import proofs
from hologram_dagster.registry.faults import AlteredError, Violation
from hologram_dagster.registry.store import Content, Entry

# What was found of a row is kept, and holds for a row that is the same in every column.
_KEPT = 2_048
_KEPT_BYTES = 4_096


def content_for(
    entry: Entry, data: bytes, *, mime_type: str | None, created_at: str, updated_at: str
) -> Content:
    """The content of `data`, whose entry is `entry`."""
    atlas = dict(entry.atlas)
    bare = Content(
        entry=entry,
        data=data,
        mime_type=mime_type,
        page=atlas["page"],
        cycle=atlas["cycle"],
        r96_class=atlas["r96Class"],
        created_at=created_at,
        updated_at=updated_at,
        seal="",
    )
    return replace(bare, seal=_seal(bare))


def intact(content: Content) -> Content:
    """`content`, if it is what the registry wrote.

    Raises:
        AlteredError: it is not; says which law it breaks.
    """
    fault = _fault_of(content) if len(content.data) > _KEPT_BYTES else _fault_kept(content)
    if fault is not None:
        raise AlteredError(content.entry.name, content.entry.encoding, *fault)
    proofs.check(content.entry).intact()
    return content


def _fault_of(content: Content) -> tuple[Violation, str] | None:
    entry = content.entry
    if sha256_hex(content.data) != entry.sha256 or len(content.data) != entry.size:
        return Violation.CONSERVATION, "its data are not those of its checksum and size"
    try:
        atlas = atlas_metadata(entry.name, content.data)
        sealed = content.seal == _seal(content)
    except (HologramError, TypeError, ValueError):
        return Violation.CONSERVATION, "a column of it cannot be read"
    stated = (content.page, content.cycle, content.r96_class)
    if tuple(atlas.items()) != entry.atlas or stated != (atlas["page"], atlas["cycle"], atlas["r96Class"]):
        return Violation.CONSERVATION, "its Atlas metadata do not follow from its data"
    if not verify(encode(content.data)):
        return Violation.CONSERVATION, "the Atlas state of its data breaks a conservation law"
    if not sealed:
        return Violation.CONSERVATION, "its times or its MIME type are not those written"
    return None


_fault_kept = lru_cache(_KEPT)(_fault_of)


def _seal(content: Content) -> str:
    facts = {
        "id": content.entry.encoding,
        "mimeType": content.mime_type,
        "createdAt": content.created_at,
        "updatedAt": content.updated_at,
    }
    return ccm(facts, "registry.content")
