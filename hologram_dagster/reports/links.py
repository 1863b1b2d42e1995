"""Addresses that a report may link to: evidence beside it, and the run's pages in Dagster."""

import os
import re
from pathlib import PurePath
from urllib.parse import quote, urlencode, urlsplit

from hologram_dagster.secrets.redactor import redact

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:")
_SAFE = "/~!$'(),*@:"


def evidence_link(uri: object, folder: PurePath | None) -> str:
    """A link from a report in `folder` to the file or page at `uri`; empty if there is none.

    A path becomes relative to `folder`, so that the folders can move together. Only
    http(s) addresses are linked as they are; other schemes (s3, javascript) never.
    """
    if not isinstance(uri, str) or not uri or redact(uri) != uri:
        return ""
    if uri.startswith(("http://", "https://")):
        return quote(uri, safe=_SAFE + "?#&=%;+[]")
    path = uri.removeprefix("file://")
    if _SCHEME.match(path) or "\0" in path:
        return ""
    if folder is None:
        return "" if path.startswith("/") else quote(path, safe="/~")
    return quote(os.path.relpath(path, folder), safe="/~")


def run_link(dagster_url: str | None, *, run_id: str = "", commit: str = "") -> str:
    """The page of a run, or of all runs of a commit, in the Dagster at `dagster_url`; else empty."""
    if not dagster_url or urlsplit(dagster_url).scheme not in {"http", "https"}:
        return ""
    base = dagster_url.rstrip("/")
    if run_id:
        return f"{base}/runs/{quote(run_id, safe='')}"
    return f"{base}/runs?{urlencode({'q[0]': f'tag:hologram/commit={commit}'})}" if commit else ""
