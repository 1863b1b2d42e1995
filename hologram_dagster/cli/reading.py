"""What the verbs that only read have in common: the documents that the last gate run left.

What belongs here: finding and parsing `reports/`. What does not: what is said of them.
They are what the run published; `hologram verdict` is the one that verifies.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hologram_dagster.errors import HologramError
from hologram_dagster.settings import Settings


@dataclass(frozen=True, slots=True)
class LastVerdict:
    """`document` is `verdict.json`, `reported_at` the time of `index.html`; None where there is none."""

    document: Mapping[str, Any] | None
    reported_at: datetime | None


def last_verdict(settings: Settings) -> LastVerdict:
    """What the last gate run published.

    Raises:
        HologramError: `verdict.json` is there and cannot be read, or is no JSON object.
    """
    path = settings.reports_dir / "verdict.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return LastVerdict(None, None)
    except OSError as error:
        raise HologramError(f"cannot read {path}: {error.strerror}. Fix its permissions.") from error
    except (ValueError, RecursionError):
        raise HologramError(f"{path} is not JSON: run hologram gate, which writes it again.") from None
    if not isinstance(document, dict):
        raise HologramError(f"{path} is no verdict: run hologram gate, which writes it again.")
    page = settings.reports_dir / "index.html"
    reported = datetime.fromtimestamp(page.stat().st_mtime, UTC) if page.exists() else None
    return LastVerdict(document, reported)
