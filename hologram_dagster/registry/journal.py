"""What the registry did, as a signed hash ledger in its database (contract 5.1, 5.3).

Each change of a name or an installation appends one entry, in the transaction of the change: neither
is ever without the other. The entry's data has a `proof_chain` by the registry's key, and names
the proof that the request carried. All registries of a database append to one ledger, each with its own
key. What belongs here: appending and verifying; the form of an entry is `protocol.ledger_entry`'s.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Engine, func, insert, select

from hologram_dagster.protocol import proof_chain
from hologram_dagster.protocol.ledger_entry import Entry, LedgerError, check, check_itself, link, parse
from hologram_dagster.protocol.signing import Signer, key_id_of
from hologram_dagster.registry.guard import Admitted
from hologram_dagster.registry.tables import JOURNAL_LOCK_KEY, operations

_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class _Request:
    """What the request at hand carried, and the receipts of what was done for it."""

    admitted: Admitted
    receipts: list[dict[str, Any]] = field(default_factory=list)


_NOTHING: Final = _Request(Admitted())
_request: ContextVar[_Request] = ContextVar("request", default=_NOTHING)


@contextmanager
def serving(admitted: Admitted) -> Iterator[list[dict[str, Any]]]:
    """Note `admitted` in what is done meanwhile in this thread; yields the receipts of it."""
    token = _request.set(_Request(admitted))
    try:
        yield _request.get().receipts
    finally:
        _request.reset(token)


class Journal:
    """Appends with one registry's key. Safe to use from several threads and processes."""

    def __init__(self, signer: Signer, *, clock: Callable[[], float] = time.time) -> None:
        self._signer = signer
        self._clock = clock

    def append(self, connection: Connection, operation: str, facts: Mapping[str, Any]) -> None:
        """Enter an operation (`store`, `publish`, `install`, `uninstall`, `update`, `delete`).

        Call it after the change, in its transaction, which then holds the lock of the ledger.

        Raises:
            LedgerError: the last entry is not what was written; the change is not to be done.
        """
        if connection.dialect.name == "postgresql":
            # SQLite has one writer, which the change before has made of this connection.
            connection.execute(select(func.pg_advisory_xact_lock(JOURNAL_LOCK_KEY)))
        line = connection.scalar(select(operations.c.line).order_by(operations.c.seq.desc()).limit(1))
        previous = None if line is None else parse(line.encode("utf-8", "surrogatepass"), None)
        if previous is not None:
            check_itself(previous)
        request, now = _request.get(), int(self._clock())
        data = {"operation": operation, "at": now, **facts, "request": _carried(request.admitted)}
        entry = link(proof_chain.attach(data, self._signer, now=now), previous, self._signer)
        connection.execute(insert(operations).values(seq=entry.seq, line=entry.line))
        if request is not _NOTHING:
            proof = entry.data[proof_chain.FIELD]
            request.receipts.append({"seq": entry.seq, "head": entry.head, proof_chain.FIELD: proof})


def _carried(admitted: Admitted) -> dict[str, Any] | None:
    """Of what a request carried, what names it: nonce, hash and key of its proof."""
    proof = admitted.proof or {}
    nonce = (admitted.frame or {}).get("nonce")
    if not proof and nonce is None:
        return None
    return {"nonce": nonce, "hash": proof.get("hash"), "key_id": proof.get("key_id")}


def entries(engine: Engine) -> Iterator[Entry]:
    """Every entry, oldest first, each yielded after links, signature and proof were checked.

    Raises:
        LedgerError: at the first that does not hold, with the contract's code.
    """
    previous: Entry | None = None
    seq = 0
    with engine.connect() as connection:
        while rows := connection.execute(
            select(operations).where(operations.c.seq >= seq).order_by(operations.c.seq).limit(_PAGE)
        ).all():
            for number, line in rows:
                if number != seq:
                    raise LedgerError("bad_seq", seq, "it is not there")
                entry = parse(line.encode("utf-8", "surrogatepass"), seq)
                check(entry, previous)
                if fault := proof_chain.check(entry.data, trusted={entry.public_key}):
                    raise LedgerError("bad_proof", seq, fault)
                yield entry
                previous, seq = entry, seq + 1


class Keys:
    """Whose entries count: `trusted` keys (None: any) but for `revoked` ones; ids or public keys (hex)."""

    def __init__(self, trusted: Iterable[str] | None, revoked: Iterable[str]) -> None:
        self._trusted = None if trusted is None else frozenset(trusted)
        self._revoked = frozenset(revoked)

    def fault(self, public_hex: str) -> str | None:
        """Why a public key may not have signed; None if it may."""
        names = {public_hex, key_id_of(public_hex)}
        if names & self._revoked:
            return f"the key {key_id_of(public_hex)} is revoked"
        if self._trusted is not None and not names & self._trusted:
            return f"the key {key_id_of(public_hex)} is not trusted"
        return None


@dataclass(frozen=True, slots=True)
class Verified:
    """How much of the ledger holds, its head, and what is wrong behind (None: nothing)."""

    entries: int
    head: str
    fault: LedgerError | None


def verify(engine: Engine, distrust: Callable[[str], str | None], *, head: str | None = None) -> Verified:
    """Verify the whole ledger; `distrust` tells why a public key (hex) may not have signed, None if it may.

    `head` is one that was seen before and must be in it: that the end was cut off shows by nothing else.
    """
    count, last, seen = 0, "", head is None
    try:
        for entry in entries(engine):
            if fault := distrust(entry.public_key):
                raise LedgerError("untrusted_key", entry.seq, fault)
            count, last = entry.seq + 1, entry.head
            seen = seen or last == head
    except LedgerError as error:
        return Verified(count, last, error)
    if not seen:
        return Verified(count, last, LedgerError("cut_off", None, f"the head {head}, seen before, is gone"))
    return Verified(count, last, None)
