"""`hologram.toml`: what a target's repository says about itself and its gate.

Read from the baseline's tree, so that a change cannot weaken its own gate (design,
*Profiles*). What belongs here: the file's keys and their errors. What does not:
settings of the environment (`settings`), the profiles' own figures (`profiles`).
"""

import re
import tomllib
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    StringConstraints,
    ValidationError,
)

from hologram_dagster.errors import SettingsError

FILE_NAME = "hologram.toml"

KeyId = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{16}|[0-9a-f]{64})$")]


_OF_A_REVISION = ("{tree}", "{env}")
_OF_TESTS = (*_OF_A_REVISION, "{results}")
_OF_A_SERVER = (*_OF_A_REVISION, "{port}", "{data}", "{ipfs}")
# A shell's ${name} is its own.
_PLACEHOLDER = re.compile(r"(?<!\$)\{[a-z_]+\}")


def _with(known: Sequence[str]) -> AfterValidator:
    def check(part: str) -> str:
        if unknown := [name for name in _PLACEHOLDER.findall(part) if name not in known]:
            raise ValueError(f"{unknown[0]} is no placeholder here; there are {', '.join(known)}")
        return part

    return AfterValidator(check)


Command = tuple[Annotated[str, _with(_OF_A_REVISION)], ...]
ServerCommand = tuple[Annotated[str, _with(_OF_A_SERVER)], ...]


TestsCommand = tuple[Annotated[str, _with(_OF_TESTS)], ...]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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

    command: ServerCommand = Field(min_length=1)
    ready: str = "/ready"
    path: str = "/graphql"


class Tests(_Table):
    """`[target.tests]`: how to run the target's tests, to find the flaky ones among them.

    `command` writes JUnit XML (`*.xml`) or pytest-reportlog (`*.jsonl`) into the folder
    `{results}`. It is run `runs` times, each for at most `timeout_s` seconds.
    """

    command: TestsCommand = Field(min_length=1)
    runs: Annotated[int, Field(ge=1, le=100)] = 3
    # Contract section 7.1.
    timeout_s: PositiveFloat = 300


class Target(_Table):
    """`[target]`: how to set up and run a revision of this repository (docs/targets.md).

    `setup` are commands run once for each content of the files in `dependencies`. In all
    commands `{tree}` is the checked-out revision and `{env}` the folder made for its
    environment.
    """

    name: str = "target"
    branch: str = "main"
    dependencies: tuple[str, ...] = ()
    setup: tuple[Command, ...] = ()
    worker: Command = ()
    server: Server | None = None
    tests: Tests | None = None


class ServiceCommands(_Table):
    """`[chaos.ipfs]`, `[chaos.registry]`: how to kill and start a service that a gate did not start.

    `start` returns when the service serves, or was told to.
    """

    kill: tuple[str, ...] = Field(min_length=1)
    start: tuple[str, ...] = Field(min_length=1)


class ChaosCommands(_Table):
    """`[chaos]`: the services that may be killed and started by commands."""

    ipfs: ServiceCommands | None = None
    registry: ServiceCommands | None = None


class Policy(_Table):
    """The whole file. `trusted_keys` are key ids (16 hex digits) or public keys (64): main
    and nightly accept no other key's evidence. What `revoked_keys` signed counts for no profile."""

    trusted_keys: tuple[KeyId, ...] = ()
    revoked_keys: tuple[KeyId, ...] = ()
    budgets: ProfileBudgets = Field(default=ProfileBudgets())
    target: Target | None = None
    chaos: ChaosCommands = Field(default=ChaosCommands())


def _line_of(text: str, path: Sequence[str | int]) -> str:
    """Where the statement begins that brings `path`, or the most of it that is there, into the document."""
    there = path[: _depth(tomllib.loads(text), path)]
    lines = text.split("\n")
    begins = 1
    # The lines up to the end of each statement are a document, too.
    for end in range(1, len(lines) + 1):
        try:
            document = tomllib.loads("\n".join([*lines[:end], ""]))
        except tomllib.TOMLDecodeError:
            continue
        if there and _depth(document, there) == len(there):
            return f", line {begins}"
        begins = end + 1
    return ""


def _depth(document: Any, path: Sequence[str | int]) -> int:
    """How many steps of `path` there are in `document`."""
    for depth, step in enumerate(path):
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return depth
    return len(path)


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
        key = ".".join(str(part) for part in fault["loc"])
        why = fault["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{where}{_line_of(text, fault['loc'])}: {key}: {why}.") from None
