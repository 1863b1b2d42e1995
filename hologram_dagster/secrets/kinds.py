"""The kinds of secret and how their names are spelled: the contract's fourteen (section 7.2), and more.

What belongs here: names. What does not: secrets that are known by their own form
(`shapes`), where a value ends (`spans`), what becomes of it (`redactor`).
"""

import re
from enum import StrEnum


class Kind(StrEnum):
    """A kind of secret; the first fourteen are named as in the contract, with underscores."""

    BEARER = "bearer"
    API_KEY = "api_key"
    SET_COOKIE = "set_cookie"
    AUTHORIZATION = "authorization"
    TOKEN = "token"
    PASSWORD = "password"
    SECRET = "secret"
    PRIVATE_KEY = "private_key"
    ACCESS_TOKEN = "access_token"
    REFRESH_TOKEN = "refresh_token"
    SESSION_ID = "session_id"
    COOKIE = "cookie"
    X_API_KEY = "x_api_key"
    X_AUTH_TOKEN = "x_auth_token"

    URL_PASSWORD = "url_password"
    CONNECTION_STRING = "connection_string"
    NETRC = "netrc"
    PASSWORD_HASH = "password_hash"
    SSH_KEY = "ssh_key"
    AGE_KEY = "age_key"
    JWT = "jwt"
    GITHUB = "github"
    GITLAB = "gitlab"
    ATLASSIAN = "atlassian"
    AWS = "aws"
    GOOGLE = "google"
    AZURE = "azure"
    DIGITALOCEAN = "digitalocean"
    DATABRICKS = "databricks"
    SUPABASE = "supabase"
    NPM = "npm"
    PYPI = "pypi"
    RUBYGEMS = "rubygems"
    DOCKER = "docker"
    SLACK = "slack"
    SLACK_WEBHOOK = "slack_webhook"
    TEAMS_WEBHOOK = "teams_webhook"
    DISCORD_WEBHOOK = "discord_webhook"
    TELEGRAM = "telegram"
    STRIPE = "stripe"
    SQUARE = "square"
    SHOPIFY = "shopify"
    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    HUGGINGFACE = "huggingface"
    SENDGRID = "sendgrid"
    TWILIO = "twilio"
    VAULT = "vault"
    DOPPLER = "doppler"
    GRAFANA = "grafana"
    NEW_RELIC = "new_relic"
    SENTRY = "sentry"
    LINEAR = "linear"
    POSTMAN = "postman"
    FIGMA = "figma"

    KNOWN = "known"


CONTRACT = frozenset(list(Kind)[:14])

# Kinds whose values are several words or pairs by their nature.
WHOLE_LINE = frozenset({Kind.AUTHORIZATION, Kind.COOKIE, Kind.SET_COOKIE})

# Lower case, longest first where one holds another.
SPELLINGS: tuple[tuple[Kind, str], ...] = (
    (Kind.X_AUTH_TOKEN, r"x[_-]?auth[_-]?token"),
    (Kind.X_API_KEY, r"x[_-]?api[_-]?key"),
    (Kind.SET_COOKIE, r"set[_-]?cookies?"),
    (Kind.ACCESS_TOKEN, r"access[_ -]?token"),
    (Kind.REFRESH_TOKEN, r"refresh[_ -]?token"),
    (Kind.SESSION_ID, r"session[_ -]?id"),
    (Kind.API_KEY, r"api[_ -]?key"),
    (Kind.PRIVATE_KEY, r"private[_ -]?key"),
    (Kind.PASSWORD, r"pass(?:word|wd|phrase)"),
    (Kind.SECRET, r"secret(?:[_-]?(?:access[_-]?)?key)?"),
    (Kind.TOKEN, r"token"),
    (Kind.COOKIE, r"cookies?"),
    (Kind.AUTHORIZATION, r"authorization"),
    (Kind.BEARER, r"bearer"),
)

_SECRET_NAME = re.compile(
    rf"[\s\w.$-]*?(?:{'|'.join(spelling for _, spelling in SPELLINGS)})\d{{0,2}}\s*", re.IGNORECASE
)


def is_secret_name(name: str) -> bool:
    """Whether `name` (a key, header or variable) says that its value is secret.

    `GRAPHQL_TOKEN` and `Set-Cookie` do, `token_count` and `key_id` do not.
    """
    return len(name) <= 256 and _SECRET_NAME.fullmatch(name) is not None
