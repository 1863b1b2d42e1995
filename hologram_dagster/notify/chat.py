"""A message in the forms of Slack, Teams, and of services that take plain text (contract section 7.4)."""

from typing import Any

from hologram_dagster.evidence.verdict import Word
from hologram_dagster.notify.message import Message

_SLACK_COLOURS = {Word.PASS: "good", Word.FAIL: "danger", Word.INCONCLUSIVE: "warning"}
_TEAMS_COLOURS = {Word.PASS: "00ff00", Word.FAIL: "ff0000", Word.INCONCLUSIVE: "ffff00"}
_OTHER_COLOUR = "808080"


def slack_payload(message: Message) -> dict[str, Any]:
    """The body for a Slack incoming webhook: one attachment in the colour of the verdict."""
    links = " · ".join(f"<{_slack(url)}|{_slack(name)}>" for name, url in message.links.items())
    attachment = {
        "fallback": _slack(message.title),
        "color": _SLACK_COLOURS.get(message.word, f"#{_OTHER_COLOUR}"),
        "title": _slack(message.title),
        "text": links,
        "fields": [
            {"title": name, "value": _slack("\n".join(lines)), "short": False}
            for name, lines in message.fields.items()
        ],
    }
    if message.links:
        attachment["title_link"] = next(iter(message.links.values()))
    return {"attachments": [attachment]}


def _slack(text: str) -> str:
    # The only three characters that Slack gives a meaning, mentions of everybody included.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def teams_payload(message: Message) -> dict[str, Any]:
    """The body for a Teams incoming webhook: a MessageCard in the colour of the verdict."""
    card: dict[str, Any] = {
        "@type": "MessageCard",
        "@context": "https://schema.org/extensions",
        "themeColor": _TEAMS_COLOURS.get(message.word, _OTHER_COLOUR),
        "summary": message.title,
        "title": message.title,
        "sections": [
            {
                "facts": [
                    {"name": name, "value": "\n\n".join(lines)} for name, lines in message.fields.items()
                ],
                "markdown": False,
            }
        ],
    }
    if message.links:
        card["potentialAction"] = [
            {"@type": "OpenUri", "name": name, "targets": [{"os": "default", "uri": url}]}
            for name, url in message.links.items()
        ]
    return card


def plain_text(message: Message) -> str:
    """The message's fields and links as lines of text."""
    lines = [f"{name}: {'; '.join(values)}" for name, values in message.fields.items()]
    return "\n".join([*lines, *(f"{name}: {url}" for name, url in message.links.items())])
