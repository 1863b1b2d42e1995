"""Whether the PostgreSQL of `DAGSTER_PG_URL` can be used, asked before anything is begun on it.

No text here holds the password, and no more of the URL than what the server's library says.
"""

import importlib.util

from hologram_dagster.errors import HologramError
from hologram_dagster.secrets.redactor import redact

TIMEOUT_S = 5
# What dagster-postgres comes with.
_DRIVERS = {"postgresql", "postgresql+psycopg2"}
_FORM = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"


def require_postgres(url: str) -> None:
    """Connect to `url` once, within about `TIMEOUT_S` seconds for each address of its host.

    Raises:
        HologramError: it is no PostgreSQL URL, its package is not installed, or nobody answers.
    """
    if importlib.util.find_spec("dagster_postgres") is None:
        raise HologramError(
            "DAGSTER_PG_URL is set, and dagster-postgres is not installed: "
            "pip install 'hologram_dagster[postgres]', or unset it for SQLite."
        )
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.exc import ArgumentError, DBAPIError
    from sqlalchemy.pool import NullPool

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    # An @ in the host is the rest of a password that was not encoded.
    if parsed is None or parsed.drivername not in _DRIVERS or "@" in (parsed.host or ""):
        raise HologramError(
            f"DAGSTER_PG_URL is no URL of a PostgreSQL: use {_FORM} (an @ in the password as %40), "
            "or unset it for SQLite."
        )
    engine = create_engine(parsed, connect_args={"connect_timeout": TIMEOUT_S}, poolclass=NullPool)
    try:
        engine.connect().close()
    except DBAPIError as error:
        said = " ".join(str(error.orig).split())
        if parsed.password:
            said = said.replace(str(parsed.password), "[REDACTED]")
        raise HologramError(
            f"the PostgreSQL of DAGSTER_PG_URL cannot be used: {redact(said)}. "
            "Start it, correct DAGSTER_PG_URL, or unset it for SQLite."
        ) from None
