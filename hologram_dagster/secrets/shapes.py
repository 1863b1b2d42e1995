"""Secrets that are known by their own form, wherever they stand: tokens of services, webhooks, hashes.

What belongs here: the table of forms. What does not: secrets that only their name gives
away (`kinds`), and where those end (`spans`).
"""

import re
from dataclasses import dataclass

from hologram_dagster.secrets.kinds import Kind


@dataclass(frozen=True, slots=True)
class Shape:
    """A form: how it begins (`lead`, for the search) and all of it.

    Where `whole` has a group `value`, that alone is the secret.
    """

    kind: Kind
    lead: str
    whole: re.Pattern[str]


def _shape(kind: Kind, lead: str, rest: str) -> Shape:
    return Shape(kind, lead, re.compile(f"(?:{lead}){rest}", re.ASCII))


# As each service documents its own; the lengths are lower bounds, since they grew in the past.
SHAPES: tuple[Shape, ...] = (
    _shape(Kind.JWT, r"\beyJ[A-Za-z0-9_-]", r"[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){2,4}"),
    _shape(Kind.GITHUB, r"\bgh[pousr]_", r"[A-Za-z0-9]{20,}"),
    _shape(Kind.GITHUB, r"\bgithub_pat_", r"[A-Za-z0-9_]{22,}"),
    _shape(Kind.GITLAB, r"\bgl(?:pat|ptt|dt|rt|cbt|soat|ft|imt|agent|oas)-", r"[A-Za-z0-9_=.-]{20,}"),
    _shape(Kind.ATLASSIAN, r"\bATATT3", r"[A-Za-z0-9_=-]{50,}"),
    _shape(Kind.ATLASSIAN, r"\bATBB", r"[A-Za-z0-9]{28,}"),
    _shape(Kind.AWS, r"\b(?:AKIA|ASIA|ABIA|ACCA)", r"[A-Z0-9]{16}(?![A-Za-z0-9_])"),
    _shape(Kind.GOOGLE, r"\bAIza", r"[A-Za-z0-9_-]{35,}"),
    _shape(Kind.GOOGLE, r"\bGOCSPX-", r"[A-Za-z0-9_-]{20,}"),
    _shape(Kind.GOOGLE, r"\bya29\.", r"[A-Za-z0-9_.-]{20,}"),
    _shape(Kind.AZURE, r"\b(?:Account|SharedAccess)Key=", r"(?P<value>[A-Za-z0-9+/%]{20,}={0,2})"),
    _shape(Kind.AZURE, r"[?&]sig=", r"(?P<value>[A-Za-z0-9%+/=_-]{40,})"),
    _shape(Kind.DIGITALOCEAN, r"\bdo[oprt]_v1_", r"[0-9a-f]{40,}"),
    _shape(Kind.DATABRICKS, r"\bdapi[0-9a-f]", r"[0-9a-f]{31}(?:-\d)?(?![A-Za-z0-9_])"),
    _shape(Kind.SUPABASE, r"\bsbp_", r"[0-9a-f]{40,}"),
    _shape(Kind.NPM, r"\bnpm_", r"[A-Za-z0-9]{36,}"),
    _shape(Kind.PYPI, r"\bpypi-AgE", r"[A-Za-z0-9_-]{40,}"),
    _shape(Kind.RUBYGEMS, r"\brubygems_", r"[0-9a-f]{48}"),
    _shape(Kind.DOCKER, r"\bdckr_(?:pat|oat)_", r"[A-Za-z0-9_-]{20,}"),
    _shape(Kind.SLACK, r"\bxox(?:e\.xox)?[abeoprs]-[0-9]", r"[A-Za-z0-9.-]{10,}"),
    _shape(Kind.SLACK, r"\bxapp-[0-9]", r"-[A-Za-z0-9-]{20,}"),
    _shape(
        Kind.SLACK_WEBHOOK,
        r"hooks\.slack\.com/(?:services|workflows|triggers)/",
        r"(?P<value>[A-Za-z0-9_/-]{8,})",
    ),
    _shape(Kind.TEAMS_WEBHOOK, r"\.webhook\.office\.com/webhook(?:b2)?/", r"(?P<value>[A-Za-z0-9@/_-]{20,})"),
    _shape(
        Kind.DISCORD_WEBHOOK,
        r"discord(?:app)?\.com/api/webhooks/",
        r"(?P<value>[0-9]{5,}/[A-Za-z0-9_-]{20,})",
    ),
    _shape(Kind.TELEGRAM, r"(?:\b|bot)[0-9]{8,10}:AA", r"[A-Za-z0-9_-]{30,}"),
    _shape(Kind.STRIPE, r"\b[rs]k_(?:live|test|prod)_", r"[A-Za-z0-9]{10,}"),
    _shape(Kind.STRIPE, r"\bwhsec_", r"[A-Za-z0-9+/=]{20,}"),
    _shape(Kind.SQUARE, r"\bsq0(?:atp|csp)-", r"[A-Za-z0-9_-]{22,}"),
    _shape(Kind.SHOPIFY, r"\bshp(?:at|ca|pa|ss)_", r"[0-9a-fA-F]{32,}"),
    _shape(Kind.ANTHROPIC, r"\bsk-ant-[a-z0-9]", r"[a-z0-9]*-[A-Za-z0-9_-]{20,}"),
    _shape(Kind.OPENAI, r"\bsk-(?:proj|svcacct|admin|or-v1)-", r"[A-Za-z0-9_-]{20,}"),
    _shape(Kind.OPENAI, r"\bsk-[A-Za-z0-9]", r"[A-Za-z0-9]{19,}(?![A-Za-z0-9_-])"),
    _shape(Kind.HUGGINGFACE, r"\bhf_", r"[A-Za-z0-9]{30,}"),
    _shape(Kind.SENDGRID, r"\bSG\.[A-Za-z0-9_-]", r"[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{16,}"),
    _shape(Kind.TWILIO, r"\bSK[0-9a-f]", r"[0-9a-f]{31}(?![A-Za-z0-9_])"),
    _shape(Kind.VAULT, r"\bhv[bsr]\.", r"[A-Za-z0-9_-]{20,}"),
    _shape(Kind.DOPPLER, r"\bdp\.(?:pt|st|ct|sa|scim|audit)\.", r"[A-Za-z0-9_.-]{30,}"),
    _shape(Kind.GRAFANA, r"\bgl(?:sa|c)_", r"[A-Za-z0-9_+/=-]{20,}"),
    _shape(Kind.NEW_RELIC, r"\bNRAK-", r"[A-Z0-9]{27}"),
    _shape(Kind.SENTRY, r"\bsntry[su]_", r"[A-Za-z0-9+/=_-]{30,}"),
    _shape(Kind.LINEAR, r"\blin_(?:api|oauth)_", r"[A-Za-z0-9]{30,}"),
    _shape(Kind.POSTMAN, r"\bPMAK-", r"[0-9a-f]{24}-[0-9a-f]{34}"),
    _shape(Kind.FIGMA, r"\bfigd_", r"[A-Za-z0-9_-]{36,}"),
    _shape(Kind.AGE_KEY, r"\bAGE-SECRET-KEY-1", r"[A-Z0-9]{40,}"),
    _shape(
        Kind.PASSWORD_HASH,
        r"\$(?:2[abxy]|[567y]|apr1|argon2(?:id|i|d)|scrypt|pbkdf2-sha(?:256|512))\$",
        r"(?P<value>[A-Za-z0-9./$,=+-]{20,})",
    ),
    _shape(Kind.CONNECTION_STRING, r";[ \t]*(?:pwd|Pwd|PWD)[ \t]*=", r"[ \t]*(?P<value>[^;\s\"'`]+)"),
)

# Blocks of lines: how they begin and end.
BLOCK_BEGIN = r"(?i:-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\bPrivate-Lines:[ \t]*[0-9]+)"
BLOCK_END = r"(?i:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\bPrivate-MAC:)"
SSH_BLOCK = re.compile(r"openssh|ssh2|private-lines", re.IGNORECASE)
