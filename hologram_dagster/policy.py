"""`hologram.toml`: what a target's repository says about itself and its gate.

Read from the baseline's tree, so that a change cannot weaken its own gate (design,
*Profiles*). What belongs here: the file's keys and their errors. What does not:
settings of the environment (`settings`), the profiles' own figures (`profiles`).
"""

import re
import tomllib
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, StringConstraints, ValidationError

from hologram_dagster.errors import SettingsError

FILE_NAME = "hologram.toml"

KeyId = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{16}|[0-9a-f]{64})$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Budgets(_Table):
    """p95 budgets of one profile, ms; an operation left out keeps the profile's own."""

    verify: PositiveFloat | None = None
    encode: PositiveFloat | None = None
    gql: PositiveFloat | None = None


class ProfileBudgets(_Table):
    """The `[budgets.<profile>]` tables."""

    pr: Budgets = Budgets()
    main: Budgets = Budgets()
    nightly: Budgets = Budgets()
    dev: Budgets = Budgets()


class Server(_Table):
    """`[target.server]`: a GraphQL server of the target, to be run beside another revision's.

    In `command`, `{port}` is the loopback port to listen on, `{data}` a folder of its own, and
    `{ipfs}` the RPC of an IPFS node. A GET of `ready` answers 200 once it serves `path`.
    """

    command: tuple[str, ...] = Field(min_length=1)
    ready: str = "/ready"
    path: str = "/graphql"


class Target(_Table):
    """`[target]`: how to set up and run a revision of this repository (docs/targets.md).

    `setup` are commands run once for each content of the files in `dependencies`. In all
    commands `{tree}` is the checked-out revision and `{env}` the folder made for its
    environment.
    """

    name: str = "target"
    branch: str = "main"
    dependencies: tuple[str, ...] = ()
    setup: tuple[tuple[str, ...], ...] = ()
    worker: tuple[str, ...] = ()
    server: Server | None = None


class Policy(_Table):
    """The whole file. `trusted_keys` are key ids (16 hex digits) or public keys (64): main
    and nightly accept no other key's evidence."""

    trusted_keys: tuple[KeyId, ...] = ()
    budgets: ProfileBudgets = Field(default=ProfileBudgets())
    target: Target | None = None


def _line_of(text: str, key: str) -> str:
    for number, line in enumerate(text.splitlines(), start=1):
        if re.match(rf"\s*\[?.*\b{re.escape(key)}\b", line):
            return f", line {number}"
    return ""


def parse_policy(content: bytes, *, where: str) -> Policy:
    """The policy in `content`; `where` names the file in errors.

    Raises:
        SettingsError: not TOML, or a key that is unknown or malformed; names line and key.
    """
    try:
        text = content.decode()
        return Policy.model_validate(tomllib.loads(text))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{where} is not valid TOML: {error}.") from None
    except ValidationError as error:
        fault = error.errors()[0]
        path = [str(part) for part in fault["loc"]]
        names = [part for part in path if not part.isdigit()]
        line = _line_of(text, names[-1]) if names else ""
        raise SettingsError(f"{where}{line}: {'.'.join(path)}: {fault['msg']}.") from None
