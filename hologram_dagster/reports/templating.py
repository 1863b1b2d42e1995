"""How a page is made of its template: everything escaped, and nothing that runs but the page's own script."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup


def template_of(name: str) -> Template:
    """The template `name`."""
    return _environment().get_template(name)


@cache
def page_parts() -> dict[str, Any]:
    """What `page.html.j2` needs: its script, and the digest by which the policy lets it run."""
    files = resources.files("hologram_dagster.reports")
    text = (files / "templates" / "sort.js").read_text(encoding="utf-8")
    digest = b64encode(sha256(text.encode()).digest()).decode()
    return {"script": Markup(text), "script_digest": f"sha256-{digest}"}


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("hologram_dagster.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
