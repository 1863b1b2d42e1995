"""Who may do what: the token file, callers and their roles.

`secure/*` names need a token always: a reader may resolve them, only an admin changes
them. Other mutations need a publisher when the file says `mutations_need_token`. Tokens
are sent verbatim or as `Bearer TOKEN` in the `authorization` header. From its `expires_at`
on a token is nobody's.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from hologram_dagster.errors import FormatError, HologramError
from hologram_dagster.files import write_whole
from hologram_dagster.registry.faults import Code, RefusedError
from hologram_dagster.registry.names import is_protected

MIN_TOKEN_LENGTH = 16


class Role(IntEnum):
    """What a token allows; each role includes the ones below it."""

    READER = 1
    PUBLISHER = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request: the role of its token, None without a known one."""

    role: Role | None = None


ANONYMOUS = Caller()


class _Token(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    role: Literal["reader", "publisher", "admin"]
    token: SecretStr = Field(min_length=MIN_TOKEN_LENGTH)
    expires_at: AwareDatetime | None = None


class _TokenFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1]
    mutations_need_token: bool = True
    tokens: list[_Token]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


class Access:
    """The rules of one registry: its tokens and whether mutations need one.

    Only digests are kept, and compared by a table look-up of them, so that comparing
    tells nothing about a token.
    """

    def __init__(
        self,
        roles: Mapping[str, Role],
        *,
        mutations_need_token: bool,
        expiries: Mapping[str, datetime] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """The role of each token, and when it expires (default: never)."""
        ends = {} if expiries is None else {token: at.timestamp() for token, at in expiries.items()}
        self._roles = {_digest(token): (role, ends.get(token)) for token, role in roles.items()}
        self._clock = clock
        self.mutations_need_token = mutations_need_token

    def identify(self, authorization: str | None) -> Caller:
        """The caller behind an `authorization` header; an unknown or expired token is nobody's."""
        if not authorization:
            return ANONYMOUS
        known = self._roles.get(_digest(authorization))
        if known is None:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() == "bearer":
                known = self._roles.get(_digest(token.strip()))
        if known is None:
            return ANONYMOUS
        role, ends = known
        return ANONYMOUS if ends is not None and self._clock() >= ends else Caller(role)

    def may_read(self, caller: Caller, name: str) -> bool:
        """Whether `caller` may learn what `name` names, or that it exists."""
        return caller.role is not None or not is_protected(name)

    def require_read(self, caller: Caller, name: str) -> None:
        """Refuse to resolve a protected name without a token.

        Raises:
            RefusedError: UNAUTHENTICATED.
        """
        if not self.may_read(caller, name):
            raise RefusedError(
                Code.UNAUTHENTICATED,
                "this name is protected: send a token in the `authorization` header (GRAPHQL_TOKEN).",
            )

    def require_write(self, caller: Caller, name: str) -> None:
        """Refuse a mutation of `name` that the caller's role does not allow.

        Raises:
            RefusedError: UNAUTHENTICATED without a known token, FORBIDDEN with too small a role.
        """
        needed = self._needed_to_write(name)
        if needed is None or (caller.role is not None and caller.role >= needed):
            return
        if caller.role is None:
            raise RefusedError(
                Code.UNAUTHENTICATED,
                f"this mutation needs a token of role {needed.name.lower()} in the `authorization` header.",
            )
        raise RefusedError(
            Code.FORBIDDEN,
            f"this mutation needs the role {needed.name.lower()}; the token's is {caller.role.name.lower()}.",
        )

    def _needed_to_write(self, name: str) -> Role | None:
        if is_protected(name):
            return Role.ADMIN
        return Role.PUBLISHER if self.mutations_need_token else None


def open_access() -> Access:
    """The rules without a token file: open names are open, protected ones closed to all."""
    return Access({}, mutations_need_token=False)


def _load(path: Path) -> _TokenFile:
    try:
        if path.stat().st_mode & 0o077:
            raise HologramError(f"others can read the tokens in {path}: run `chmod 600 {path}`.")
        content = path.read_bytes()
    except OSError as error:
        raise HologramError(f"cannot read the token file {path}: {error.strerror}.") from error
    try:
        return _TokenFile.model_validate_json(content)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise FormatError(f"{path} is not a token file: {faults}.") from None


def load_access(path: Path) -> Access:
    """Read a token file.

    Raises:
        HologramError: it cannot be read, or others than its owner can read it.
        FormatError: it is not a token file; says where, never shows a token.
    """
    file = _load(path)
    roles = {entry.token.get_secret_value(): Role[entry.role.upper()] for entry in file.tokens}
    expiries = {
        entry.token.get_secret_value(): entry.expires_at
        for entry in file.tokens
        if entry.expires_at is not None
    }
    return Access(roles, mutations_need_token=file.mutations_need_token, expiries=expiries)


def token_named(path: Path, name: str) -> str | None:
    """The token called `name` in a token file; None when it has none. Errors: as `load_access`."""
    return next((entry.token.get_secret_value() for entry in _load(path).tokens if entry.name == name), None)


def write_token_file(
    path: Path,
    tokens: Mapping[str, tuple[Role, str]],
    *,
    mutations_need_token: bool,
    expiries: Mapping[str, datetime] | None = None,
) -> None:
    """Write a token file (mode 0600): for each token's name, its role and the token; when some expire.

    Raises:
        HologramError: the file cannot be written.
    """
    ends = expiries or {}
    document = {
        "schema_version": 1,
        "mutations_need_token": mutations_need_token,
        "tokens": [
            {"name": name, "role": role.name.lower(), "token": token}
            | ({"expires_at": ends[name].isoformat()} if name in ends else {})
            for name, (role, token) in tokens.items()
        ],
    }
    write_whole(path, json.dumps(document, indent=2) + "\n", mode=0o600)
