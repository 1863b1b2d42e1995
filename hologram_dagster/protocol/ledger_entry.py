"""One entry of the ledger: its form, how it is linked, and what can be wrong with it.

What belongs here: pure functions over one line and the entry before it. What does not:
the file (see `ledger`).

Sequence, `prev`, `dataHash` and `head` are the contract's (section 5.3). Its hashes
ignore the order of arrays, so a second chain, `orderHash`, runs beside them: over the
previous `orderHash`, this `head`, and the data's JSON exactly as written. The signature
covers both. A line has one form only, so that no byte of it is free to change.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hologram_dagster.errors import FormatError, TamperedError
from hologram_dagster.protocol.canonical import ccm, sha256_hex
from hologram_dagster.protocol.signing import Signer, signature_fault

VERSION: Final = 1

_FIELDS: Final[Mapping[str, type]] = {
    "v": int,
    "seq": int,
    "prev": str,
    "data": dict,
    "dataHash": str,
    "head": str,
    "orderHash": str,
    "key_id": str,
    "public_key": str,
    "signature": str,
}


class LedgerError(TamperedError):
    """The ledger is not what was written.

    `code` is one of the contract's (`bad_version`, `bad_seq`, `bad_prev`,
    `bad_data_hash`, `bad_head_hash`), `bad_signature`, or `torn_tail` (the last line is
    incomplete, as a crash leaves it). `seq` is the entry it was found at; None for a
    last line that cannot be read, when nothing before it was.
    """

    def __init__(self, code: str, seq: int | None, why: str) -> None:
        entry = "the last ledger entry" if seq is None else f"ledger entry {seq}"
        super().__init__(f"{entry}: {code}: {why}")
        self.code = code
        self.seq = seq


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as written; `line` is its JSON without the line feed."""

    seq: int
    prev: str
    data: Mapping[str, Any]
    data_hash: str
    head: str
    order_hash: str
    key_id: str
    public_key: str
    signature: str
    line: str


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _head(seq: int, prev: str, data_hash: str) -> str:
    return ccm({"seq": seq, "prev": prev, "dataHash": data_hash}, "ledger.head")


def _order(previous: str, head: str, data_text: str) -> str:
    return sha256_hex(f"ledger.order|{previous}|{head}|{data_text}")


def _signed(head: str, order_hash: str) -> bytes:
    return f"ledger.entry|v{VERSION}|{head}|{order_hash}".encode()


def link(data: Mapping[str, Any], previous: Entry | None, signer: Signer) -> Entry:
    """The signed entry that follows `previous` (None: the first).

    Raises:
        FormatError: `data` is no JSON object.
    """
    seq, prev, order = (previous.seq + 1, previous.head, previous.order_hash) if previous else (0, "", "")
    data_hash = ccm(data, "ledger.data")
    head = _head(seq, prev, data_hash)
    try:
        data_text = _compact(data)
    except TypeError as error:
        raise FormatError(f"The data of a ledger entry cannot be written as JSON: {error}.") from None
    order_hash = _order(order, head, data_text)
    fields = {
        "v": VERSION,
        "seq": seq,
        "prev": prev,
        # What a reader will get back, whatever kind of mapping or sequence came in.
        "data": json.loads(data_text),
        "dataHash": data_hash,
        "head": head,
        "orderHash": order_hash,
        "key_id": signer.key_id,
        "public_key": signer.public_hex,
        "signature": signer.sign(_signed(head, order_hash)),
    }
    return _entry(fields, _compact(fields))


def _entry(fields: Mapping[str, Any], line: str) -> Entry:
    return Entry(
        seq=fields["seq"],
        prev=fields["prev"],
        data=fields["data"],
        data_hash=fields["dataHash"],
        head=fields["head"],
        order_hash=fields["orderHash"],
        key_id=fields["key_id"],
        public_key=fields["public_key"],
        signature=fields["signature"],
        line=line,
    )


def parse(line: bytes, expected_seq: int | None) -> Entry:
    """Read one line (without its line feed) in the one form this version writes.

    Raises:
        LedgerError: `bad_version`, naming `expected_seq`, as a line that cannot be read
            tells no number of its own.
    """

    def bad(why: str) -> LedgerError:
        return LedgerError("bad_version", expected_seq, why)

    try:
        text = line.decode("ascii")
        fields = json.loads(text)
        written_again = _compact(fields)
    except (ValueError, RecursionError):
        raise bad("the line is not JSON as the ledger writes it") from None
    if not isinstance(fields, dict) or fields.keys() != _FIELDS.keys():
        raise bad("the line does not have the fields of an entry")
    for name, kind in _FIELDS.items():
        if type(fields[name]) is not kind:
            raise bad(f"its {name} is not a {kind.__name__}")
    if fields["v"] != VERSION:
        raise bad(f"its version is {fields['v']}, not {VERSION}")
    if written_again != text:
        raise bad("the line is not in the one form the ledger writes")
    return _entry(fields, text)


def check_itself(entry: Entry, trusted: Collection[str] | None = None) -> None:
    """Check what needs no other entry: both contract hashes and the signature.

    Raises:
        LedgerError: `bad_data_hash`, `bad_head_hash` or `bad_signature`.
    """
    try:
        data_hash = ccm(entry.data, "ledger.data")
    except FormatError as error:
        raise LedgerError("bad_data_hash", entry.seq, str(error)) from None
    if entry.data_hash != data_hash:
        raise LedgerError("bad_data_hash", entry.seq, "its data is not what was hashed")
    if entry.head != _head(entry.seq, entry.prev, entry.data_hash):
        raise LedgerError("bad_head_hash", entry.seq, "its head is not that of its parts")
    fault = signature_fault(
        key_id=entry.key_id,
        public_hex=entry.public_key,
        signature_hex=entry.signature,
        data=_signed(entry.head, entry.order_hash),
        trusted=trusted,
    )
    if fault:
        raise LedgerError("bad_signature", entry.seq, fault)


def check(entry: Entry, previous: Entry | None, trusted: Collection[str] | None = None) -> None:
    """Check `entry` and its links to the one before it (None: it is the first).

    Raises:
        LedgerError: with the code of the first thing found wrong.
    """
    seq, prev, order = (previous.seq + 1, previous.head, previous.order_hash) if previous else (0, "", "")
    if entry.seq != seq:
        raise LedgerError("bad_seq", seq, f"its number is {entry.seq}")
    if entry.prev != prev:
        raise LedgerError("bad_prev", seq, "it does not follow the entry before it")
    check_itself(entry, trusted)
    if entry.order_hash != _order(order, entry.head, _compact(entry.data)):
        raise LedgerError("bad_signature", seq, "the order of its data is not what was signed")
