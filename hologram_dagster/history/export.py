"""The history as files that other tools read: Parquet and CSV, one flat row a figure.

What belongs here: the two file forms. What does not: the rows themselves (`index`).
"""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from hologram_dagster.errors import HologramError
from hologram_dagster.files import write_whole
from hologram_dagster.history.index import History
from hologram_dagster.history.tables import COLUMNS

if TYPE_CHECKING:
    from pyarrow import Schema


def write_csv(history: History, path: Path) -> int:
    """Write every figure to `path`, whole or not at all; returns the number of rows.

    Columns as `tables.COLUMNS`; `finished_at` in ISO form (UTC). A reader should be told
    that `commit` and `baseline` are texts: some commits look like numbers.

    Raises:
        HologramError: the history cannot be read or the file not written.
    """
    buffer = io.StringIO()
    rows = 0
    for number, chunk in enumerate(history.chunks()):
        chunk.to_csv(buffer, index=False, header=number == 0, date_format="%Y-%m-%dT%H:%M:%S.%fZ")
        rows += len(chunk)
    write_whole(path, buffer.getvalue())
    return rows


def write_parquet(history: History, path: Path) -> int:
    """Write every figure to `path`, whole or not at all; returns the number of rows.

    Columns as `tables.COLUMNS`; `finished_at` as a UTC time stamp in microseconds.

    Raises:
        HologramError: pyarrow is not installed, the history cannot be read, or the file
            not written.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise HologramError(
            "writing Parquet needs pyarrow: pip install 'hologram_dagster[parquet]', or export CSV."
        ) from error
    schema = _schema()
    buffer = io.BytesIO()
    rows = 0
    with parquet.ParquetWriter(buffer, schema) as writer:
        for chunk in history.chunks():
            writer.write_table(pa.Table.from_pandas(chunk, schema=schema, preserve_index=False))
            rows += len(chunk)
    write_whole(path, buffer.getvalue())
    return rows


def _schema() -> "Schema":
    # Stated, not inferred: a first chunk without baselines must not decide their type.
    import pyarrow as pa

    types = {"value": pa.float64(), "finished_at": pa.timestamp("us", tz="UTC")}
    return pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])
