"""Every setting of the environment as a page, from the settings class itself.

The one source of `docs/settings.md` is `Settings`: names, limits, defaults and meanings are
its own. What belongs here: the page's form. What does not: what a setting means.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from hologram_dagster.settings import Settings

DOCUMENT = "docs/settings.md"
_HEAD = """# Settings

All are environment variables, read once when a command or a run starts; an empty one counts as not set.
A malformed one is refused with exit 2, by its name and without its value. Secrets are redacted wherever
they turn up. Budgets, trusted keys and the target's commands stand in the target's `hologram.toml`: see
[targets.md](targets.md). `hologram toggles` prints what a profile's budgets and sizes come to, and each that
departs from its profile stands in the verdict.
"""
# By the first setting of each group, in the order of the class.
_HEADINGS = {
    "watch": "What runs by itself",
    "environment": "The run, its folders and keys",
    "ipfs_api": "Services under test",
    "slo_verify_p95_ms": "Budgets and measurements",
    "load_rate_per_s": "Load",
    "slack_webhook_url": "Who is told",
    "keep_runs_days": "What is kept",
    "audit_source": "Supply chain, exports and CI",
}
_WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true, false"}
_FORMATS = {"password": "secret", "path": "path"}
_LIMITS = {
    "exclusiveMinimum": "above {}",
    "minimum": "from {}",
    "maximum": "to {}",
    "exclusiveMaximum": "below {}",
}


def settings_markdown() -> str:
    """The whole page, `docs/settings.md`."""
    return "\n".join((_HEAD, *_tables()))


def _tables() -> Iterator[str]:
    schema = Settings.model_json_schema()
    rows = zip(Settings.model_fields, schema["properties"].items(), strict=True)
    for field, (variable, stated) in rows:
        if field in _HEADINGS:
            yield f"{'' if field == 'watch' else chr(10)}## {_HEADINGS[field]}\n"
            yield "| variable | value | default | meaning |\n|---|---|---|---|"
        value = _value(stated, schema["$defs"])
        yield f"| `{variable}` | {value} | {_default(stated.get('default'))} | {stated['description']} |"
    yield ""


def _value(stated: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What may be given: kind and limits, in words."""
    # Of what may be left out, the alternative to nothing.
    kind = next((each for each in stated.get("anyOf", ()) if each.get("type") != "null"), stated)
    if "$ref" in kind:
        kind = definitions[kind["$ref"].rpartition("/")[2]]
    if "enum" in kind:
        return ", ".join(f"`{each}`" for each in kind["enum"])
    word = _FORMATS.get(kind.get("format", ""), _WORDS[kind["type"]])
    limits = " ".join(text.format(kind[name]) for name, text in _LIMITS.items() if name in kind)
    return f"{word} {limits}".strip()


def _default(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"
