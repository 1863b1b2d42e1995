"""The fourteen kinds of secret and how their names are spelled (contract section 7.2).

What belongs here: names. What does not: where a value ends (`spans`), what becomes of
it (`redactor`).
"""

import re
from enum import StrEnum


class Kind(StrEnum):
    """A kind of secret, named as in the contract with underscores."""

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


# Kinds whose values are several words or pairs by their nature.
WHOLE_LINE = frozenset({Kind.AUTHORIZATION, Kind.COOKIE, Kind.SET_COOKIE})

# Lower case; each begins with a literal, which lets `re` skip to it.
_SPELLINGS: tuple[tuple[Kind, str], ...] = (
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

# Searched in lower-cased text. The empty group at the end of each branch (a
# kind, or `pem` for a key block, or `url` for what may hold user and password) names it
# without hiding the branch's first letter from `re`.
NAME = re.compile(
    "|".join(
        [
            r"-----begin [a-z0-9 ]{0,40}private key-----(?P<pem>)",
            r"://(?P<url>)",
            *(rf"{spelling}(?P<{kind}>)" for kind, spelling in _SPELLINGS),
        ]
    )
)

# A text without any of these (lower-cased) holds no name of any kind.
HINTS = ("bearer", "key", "cookie", "authorization", "token", "passw", "passphrase", "secret", "session", "@")

_SECRET_NAME = re.compile(
    rf"[\s\w.$-]*?(?:{'|'.join(spelling for _, spelling in _SPELLINGS)})\d{{0,2}}\s*", re.IGNORECASE
)


def is_secret_name(name: str) -> bool:
    """Whether `name` (a key, header or variable) says that its value is secret.

    `GRAPHQL_TOKEN` and `Set-Cookie` do, `token_count` and `key_id` do not.
    """
    return len(name) <= 256 and _SECRET_NAME.fullmatch(name) is not None
