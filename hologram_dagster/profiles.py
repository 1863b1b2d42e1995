"""The ops toggles and the table of required evidence: the one place both are stated.

Tags, jobs and the verdict all read `PROFILES` and `EVIDENCE`. Numbers: contract
section 2.7; the table: design, *Profiles*. A kind joins the table when it is built.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hologram_dagster.errors import SettingsError
from hologram_dagster.settings import Settings


class ProfileName(StrEnum):
    """When a gate runs: on a pull request, on main, at night, or at a developer's wish."""

    PR = "pr"
    MAIN = "main"
    NIGHTLY = "nightly"
    DEV = "dev"


@dataclass(frozen=True, slots=True)
class Operation:
    """A measured operation: its evidence kind, CSV names (contract 2.1) and budget variable."""

    name: str
    kind: str
    suite: str
    budget_variable: str


OPERATIONS: Mapping[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation("verify", "perf_verify", "core", "SLO_VERIFY_P95_MS"),
        Operation("encode", "perf_encode", "core", "SLO_ENCODE_P95_MS"),
        Operation("gql", "perf_gql", "graphql", "SLO_GQL_P95_MS"),
    )
}


# Operation -> the kind of evidence that compares it with the baseline's.
REGRESSIONS: Mapping[str, str] = {name: f"regression_{name}" for name in OPERATIONS}
# The same against the rolled-forward baseline, so that small steps cannot add up unseen.
DRIFTS: Mapping[str, str] = {name: f"drift_{name}" for name in OPERATIONS}


@dataclass(frozen=True, slots=True)
class Profile:
    """Budgets (p95, ms, keyed by operation name), sample sizes and limits of one profile.

    `job` is the Dagster job's name, `threshold_pct` the slowdown against the baseline that must
    be found (contract section 2.5). `best_effort` names the steps whose failure, and the kinds
    whose absence with a reason, is shown but does not fail the gate.
    """

    name: ProfileName
    job: str
    budgets_ms: Mapping[str, float]
    gql_samples: int
    gql_warmup: int
    enc_mb: int
    description: str
    deadline_s: int
    threshold_pct: float = 10
    best_effort: frozenset[str] = field(default_factory=frozenset)
    clean_tree: bool = False


PROFILES: Mapping[ProfileName, Profile] = {
    ProfileName.PR: Profile(
        name=ProfileName.PR,
        job="pr_gate",
        budgets_ms={"verify": 15, "encode": 150, "gql": 150},
        gql_samples=20,
        gql_warmup=3,
        enc_mb=1,
        description="fast tests, lenient budgets",
        deadline_s=600,
        best_effort=frozenset({"uninstall", *REGRESSIONS.values()}),
    ),
    ProfileName.MAIN: Profile(
        name=ProfileName.MAIN,
        job="main_gate",
        budgets_ms={"verify": 8, "encode": 80, "gql": 80},
        gql_samples=100,
        gql_warmup=10,
        enc_mb=4,
        description="full tests, strict budgets",
        deadline_s=1200,
        clean_tree=True,
    ),
    ProfileName.NIGHTLY: Profile(
        name=ProfileName.NIGHTLY,
        job="nightly",
        budgets_ms={"verify": 10, "encode": 100, "gql": 100},
        gql_samples=100,
        gql_warmup=10,
        enc_mb=4,
        description="full tests, standard budgets",
        deadline_s=2400,
        # Before the first roll-forward there is nothing to drift from.
        best_effort=frozenset(DRIFTS.values()),
        clean_tree=True,
    ),
    ProfileName.DEV: Profile(
        name=ProfileName.DEV,
        job="dev_gate",
        budgets_ms={"verify": 50, "encode": 500, "gql": 500},
        gql_samples=5,
        gql_warmup=1,
        enc_mb=1,
        description="relaxed for debugging",
        deadline_s=300,
        best_effort=frozenset({"uninstall"}),
    ),
}

_ALL = frozenset(ProfileName)
_STRICT = frozenset({ProfileName.MAIN, ProfileName.NIGHTLY})

# Evidence kind (= asset name) -> the profiles that require it.
EVIDENCE: Mapping[str, frozenset[ProfileName]] = {
    "perf_verify": _ALL,
    "perf_encode": _ALL,
    "perf_gql": _ALL,
    **dict.fromkeys(REGRESSIONS.values(), _ALL - {ProfileName.DEV}),
    **dict.fromkeys((*DRIFTS.values(), "perf_self_test"), frozenset({ProfileName.NIGHTLY})),
    "e2e_publish": _ALL,
    "e2e_install": _ALL,
    "e2e_use": _ALL,
    "e2e_strict": _STRICT,
}


def required_kinds(profile: ProfileName) -> tuple[str, ...]:
    """The evidence kinds `profile` requires, in the order of the table."""
    return tuple(kind for kind, profiles in EVIDENCE.items() if profile in profiles)


@dataclass(frozen=True, slots=True)
class Override:
    """A figure the environment changed: the variable, the profile's own value, the one in force."""

    variable: str
    profile_value: float
    value: float
    looser: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A profile as this run applies it: the profile's figures with the environment's overrides."""

    profile: Profile
    budgets_ms: Mapping[str, float]
    gql_samples: int
    gql_warmup: int
    enc_mb: int
    overrides: tuple[Override, ...]
    threshold_pct: float = 10


def choose_profile(*, tag: str | None, config: str | None, settings: Settings) -> Profile:
    """The profile of a run: run tag, then config, then `HOLOGRAM_PROFILE`, else dev.

    Raises:
        SettingsError: an unknown name, or none given although `CI` is set.
    """
    name = tag or config or settings.profile
    if name is None:
        if settings.ci:
            raise SettingsError(
                "CI is set but no profile is given: set HOLOGRAM_PROFILE or pass --profile "
                f"({', '.join(ProfileName)})."
            )
        name = ProfileName.DEV
    try:
        return PROFILES[ProfileName(name)]
    except ValueError:
        raise SettingsError(f"unknown profile {name!r}: use one of {', '.join(ProfileName)}.") from None


def apply_overrides(profile: Profile, settings: Settings) -> Plan:
    """`profile` with the variables of contract 2.8 laid over it, each override recorded."""
    overrides: list[Override] = []

    def override(variable: str, own: float, value: float | None, *, looser: bool) -> float:
        if value is None or value == own:
            return own
        overrides.append(Override(variable, own, value, looser))
        return value

    given = {
        "verify": settings.slo_verify_p95_ms,
        "encode": settings.slo_encode_p95_ms,
        "gql": settings.slo_gql_p95_ms,
    }
    budgets = {
        name: override(OPERATIONS[name].budget_variable, own, given[name], looser=(given[name] or 0) > own)
        for name, own in profile.budgets_ms.items()
    }

    def size(variable: str, own: int, value: int | None) -> int:
        # Fewer samples and a smaller payload make a budget easier to meet.
        return int(override(variable, own, value, looser=value is not None and value < own))

    threshold = override(
        "REGRESSION_THRESHOLD_PCT",
        profile.threshold_pct,
        settings.regression_threshold_pct,
        looser=(settings.regression_threshold_pct or 0) > profile.threshold_pct,
    )
    return Plan(
        profile=profile,
        budgets_ms=budgets,
        gql_samples=size("GQL_SAMPLES", profile.gql_samples, settings.gql_samples),
        gql_warmup=size("GQL_WARMUP", profile.gql_warmup, settings.gql_warmup),
        enc_mb=size("ENC_MB", profile.enc_mb, settings.enc_mb),
        overrides=tuple(overrides),
        threshold_pct=threshold,
    )
