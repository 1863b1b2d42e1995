"""Every setting of the gate: the only reader of the process environment.

Names and defaults of the contract's variables: contract section 2.8. A malformed value
is a `SettingsError` that names the variable, never the value.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from hologram_dagster.errors import SettingsError


class Environment(StrEnum):
    """Where the services under test run; always stated, never inferred."""

    LOCAL = "local"
    STAGING = "staging"
    PRODUCTION = "production"


_ENVIRONMENT_ALIASES = {"dev": "local", "stage": "staging", "prod": "production"}


def _unalias(value: Any) -> Any:
    return _ENVIRONMENT_ALIASES.get(value, value)


def _truthy(value: Any) -> Any:
    # CI systems set CI to "true", "1", or their own name.
    return value.strip().lower() not in {"", "0", "false", "no", "off"} if isinstance(value, str) else value


def _variable(name: str, default: Any, description: str) -> Any:
    return Field(default=default, validation_alias=AliasChoices(name), description=description)


class Settings(BaseSettings):
    """The gate's settings, read once from the environment when a command or run starts."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True, case_sensitive=True)

    environment: Annotated[Environment, BeforeValidator(_unalias)] = _variable(
        "HOLOGRAM_ENVIRONMENT", Environment.LOCAL, "local, staging or production (dev, stage, prod)"
    )
    profile: str | None = _variable("HOLOGRAM_PROFILE", None, "pr, main, nightly or dev")
    ci: Annotated[bool, BeforeValidator(_truthy)] = _variable("CI", False, "set by CI systems")
    state_dir: Path = _variable(
        "HOLOGRAM_STATE_DIR", Path(".hologram"), "keys, evidence, ledger, Dagster home"
    )
    reports_dir: Path = _variable("HOLOGRAM_REPORTS_DIR", Path("reports"), "reports and event files")
    dagster_home: Path | None = _variable("DAGSTER_HOME", None, "Dagster home (default: in the state folder)")
    dagster_pg_url: SecretStr | None = _variable(
        "DAGSTER_PG_URL", None, "PostgreSQL for Dagster's runs and events (default: SQLite in the home)"
    )
    repository: Path = _variable("HOLOGRAM_REPOSITORY", Path(), "git repository of the target")
    baseline: str | None = _variable("HOLOGRAM_BASELINE", None, "baseline revision, any git ref")
    signing_key: SecretStr | None = _variable(
        "HOLOGRAM_SIGNING_KEY", None, "Ed25519 key that signs evidence: PEM text or a file's path"
    )
    allow_ephemeral: bool = _variable(
        "HOLOGRAM_ALLOW_EPHEMERAL", False, "let the gate run on a Dagster instance that is thrown away"
    )
    allow_disruption: str | None = _variable(
        "HOLOGRAM_ALLOW_DISRUPTION", None, "host whose services load and chaos may touch"
    )
    deadline_s: PositiveInt | None = _variable(
        "HOLOGRAM_DEADLINE_S", None, "seconds a gate run may take (default: the profile's)"
    )

    ipfs_api: str | None = _variable("IPFS_API", None, "URL or multiaddr of the IPFS node's RPC")
    graphql_url: str | None = _variable("GRAPHQL_URL", None, "URL of the registry's GraphQL endpoint")
    graphql_token: SecretStr | None = _variable("GRAPHQL_TOKEN", None, "sent verbatim as `authorization`")
    graphql_test_name: str = _variable("GRAPHQL_TEST_NAME", "demo/object/alpha", "name that `gql` resolves")
    graphql_secure_name: str = _variable(
        "GRAPHQL_SECURE_NAME", "secure/object/admin-only", "name that needs a token"
    )
    e2e_app_name: str = _variable("E2E_APP_NAME", "demo/app/hello", "first part of the published names")

    slo_verify_p95_ms: PositiveFloat | None = _variable("SLO_VERIFY_P95_MS", None, "p95 budget of verify, ms")
    slo_encode_p95_ms: PositiveFloat | None = _variable("SLO_ENCODE_P95_MS", None, "p95 budget of encode, ms")
    slo_gql_p95_ms: PositiveFloat | None = _variable("SLO_GQL_P95_MS", None, "p95 budget of gql, ms")
    regression_threshold_pct: PositiveFloat | None = _variable(
        "REGRESSION_THRESHOLD_PCT", None, "slowdown that must be found, percent (default 10)"
    )
    enc_mb: PositiveInt | None = _variable("ENC_MB", None, "payload of encode, MiB")
    gql_samples: PositiveInt | None = _variable("GQL_SAMPLES", None, "timed requests of gql")
    gql_warmup: PositiveInt | None = _variable("GQL_WARMUP", None, "untimed requests of gql before them")

    step_summary: Path | None = _variable(
        "GITHUB_STEP_SUMMARY", None, "file that GitHub shows as the job's summary"
    )
    ref: str | None = _variable("GITHUB_REF", None, "the git ref that CI is building")


def load_settings(**given: Any) -> Settings:
    """Read the environment; `given` (by field name or variable) overrides it.

    Raises:
        SettingsError: a value is malformed; names every such variable, shows no value.
    """
    aliases = {name: field.validation_alias for name, field in Settings.model_fields.items()}
    values = {
        (str(choices.choices[0]) if isinstance(choices := aliases.get(name), AliasChoices) else name): value
        for name, value in given.items()
    }
    try:
        return Settings(**values)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()
        )
        raise SettingsError(f"malformed setting: {faults}. Correct or unset it.") from None
