"""`hologram badge`: how the last gate run ended, in a form to put on a page."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum

import typer

from hologram_dagster.cli.reading import last_verdict
from hologram_dagster.reports.badge import (
    Badge,
    badge_endpoint,
    badge_html,
    badge_json,
    badge_markdown,
    badge_svg,
    make_badge,
)
from hologram_dagster.settings import load_settings


class BadgeForm(StrEnum):
    """`endpoint` is the JSON that shields.io reads."""

    HTML = "html"
    MARKDOWN = "markdown"
    JSON = "json"
    SVG = "svg"
    ENDPOINT = "endpoint"


_FORMS: dict[BadgeForm, Callable[[Badge], str]] = {
    BadgeForm.HTML: badge_html,
    BadgeForm.MARKDOWN: badge_markdown,
    BadgeForm.JSON: lambda badge: json.dumps(badge_json(badge), indent=2),
    BadgeForm.SVG: badge_svg,
    BadgeForm.ENDPOINT: lambda badge: json.dumps(badge_endpoint(badge), indent=2),
}


def badge(form: BadgeForm = typer.Argument(help="html, markdown, json, svg or endpoint.")) -> None:
    """Print the badge of the last gate run; `unknown` when there is none, or none of the last 24 h.

    Example: hologram badge svg > badge.svg
    """
    found = last_verdict(load_settings())
    made = make_badge(found.document, datetime.now(UTC), last_run=found.reported_at)
    typer.echo(_FORMS[form](made).rstrip("\n"))


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(badge)
