"""What the second dialect does: store, resolve, search, update and delete contents.

A content is a text stored by itself (`storeContent`, `upsertObject`); what is published by
CID is the first dialect's alone. Its id is its encoding, so that `resolve` and `inverseResolve`
know it, too. Every method raises `RefusedError` for what it does not do.
"""

import re
from contextlib import suppress

from hologram_dagster.protocol.atlas import CYCLES, PAGES
from hologram_dagster.protocol.r96 import CLASSES
from hologram_dagster.registry import proofs
from hologram_dagster.registry.auth import Access, Caller
from hologram_dagster.registry.contents import content_for, intact
from hologram_dagster.registry.faults import AlteredError, Code, RefusedError
from hologram_dagster.registry.integrity import Integrity
from hologram_dagster.registry.names import check_name, fault_of, invisible_in, is_protected
from hologram_dagster.registry.pins import Pins
from hologram_dagster.registry.store import Content, Filters, Store, now

MAX_FOUND = 100
MAX_OFFSET = 10_000
MAX_MIME_TYPE_LENGTH = 127
_TOKEN = r"[A-Za-z0-9!#$&^_.+-]+"
_MIME_TYPE = re.compile(rf'{_TOKEN}/{_TOKEN}(?:; ?{_TOKEN}=(?:{_TOKEN}|"[ !#-\[\]-~]*"))*')


class ContentCatalogue:
    """The contents of one registry. Safe to use from several threads."""

    def __init__(self, store: Store, pins: Pins, access: Access, integrity: Integrity) -> None:
        self._store = store
        self._pins = pins
        self._access = access
        self._integrity = integrity

    # Reading: the store alone, never IPFS.

    def resolve(self, caller: Caller, name: str) -> Content | None:
        """The content called `name`."""
        self._access.require_read(caller, name)
        if fault_of(name):
            return None
        return self._integrity.content("name", lambda: self._store.content(name))

    def resolve_by_id(self, caller: Caller, content_id: str) -> Content | None:
        """The content with this id; None as well when the caller may not know of it."""
        return self._integrity.content("uorId", lambda: self._readable(caller, content_id))

    def resolve_at(self, caller: Caller, page: int, cycle: int) -> Content | None:
        """Of the contents at these coordinates that the caller may know of, the newest."""
        filters = _within(Filters(page=page, cycle=cycle))
        protected = caller.role is not None

        def find() -> Content | None:
            return self._store.newest_content(filters, protected=protected)

        return self._integrity.content("coordinates", find)

    def search(
        self, caller: Caller, filters: Filters, *, limit: int, offset: int, max_bytes: int
    ) -> list[Content]:
        """Contents that `filters` let through, newest first, of at most `max_bytes` bytes together."""
        if not 0 <= limit <= MAX_FOUND:
            raise RefusedError(Code.BAD_REQUEST, f"limit is {limit}; it must be 0 to {MAX_FOUND}.")
        if not 0 <= offset <= MAX_OFFSET:
            raise RefusedError(Code.BAD_REQUEST, f"offset is {offset}; it must be 0 to {MAX_OFFSET}.")
        if invisible_in(filters.mime_type or "") is not None:
            return []
        _within(filters)
        protected = caller.role is not None
        with self._integrity.watching():
            found = self._store.find_contents(
                filters, protected=protected, limit=limit, offset=offset, max_bytes=max_bytes
            )
            return [intact(content) for content in found]

    def count(self) -> int:
        """How many contents there are, protected ones, too."""
        return self._store.count_contents()

    # Changing: the text is in IPFS and pinned before its row is written.

    def store(self, caller: Caller, name: str, text: str, mime_type: str | None = None) -> Content:
        """Store `text` under `name`, in the place of what had the name."""
        self._require_change(caller, name)
        if mime_type is not None and not (
            len(mime_type) <= MAX_MIME_TYPE_LENGTH and _MIME_TYPE.fullmatch(mime_type)
        ):
            raise RefusedError(Code.BAD_REQUEST, "mimeType is no MIME type; `text/plain` is one.")
        return self._write(name, text, mime_type, replaced=None)

    def update(self, caller: Caller, content_id: str, text: str) -> Content:
        """Put `text` in the place of the content with this id; it has another id then.

        Of two updates of one id, one is done, and the other is NOT_FOUND.
        """
        content = self._known(caller, content_id)
        self._require_change(caller, content.entry.name)
        return self._write(content.entry.name, text, content.mime_type, replaced=content_id)

    def delete(self, caller: Caller, content_id: str) -> bool:
        """Remove the content with this id, and the pin no other name needs; False: there is none."""
        with self._integrity.watching():
            found = self._readable(caller, content_id)
        if found is None:
            return False
        self._require_change(caller, found.entry.name)
        with self._store.changing_pins(), self._integrity.watching():
            current = self._store.content_by_encoding(content_id)
            if current is not None:
                # Of an altered row, nobody knows what to unpin: it is stored anew first.
                self._pins.remove(intact(current).entry)
        return current is not None

    def _require_change(self, caller: Caller, name: str) -> None:
        self._access.require_write(caller, name)
        check_name(name)

    def _readable(self, caller: Caller, content_id: str) -> Content | None:
        # What is no id is not looked for: a database might refuse its characters.
        content = self._store.content_by_encoding(content_id) if proofs.is_encoding(content_id) else None
        if content is None or not self._access.may_read(caller, content.entry.name):
            return None
        return content

    def _known(self, caller: Caller, content_id: str) -> Content:
        with self._integrity.watching():
            found = self._readable(caller, content_id)
            if found is None:
                raise RefusedError(Code.NOT_FOUND, "no content has this id.")
            return intact(found)

    def _write(self, name: str, text: str, mime_type: str | None, *, replaced: str | None) -> Content:
        try:
            data = text.encode()
        except UnicodeEncodeError:
            raise RefusedError(
                Code.BAD_REQUEST, "the content holds half a surrogate pair, no character."
            ) from None
        cid = self._pins.add(data)
        entry = proofs.entry_for(
            name,
            data,
            protected=is_protected(name),
            app=False,
            cid=cid,
            manifest_cid=None,
            manifest=None,
        )
        with self._store.changing_pins(), self._integrity.watching():
            if replaced is not None and self._store.content_by_encoding(replaced) is None:
                raise RefusedError(Code.NOT_FOUND, "no content has this id any more.")
            written_at = now()
            created_at = self._created_at(name) or written_at
            content = intact(
                content_for(entry, data, mime_type=mime_type, created_at=created_at, updated_at=written_at)
            )
            # What the name named before stays pinned: others may rely on it.
            self._pins.pin(entry)
            self._store.put(entry, content, replaced=replaced)
            self._pins.written()
            found = self._store.content(name)
            if found is None:
                raise RefusedError(Code.STORAGE_UNAVAILABLE, "the database lost what was just written.")
            return intact(found)

    def _created_at(self, name: str) -> str | None:
        """When the content of `name` was first stored; an altered row is told, and not believed."""
        with suppress(AlteredError), self._integrity.watching():
            previous = self._store.content(name)
            return None if previous is None else intact(previous).created_at
        return None


def _within(filters: Filters) -> Filters:
    """`filters`, if what they ask for can be.

    Raises:
        RefusedError: BAD_REQUEST, naming the argument and its limits.
    """
    for argument, value, count in (
        ("r96Class", filters.r96_class, CLASSES),
        ("page", filters.page, PAGES),
        ("cycle", filters.cycle, CYCLES),
    ):
        if value is not None and not 0 <= value < count:
            raise RefusedError(Code.BAD_REQUEST, f"{argument} is {value}; it must be 0 to {count - 1}.")
    return filters
