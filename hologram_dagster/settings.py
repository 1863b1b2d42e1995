"""Every setting of the gate: the only reader of the process environment.

Names and defaults of the contract's variables: contract section 2.8. A malformed value
is a `SettingsError` that names the variable, never the value.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
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
from hologram_dagster.secrets.known import remember, remember_address, remember_url


class Environment(StrEnum):
    """Where the services under test run; always stated, never inferred."""

    LOCAL = "local"
    STAGING = "staging"
    PRODUCTION = "production"


class ProfileName(StrEnum):
    """When a gate runs: on a pull request, on main, at night, or at a developer's wish."""

    PR = "pr"
    MAIN = "main"
    NIGHTLY = "nightly"
    DEV = "dev"


class WeeklyBaseline(StrEnum):
    """What the weekly run does with a green revision."""

    PROPOSE = "propose"
    ROLL_FORWARD = "roll-forward"
    OFF = "off"


_ENVIRONMENT_ALIASES = {"dev": "local", "stage": "staging", "prod": "production"}


def _unalias(value: Any) -> Any:
    return _ENVIRONMENT_ALIASES.get(value, value)


def _truthy(value: Any) -> Any:
    # CI systems set CI to "true", "1", or their own name.
    return value.strip().lower() not in {"", "0", "false", "no", "off"} if isinstance(value, str) else value


def _web_address(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("not an http or https address")
    return value


def names_in(text: str) -> frozenset[str]:
    """The names in `text`, commas between."""
    return frozenset(name.strip() for name in text.split(",") if name.strip())


def _profiles_or_none(value: str) -> str:
    if names_in(value) - {*ProfileName, "none"}:
        raise ValueError(f"use {', '.join(ProfileName)}, commas between, or none")
    return value


def _object_store(value: str) -> str:
    if "://" not in value:
        raise ValueError("not a URL such as s3://bucket/folder")
    return value.rstrip("/")


def _audit_source(value: str) -> str:
    return value if value in {"pypi", "osv"} else _web_address(value)


WebAddress = Annotated[str, AfterValidator(_web_address)]
# Each is a thread with connections of its own.
Workers = Annotated[int, Field(ge=1, le=256)]
# Small ones could be the bytes of somebody else's content; large ones the client does not read.
Payload = Annotated[int, Field(ge=32, le=64 * 2**20)]


def _variable(name: str, default: Any, description: str) -> Any:
    return Field(default=default, validation_alias=AliasChoices(name), description=description)


class Timetable(BaseSettings):
    """What runs by itself, and when: the settings that Dagster needs when it loads the code location."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, case_sensitive=True, allow_inf_nan=False
    )

    watch: SecretStr | None = _variable(
        "HOLOGRAM_WATCH", None, "branches whose commits are gated, as URL#branch, separated by spaces"
    )
    watch_interval_s: PositiveInt = _variable(
        "HOLOGRAM_WATCH_INTERVAL_S", 30, "seconds between two looks at the watched branches"
    )
    nightly_cron: str = _variable("HOLOGRAM_NIGHTLY_CRON", "0 2 * * *", "when the nightly gate runs, UTC")
    prune_cron: str = _variable("HOLOGRAM_PRUNE_CRON", "0 4 * * 0", "when what has expired is pruned, UTC")
    weekly_cron: str = _variable(
        "HOLOGRAM_WEEKLY_CRON", "0 6 * * 1", "when a roll-forward of the baseline is proposed, UTC"
    )


class Settings(Timetable):
    """The gate's settings, read once from the environment when a command or run starts."""

    environment: Annotated[Environment, BeforeValidator(_unalias)] = _variable(
        "HOLOGRAM_ENVIRONMENT",
        Environment.LOCAL,
        "where the services under test run (dev, stage and prod are understood, too)",
    )
    profile: str | None = _variable(
        "HOLOGRAM_PROFILE", None, "pr, main, nightly or dev (default: dev; none where CI is set)"
    )
    ci: Annotated[bool, BeforeValidator(_truthy)] = _variable(
        "CI", False, "set by CI systems: a profile must be given then"
    )
    state_dir: Path = _variable(
        "HOLOGRAM_STATE_DIR", Path(".hologram"), "keys, evidence, ledger, Dagster home"
    )
    evidence_store: Annotated[str, AfterValidator(_object_store)] | None = _variable(
        "HOLOGRAM_EVIDENCE_STORE", None, "where records are kept: s3://bucket/folder (default: state folder)"
    )
    reports_dir: Path = _variable("HOLOGRAM_REPORTS_DIR", Path("reports"), "reports and event files")
    dagster_home: Path | None = _variable("DAGSTER_HOME", None, "Dagster home (default: in the state folder)")
    dagster_pg_url: SecretStr | None = _variable(
        "DAGSTER_PG_URL", None, "PostgreSQL for Dagster's runs and events (default: SQLite in the home)"
    )
    weekly_baseline: WeeklyBaseline = _variable(
        "HOLOGRAM_WEEKLY_BASELINE",
        WeeklyBaseline.PROPOSE,
        "what a green weekly run does; roll-forward asks nobody",
    )
    watch_profile: ProfileName = _variable(
        "HOLOGRAM_WATCH_PROFILE", ProfileName.MAIN, "profile of watched commits"
    )
    watch_stale_min: PositiveFloat = _variable(
        "HOLOGRAM_WATCH_STALE_MIN", 15, "minutes after which a branch that was not seen is stale"
    )
    repository: Path = _variable("HOLOGRAM_REPOSITORY", Path(), "git repository of the target")
    baseline: str | None = _variable(
        "HOLOGRAM_BASELINE", None, "baseline revision, any git ref (default: by the profile's rule)"
    )
    signing_key: SecretStr | None = _variable(
        "HOLOGRAM_SIGNING_KEY",
        None,
        "Ed25519 key that signs evidence: PEM text or a file's path (default: self-made)",
    )
    allow_ephemeral: bool = _variable(
        "HOLOGRAM_ALLOW_EPHEMERAL", False, "let the gate run on a Dagster instance that is thrown away"
    )
    operation_keys: Path | None = _variable(
        "HOLOGRAM_OPERATION_KEYS", None, "file of the keys that sign operations, as the registry has it"
    )
    require_strict: bool = _variable(
        "HOLOGRAM_REQUIRE_STRICT", False, "fail the evidence on a registry that does not check operations"
    )
    allow_disruption: str | None = _variable(
        "HOLOGRAM_ALLOW_DISRUPTION", None, "hosts (comma between) whose services load and chaos may disturb"
    )
    deadline_s: PositiveInt | None = _variable(
        "HOLOGRAM_DEADLINE_S", None, "seconds a gate run may take (default: the profile's)"
    )

    ipfs_api: str | None = _variable(
        "IPFS_API", None, "URL or multiaddr of the IPFS node's RPC (default: a node of our own)"
    )
    graphql_url: str | None = _variable(
        "GRAPHQL_URL", None, "URL of the registry's GraphQL endpoint (default: one of our own)"
    )
    graphql_urls: str | None = _variable(
        "GRAPHQL_URLS", None, "registries of all regions, comma between, the one that may be killed first"
    )
    graphql_token: SecretStr | None = _variable("GRAPHQL_TOKEN", None, "sent verbatim as `authorization`")
    graphql_test_name: str = _variable("GRAPHQL_TEST_NAME", "demo/object/alpha", "name that `gql` resolves")
    graphql_secure_name: str = _variable(
        "GRAPHQL_SECURE_NAME", "secure/object/admin-only", "name that needs a token"
    )
    e2e_app_name: str = _variable("E2E_APP_NAME", "demo/app/hello", "first part of the published names")

    slo_verify_p95_ms: PositiveFloat | None = _variable(
        "SLO_VERIFY_P95_MS", None, "p95 budget of verify, ms (default: the profile's)"
    )
    slo_encode_p95_ms: PositiveFloat | None = _variable(
        "SLO_ENCODE_P95_MS", None, "p95 budget of encode, ms (default: the profile's)"
    )
    slo_gql_p95_ms: PositiveFloat | None = _variable(
        "SLO_GQL_P95_MS", None, "p95 budget of gql, ms (default: the profile's)"
    )
    regression_threshold_pct: PositiveFloat | None = _variable(
        "REGRESSION_THRESHOLD_PCT", None, "slowdown that must be found, percent (default 10)"
    )
    enc_mb: PositiveInt | None = _variable("ENC_MB", None, "payload of encode, MiB (default: the profile's)")
    gql_samples: PositiveInt | None = _variable(
        "GQL_SAMPLES", None, "timed requests of gql (default: the profile's)"
    )
    gql_warmup: PositiveInt | None = _variable(
        "GQL_WARMUP", None, "untimed requests of gql before them (default: the profile's)"
    )

    load_rate_per_s: PositiveFloat | None = _variable(
        "HOLOGRAM_LOAD_RATE_PER_S", None, "requests a second of perf_load (default 50)"
    )
    load_duration_s: PositiveFloat | None = _variable(
        "HOLOGRAM_LOAD_DURATION_S", None, "seconds of perf_load (default 20)"
    )
    e2e_load_duration: PositiveFloat | None = _variable(
        "E2E_LOAD_DURATION", None, "seconds of e2e_load (default 5)"
    )
    e2e_load_workers: Workers | None = _variable("E2E_LOAD_WORKERS", None, "workers of e2e_load (default 4)")
    e2e_load_payload: Payload | None = _variable(
        "E2E_LOAD_PAYLOAD", None, "bytes an operation of e2e_load (default 1024)"
    )
    e2e_load_ops_per_sec: PositiveFloat | None = _variable(
        "E2E_LOAD_OPS_PER_SEC", None, "operations a second of e2e_load (default 10)"
    )
    e2e_stress_duration: PositiveFloat | None = _variable(
        "E2E_STRESS_DURATION", None, "seconds of e2e_stress (default 10)"
    )
    e2e_stress_workers: Workers | None = _variable(
        "E2E_STRESS_WORKERS", None, "workers of e2e_stress (default 8)"
    )
    e2e_stress_payload: Payload | None = _variable(
        "E2E_STRESS_PAYLOAD", None, "bytes an operation of e2e_stress (default 4096)"
    )
    e2e_stress_ops_per_sec: PositiveFloat | None = _variable(
        "E2E_STRESS_OPS_PER_SEC", None, "operations a second of e2e_stress (default 20)"
    )

    slack_webhook_url: SecretStr | None = _variable(
        "SLACK_WEBHOOK_URL", None, "incoming webhook of Slack that verdicts are told to"
    )
    teams_webhook_url: SecretStr | None = _variable(
        "TEAMS_WEBHOOK_URL", None, "incoming webhook of Teams that verdicts are told to"
    )
    apprise_urls: SecretStr | None = _variable(
        "HOLOGRAM_APPRISE_URLS", None, "Apprise addresses that verdicts are told to, spaces between"
    )
    notify: Annotated[str, AfterValidator(_profiles_or_none)] = _variable(
        "HOLOGRAM_NOTIFY", "main,nightly", "profiles whose verdicts are told to people"
    )
    ui_url: WebAddress | None = _variable("HOLOGRAM_UI_URL", None, "address of the Dagster UI, for links")
    reports_url: WebAddress | None = _variable(
        "HOLOGRAM_REPORTS_URL", None, "address at which the reports folder is published, for links"
    )
    github_token: SecretStr | None = _variable("GITHUB_TOKEN", None, "sets the commit status on GitHub")
    github_repository: str | None = _variable("GITHUB_REPOSITORY", None, "owner/name on GitHub")
    github_api_url: WebAddress = _variable(
        "GITHUB_API_URL", "https://api.github.com", "address of GitHub's REST interface"
    )
    github_server_url: WebAddress = _variable("GITHUB_SERVER_URL", "https://github.com", "address of GitHub")
    github_run_id: str | None = _variable("GITHUB_RUN_ID", None, "the run of the GitHub workflow")
    gitlab_token: SecretStr | None = _variable("GITLAB_TOKEN", None, "sets the commit status on GitLab")
    gitlab_project: str | None = _variable("CI_PROJECT_ID", None, "id of the project on GitLab")
    gitlab_api_url: WebAddress = _variable(
        "CI_API_V4_URL", "https://gitlab.com/api/v4", "address of GitLab's REST interface"
    )
    gitlab_job_url: WebAddress | None = _variable("CI_JOB_URL", None, "address of the job on GitLab")

    keep_runs_days: PositiveInt = _variable(
        "HOLOGRAM_KEEP_RUNS_DAYS", 90, "days that Dagster's runs, events and logs are kept"
    )
    keep_artifacts_days: PositiveInt = _variable(
        "HOLOGRAM_KEEP_ARTIFACTS_DAYS", 14, "days that unused checkouts, stacks and rotated logs are kept"
    )
    keep_evidence_days: PositiveInt = _variable(
        "HOLOGRAM_KEEP_EVIDENCE_DAYS", 365, "days that evidence is kept; its ledger for ever"
    )
    export_dir: Path | None = _variable(
        "HOLOGRAM_EXPORT_DIR", None, "where what is pruned is exported to (default: in the state folder)"
    )

    audit_source: Annotated[str, AfterValidator(_audit_source)] | None = _variable(
        "HOLOGRAM_AUDIT_SOURCE", None, "who is asked for vulnerabilities: pypi, osv, or an OSV query address"
    )

    watts: PositiveFloat = _variable(
        "HOLOGRAM_WATTS", 15.0, "power at which `hologram attestation` counts CPU time as energy, W"
    )

    step_summary: Path | None = _variable(
        "GITHUB_STEP_SUMMARY", None, "file that GitHub shows as the job's summary"
    )
    ref: str | None = _variable("GITHUB_REF", None, "the git ref that CI is building")


def load_settings(**given: Any) -> Settings:
    """Read the environment; `given` (by field name or variable) overrides it.

    Raises:
        SettingsError: a value is malformed; names every such variable, shows no value.
    """
    settings = _load(Settings, given)
    _remember_secrets(settings)
    return settings


def load_timetable() -> Timetable:
    """Read what Dagster needs of the environment when it loads the code location.

    Raises:
        SettingsError: as `load_settings`.
    """
    return _load(Timetable, {})


def _remember_secrets(settings: Settings) -> None:
    """Have every secret that was read redacted from now on, wherever it turns up."""
    for token in (settings.graphql_token, settings.github_token, settings.gitlab_token):
        if token is not None:
            remember(token.get_secret_value())
    if settings.signing_key is not None and "-----BEGIN" in settings.signing_key.get_secret_value():
        # Else it is a file's path.
        remember(settings.signing_key.get_secret_value())
    for address in (settings.slack_webhook_url, settings.teams_webhook_url, settings.apprise_urls):
        if address is not None:
            remember_address(address.get_secret_value())
    for holder in (settings.watch, settings.dagster_pg_url):
        if holder is not None:
            remember_url(holder.get_secret_value())
    for url in (settings.ipfs_api, settings.graphql_url, *(settings.graphql_urls or "").split(",")):
        remember_url((url or "").strip())


_Read = TypeVar("_Read", bound=BaseSettings)


def _load(kind: type[_Read], given: dict[str, Any]) -> _Read:
    aliases = {name: field.validation_alias for name, field in kind.model_fields.items()}
    values = {
        (str(choices.choices[0]) if isinstance(choices := aliases.get(name), AliasChoices) else name): value
        for name, value in given.items()
    }
    try:
        return kind(**values)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()
        )
        raise SettingsError(f"malformed setting: {faults}. Correct or unset it.") from None
