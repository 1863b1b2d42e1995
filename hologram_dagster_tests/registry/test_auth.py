"""Tokens: one file, three roles, protected names closed without one."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hologram_dagster.errors import FormatError, HologramError
from hologram_dagster.registry.auth import (
    ANONYMOUS,
    Access,
    Caller,
    Role,
    load_access,
    open_access,
    token_named,
    write_token_file,
)
from hologram_dagster.registry.faults import Code, RefusedError
from hologram_dagster_tests.registry.conftest import ADMIN, PUBLISHER, READER, write_tokens

pytestmark = pytest.mark.phase7_security

OPEN, PROTECTED = "demo/object/alpha", "secure/object/admin-only"


@pytest.mark.parametrize("form", ["{}", "Bearer {}", "bearer {}", "Bearer  {} "])
def test_a_token_is_taken_verbatim_and_as_bearer(tmp_path: Path, form: str) -> None:
    access = load_access(write_tokens(tmp_path / "tokens.json", mutations_need_token=True))
    for token, role in ((READER, Role.READER), (PUBLISHER, Role.PUBLISHER), (ADMIN, Role.ADMIN)):
        assert access.identify(form.format(token)) == Caller(role)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "wrong", f"Basic {ADMIN}", ADMIN[:-1], "\ud800"]
)
def test_anything_else_is_nobody(tmp_path: Path, header: str | None) -> None:
    access = load_access(write_tokens(tmp_path / "tokens.json", mutations_need_token=True))
    assert access.identify(header) is ANONYMOUS or access.identify(header).role is None


def test_a_token_ends_when_it_expires(tmp_path: Path) -> None:
    ends = datetime(2026, 3, 1, 12, tzinfo=UTC)
    at = ends.timestamp()
    times = iter([at - 0.001, at, at + 3600])
    access = Access(
        {READER: Role.READER}, mutations_need_token=True, expiries={READER: ends}, clock=lambda: next(times)
    )
    assert [access.identify(READER).role for _ in range(3)] == [Role.READER, None, None]
    path = tmp_path / "tokens.json"
    tokens = {"old": (Role.ADMIN, ADMIN), "new": (Role.READER, READER)}
    write_token_file(path, tokens, mutations_need_token=True, expiries={"old": ends})
    access = load_access(path)
    assert (access.identify(ADMIN).role, access.identify(READER).role) == (None, Role.READER)


def refusal(action: Any, *arguments: Any) -> object:
    try:
        action(*arguments)
    except RefusedError as refused:
        return refused.code
    return None


@pytest.mark.parametrize(
    ("role", "open_write", "protected_read", "protected_write"),
    [
        (None, Code.UNAUTHENTICATED, Code.UNAUTHENTICATED, Code.UNAUTHENTICATED),
        (Role.READER, Code.FORBIDDEN, None, Code.FORBIDDEN),
        (Role.PUBLISHER, None, None, Code.FORBIDDEN),
        (Role.ADMIN, None, None, None),
    ],
)
def test_roles_when_mutations_need_a_token(
    tmp_path: Path,
    role: Role | None,
    open_write: Code | None,
    protected_read: Code | None,
    protected_write: Code | None,
) -> None:
    access = load_access(write_tokens(tmp_path / "tokens.json", mutations_need_token=True))
    caller = Caller(role)
    assert refusal(access.require_read, caller, OPEN) is None
    assert refusal(access.require_write, caller, OPEN) is open_write
    assert refusal(access.require_read, caller, PROTECTED) is protected_read
    assert refusal(access.require_write, caller, PROTECTED) is protected_write


def test_without_a_token_file_protected_names_are_closed_to_all() -> None:
    access = open_access()
    assert refusal(access.require_write, ANONYMOUS, OPEN) is None
    assert refusal(access.require_read, access.identify(ADMIN), PROTECTED) is Code.UNAUTHENTICATED


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = write_tokens(tmp_path / "tokens.json", mutations_need_token=True)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(HologramError, match="chmod 600"):
        load_access(path)


def test_a_token_is_found_by_its_name(tmp_path: Path) -> None:
    path = write_tokens(tmp_path / "tokens.json", mutations_need_token=True)
    assert token_named(path, "admin") == ADMIN
    assert token_named(path, "nobody") is None


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 2},
        {"tokens": [{"name": "a", "role": "root", "token": "a-long-secret-token"}]},
        {"tokens": [{"name": "a", "role": "admin", "token": "short"}]},
        {"tokens": [{"name": "a", "role": "admin"}]},
        {"tokens": [{"name": "a", "role": "admin", "token": "a-long-secret-token", "expires_at": "soon"}]},
        {
            "tokens": [
                {"name": "a", "role": "admin", "token": "a-long-secret-token", "expires_at": "2026-03-01"}
            ]
        },
        {"mutation_need_token": True},
    ],
)
def test_a_malformed_file_is_refused_without_showing_a_token(tmp_path: Path, change: dict[str, Any]) -> None:
    path = write_tokens(tmp_path / "tokens.json", mutations_need_token=True)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(FormatError, match="not a token file") as refused:
        load_access(path)
    for token in ("a-long-secret-token", ADMIN):
        assert token not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(HologramError, match="cannot read the token file"):
        load_access(tmp_path / "none.json")
