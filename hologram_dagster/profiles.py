"""The ops toggles, sample sizes and the table of required evidence: the one place they are stated.

Tags, jobs and the verdict all read `PROFILES` and `EVIDENCE`. Numbers: contract
section 2.7; the table: design, *Profiles*. A kind joins the table when it is built.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hologram_dagster.errors import SettingsError
from hologram_dagster.settings import ProfileName as ProfileName
from hologram_dagster.settings import Settings


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


MIB = 1024 * 1024
# Contract section 2.1; what `encode` gets is the plan's (ENC_MB).
VERIFY_PAYLOAD_BYTES = 256 * 256


def arrivals(rate_per_s: float, duration_s: float) -> int:
    """How many fall due in `duration_s` seconds at `rate_per_s` a second; at least one."""
    return max(1, round(rate_per_s * duration_s))


@dataclass(frozen=True, slots=True)
class Rate:
    """The requests of `perf_load`: `rate_per_s` a second for `duration_s` seconds."""

    rate_per_s: float
    duration_s: float

    @property
    def requests(self) -> int:
        """How many fall due."""
        return arrivals(self.rate_per_s, self.duration_s)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Whole operations sent end to end, and what must come of them (contract sections 2.8, 3.7).

    `ops_per_s` fall due a second for `duration_s` seconds, split over `workers`, each with a
    payload of `payload_bytes`. Of all, the share `least_delivered` must be delivered; the
    throughput must be above `above_mbps` (Mbit/s), and where they are given, p99 (ms) and the
    share of errors below `below_p99_ms` and `below_errors`.
    """

    duration_s: float
    workers: int
    payload_bytes: int
    ops_per_s: float
    least_delivered: float
    above_mbps: float
    below_p99_ms: float | None = None
    below_errors: float | None = None

    @property
    def operations(self) -> int:
        """How many fall due."""
        return arrivals(self.ops_per_s, self.duration_s)


# 1,000 requests, at a rate that a registry on two shared cores serves without a queue.
LOAD = Rate(rate_per_s=50, duration_s=20)
# Evidence kind -> its traffic.
TRAFFIC: Mapping[str, Traffic] = {
    "e2e_load": Traffic(
        duration_s=5,
        workers=4,
        payload_bytes=1024,
        ops_per_s=10,
        least_delivered=0.8,
        above_mbps=0.1,
        below_p99_ms=5000,
        below_errors=0.1,
    ),
    "e2e_stress": Traffic(
        duration_s=10, workers=8, payload_bytes=4096, ops_per_s=20, least_delivered=0.6, above_mbps=0.05
    ),
}
# The chaos experiments; the short ones, which hardly depend on how busy the host is, are part of main, too.
_REGIONS = "chaos_region_failover"
_SHORT_CHAOS = ("chaos_ipfs_restart", "chaos_heuristics")
CHAOS = (
    *_SHORT_CHAOS,
    "chaos_gql_latency",
    "chaos_gql_backpressure",
    "chaos_partial_failure",
    "chaos_replication",
    _REGIONS,
)
# The cases of `chaos_partial_failure` that only a stack of our own can be put into.
OWN_STACK_ONLY = frozenset({"ipfs_frozen", "database_locked", "node_stopped"})
# What is refused where services that are not ours may not be disturbed (`gate.disruption`).
DISRUPTIVE = frozenset({"perf_load", *TRAFFIC, *CHAOS})


# Contract sections 7.1 and 7.4: the flake rate is under 2 %, at most 5 % of the tests are in quarantine.
FLAKE_RATE_BELOW_PCT = 2.0
QUARANTINED_PCT = 5.0


# What needs a target that says how its tests are run.
TESTED = ("test_attempts", "flake_database", "flake_detection")


def most_quarantined(tests: int) -> int:
    """How many of `tests` tests may be in quarantine: always one, as small suites have flakes, too."""
    return max(1, int(tests * QUARANTINED_PCT / 100))


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
    # Contract section 2.1.
    verify_samples: int = 60
    encode_samples: int = 30
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
        # There is time at night: 1,000 samples an operation, where others take the contract's.
        verify_samples=1000,
        encode_samples=1000,
        gql_samples=1000,
        gql_warmup=10,
        enc_mb=4,
        description="full tests, standard budgets",
        deadline_s=2400,
        # Before the first roll-forward there is nothing to drift from, a target may name no tests, and where
        # no PostgreSQL is installed there are no regions.
        best_effort=frozenset({*DRIFTS.values(), *TESTED, _REGIONS}),
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

# The attacks on what operations carry and on who may do what, and the part that loads the registry.
CTP96, FLOOD = "ctp96_replay", "flood"
PROOFS, ACCESS = "proof_chain", "access_control"
ATTACKS = (CTP96, PROOFS, ACCESS)
_ALL = frozenset(ProfileName)
STRICT = frozenset({ProfileName.MAIN, ProfileName.NIGHTLY})
_NIGHTLY = frozenset({ProfileName.NIGHTLY})

# Evidence kind (= asset name) -> the profiles that require it.
EVIDENCE: Mapping[str, frozenset[ProfileName]] = {
    "perf_verify": _ALL,
    "perf_encode": _ALL,
    "perf_gql": _ALL,
    **dict.fromkeys(REGRESSIONS.values(), _ALL - {ProfileName.DEV}),
    **dict.fromkeys((*DRIFTS.values(), "perf_self_test"), _NIGHTLY),
    "perf_load": _NIGHTLY,
    "perf_cold_warm": _NIGHTLY,
    "e2e_publish": _ALL,
    "e2e_install": _ALL,
    "e2e_use": _ALL,
    "e2e_strict": STRICT,
    **dict.fromkeys(TRAFFIC, _NIGHTLY),
    **dict.fromkeys(CHAOS, _NIGHTLY),
    **dict.fromkeys(_SHORT_CHAOS, STRICT),
    **dict.fromkeys(ATTACKS, STRICT),
    "secrets_scan": _ALL - {ProfileName.DEV},
    **dict.fromkeys(TESTED, _NIGHTLY),
    "quarantine": _ALL - {ProfileName.DEV},
    "sbom": STRICT,
    "vulnerabilities": _NIGHTLY,
    # Last: the other evidence is among its materials.
    "provenance": STRICT,
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
    verify_samples: int = 60
    encode_samples: int = 30
    load: Rate = LOAD
    traffic: Mapping[str, Traffic] = field(default_factory=lambda: dict(TRAFFIC))

    def samples(self, operation: str) -> int:
        """Timed calls a launch of `operation`."""
        own = {"verify": self.verify_samples, "encode": self.encode_samples, "gql": self.gql_samples}
        return own[operation]

    def payload_bytes(self, operation: str) -> int:
        """The payload of `verify` or `encode`."""
        return {"verify": VERIFY_PAYLOAD_BYTES, "encode": self.enc_mb * MIB}[operation]


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
        source = "the run's tag" if tag else "the run's config" if config else "HOLOGRAM_PROFILE"
        raise SettingsError(
            f"{source}: unknown profile {name!r}: use one of {', '.join(ProfileName)}."
        ) from None


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

    def amount(variable: str, own: float, value: float | None) -> float:
        # Fewer samples, a smaller payload and less load make a budget easier to meet.
        return override(variable, own, value, looser=value is not None and value < own)

    def size(variable: str, own: int, value: int | None) -> int:
        return int(amount(variable, own, value))

    threshold = override(
        "REGRESSION_THRESHOLD_PCT",
        profile.threshold_pct,
        settings.regression_threshold_pct,
        looser=(settings.regression_threshold_pct or 0) > profile.threshold_pct,
    )
    load = Rate(
        rate_per_s=amount("HOLOGRAM_LOAD_RATE_PER_S", LOAD.rate_per_s, settings.load_rate_per_s),
        duration_s=amount("HOLOGRAM_LOAD_DURATION_S", LOAD.duration_s, settings.load_duration_s),
    )

    def sent(kind: str, own: Traffic) -> Traffic:
        def given(name: str) -> tuple[str, float, float | None]:
            figure = {"duration": own.duration_s, "payload": own.payload_bytes, "workers": own.workers}
            value: float | None = getattr(settings, f"{kind}_{name}")
            return f"{kind}_{name}".upper(), figure.get(name, own.ops_per_s), value

        return replace(
            own,
            duration_s=amount(*given("duration")),
            workers=int(amount(*given("workers"))),
            payload_bytes=int(amount(*given("payload"))),
            ops_per_s=amount(*given("ops_per_sec")),
        )

    traffic = {kind: sent(kind, own) for kind, own in TRAFFIC.items()}
    return Plan(
        profile=profile,
        budgets_ms=budgets,
        gql_samples=size("GQL_SAMPLES", profile.gql_samples, settings.gql_samples),
        gql_warmup=size("GQL_WARMUP", profile.gql_warmup, settings.gql_warmup),
        enc_mb=size("ENC_MB", profile.enc_mb, settings.enc_mb),
        overrides=tuple(overrides),
        threshold_pct=threshold,
        verify_samples=profile.verify_samples,
        encode_samples=profile.encode_samples,
        load=load,
        traffic=traffic,
    )
