"""The used nonces in the registry's database: one table for all its processes, kept over restarts.

What belongs here: rows. What does not: the form of a nonce and the order of checks
(`protocol.nonce`). Each use is one transaction that is on disk when it returns; the primary
key lets exactly one of any number of processes win.
"""

import math
import threading
from typing import Final

from sqlalchemy import Engine, bindparam, delete, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hologram_dagster.protocol.nonces import DEFAULT_CAPACITY, Refusal, Window, safe_rate
from hologram_dagster.registry.store import storage_guarded
from hologram_dagster.registry.tables import for_single_reads, nonce_floor, nonces

_SWEEP_EVERY_S: Final = 1.0
# Else PostgreSQL's driver does not tell how many rows an INSERT made.
_COUNT_ROWS: Final = {"preserve_rowcount": True}
_USED = select(nonces.c.timestamp).where(nonces.c.nonce == bindparam("key"))


class SharedNonces:
    """The table of nonces in a database. Safe to use from several threads and processes.

    How full it is, is counted once a second: several processes together can go over
    `capacity` by what they accept within one. Methods raise `RefusedError`
    (STORAGE_UNAVAILABLE) when the database fails, so that nothing passes unchecked.
    """

    def __init__(self, engine: Engine, window: Window, *, capacity: int = DEFAULT_CAPACITY) -> None:
        self.window = window
        self.capacity = capacity
        self._engine = engine
        self._reading = for_single_reads(engine)
        self._insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        self._swept_at = -math.inf
        self._count = 0
        self._lock = threading.Lock()

    @property
    def safe_rate(self) -> float:
        """See `protocol.nonces.safe_rate`."""
        return safe_rate(self.capacity, self.window)

    @storage_guarded
    def used(self, nonce: str, timestamp: int) -> bool:
        """Whether `nonce` was used, by any process."""
        with self._reading.connect() as connection:
            return connection.execute(_USED, {"key": nonce}).first() is not None

    @storage_guarded
    def use(self, nonce: str, timestamp: int, now: float) -> Refusal | None:
        """Use `nonce` up, as `protocol.nonces.Nonces` says."""
        if self._room(now) < 1:
            return Refusal.FULL
        # The lock of the floor's row (PostgreSQL; SQLite has one writer) keeps a sweep from forgetting
        # the nonce between the question whether it may come and its entry.
        row = (
            select(literal(nonce), literal(timestamp))
            .select_from(nonce_floor)
            .where(nonce_floor.c.floor < timestamp)
            .with_for_update(read=True)
        )
        statement = self._insert(nonces).from_select(["nonce", "timestamp"], row).on_conflict_do_nothing()
        with self._engine.begin() as connection:
            won = connection.execute(statement, execution_options=_COUNT_ROWS).rowcount == 1
        if won:
            with self._lock:
                self._count += 1
            return None
        return Refusal.REPLAYED if self.used(nonce, timestamp) else Refusal.TOO_OLD

    def _room(self, now: float) -> int:
        with self._lock:
            due = abs(now - self._swept_at) >= _SWEEP_EVERY_S
            if due:
                self._swept_at = now
        if due:
            count = self._sweep(now)
            with self._lock:
                self._count = count
        return self.capacity - self._count

    def _sweep(self, now: float) -> int:
        """Forget what has left the window, and count what is left."""
        floor = math.ceil(now - self.window.past_s) - 1
        with self._engine.begin() as connection:
            connection.execute(update(nonce_floor).where(nonce_floor.c.floor < floor).values(floor=floor))
            connection.execute(delete(nonces).where(nonces.c.timestamp <= floor))
            return connection.scalar(select(func.count()).select_from(nonces)) or 0
