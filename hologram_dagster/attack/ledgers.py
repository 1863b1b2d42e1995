"""A registry's ledger cut, swapped, changed and forged: each must show when it is verified.

What belongs here: the changes, made in copies of the database. What does not: verifying
(`registry.journal`), attacks over HTTP (`proofs`).
"""

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hologram_dagster.attack.cases import Case
from hologram_dagster.errors import ServiceError
from hologram_dagster.protocol.ledger_entry import Entry, link, parse
from hologram_dagster.protocol.proof_chain import attach
from hologram_dagster.protocol.signing import Signer
from hologram_dagster.registry.journal import Keys, entries, verify
from hologram_dagster.registry.tables import open_database

GROUP: Final = "ledger"
_HOLDS: Final = "holds"
_FEWEST: Final = 5
Change = Callable[[sqlite3.Connection, int], None]


def attack(database: Path, folder: Path) -> list[Case]:
    """The table of one ledger: the SQLite file `database`, copied into `folder`; it is only read.

    Raises:
        ServiceError: it holds too few operations to be changed.
        LedgerError: it does not hold as it is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    whole = folder / "whole.sqlite"
    with closing(sqlite3.connect(database)) as live, closing(sqlite3.connect(whole)) as copy:
        live.backup(copy)
    engine = open_database(f"sqlite:///{whole}")
    try:
        own = list(entries(engine))
    finally:
        engine.dispose()
    if len(own) < _FEWEST:
        raise ServiceError(f"the registry's ledger holds {len(own)} operations; {_FEWEST} are needed.")
    trusted, head = {entry.public_key for entry in own}, own[-1].head
    cases = []
    for name, (change, expected) in _CHANGES.items():
        changed = folder / "changed.sqlite"
        shutil.copyfile(whole, changed)
        with closing(sqlite3.connect(changed)) as connection:
            change(connection, len(own))
            connection.commit()
        cases.append(Case(GROUP, name, expected, _verified(changed, trusted, head)))
    return cases


def _verified(database: Path, trusted: set[str], head: str) -> str:
    engine = open_database(f"sqlite:///{database}")
    try:
        fault = verify(engine, Keys(trusted, ()).fault, head=head).fault
    finally:
        engine.dispose()
    return _HOLDS if fault is None else fault.code


def _line(connection: sqlite3.Connection, seq: int) -> str:
    return str(connection.execute("SELECT line FROM operations WHERE seq = ?", (seq,)).fetchone()[0])


def _write(connection: sqlite3.Connection, seq: int, line: str) -> None:
    connection.execute("INSERT OR REPLACE INTO operations (seq, line) VALUES (?, ?)", (seq, line))


def _remove(connection: sqlite3.Connection, seq: int) -> None:
    connection.execute("DELETE FROM operations WHERE seq = ?", (seq,))


def _swap(connection: sqlite3.Connection, count: int) -> None:
    one, two = _line(connection, count - 3), _line(connection, count - 2)
    _write(connection, count - 3, two)
    _write(connection, count - 2, one)


def _close_up(connection: sqlite3.Connection, count: int) -> None:
    """Takes one out, and numbers the rows after it anew."""
    for seq in range(2, count - 1):
        _write(connection, seq, _line(connection, seq + 1))
    _remove(connection, count - 1)


def _entry(connection: sqlite3.Connection, seq: int) -> Entry:
    return parse(_line(connection, seq).encode(), seq)


def _change_name(connection: sqlite3.Connection, count: int) -> None:
    line = _line(connection, count - 2)
    _write(connection, count - 2, line.replace("attack/", "attacK/", 1))


def _sign_anew(connection: sqlite3.Connection, count: int) -> None:
    """The newest operation made anew, all of it, by who lacks the registry's key."""
    stranger = Signer(Ed25519PrivateKey.generate())
    data: Mapping[str, object] = {"operation": "store", "at": 1, "name": "forged", "request": None}
    proven = attach(data, stranger, now=1)
    _write(connection, count - 1, link(proven, _entry(connection, count - 2), stranger).line)


_CHANGES: Final[Mapping[str, tuple[Change, str]]] = {
    "as it is": (lambda connection, count: None, _HOLDS),
    "the first taken out": (lambda connection, count: _remove(connection, 0), "bad_seq"),
    "one taken out": (lambda connection, count: _remove(connection, count // 2), "bad_seq"),
    "one taken out, the rest numbered anew": (_close_up, "bad_seq"),
    "the newest taken out": (lambda connection, count: _remove(connection, count - 1), "cut_off"),
    "two swapped": (_swap, "bad_seq"),
    "one twice": (
        lambda connection, count: _write(connection, count, _line(connection, count - 1)),
        "bad_seq",
    ),
    "a name changed": (_change_name, "bad_data_hash"),
    "half a line": (
        lambda connection, count: _write(connection, count - 1, _line(connection, count - 1)[:99]),
        "bad_version",
    ),
    "the newest signed anew by a stranger": (_sign_anew, "untrusted_key"),
}
