"""Profiles: the contract's numbers, the order in which a profile is chosen, overrides that are seen."""

import pytest

from hologram_dagster.errors import SettingsError
from hologram_dagster.profiles import (
    EVIDENCE,
    OPERATIONS,
    PROFILES,
    ProfileName,
    apply_overrides,
    choose_profile,
    required_kinds,
)
from hologram_dagster.settings import load_settings

pytestmark = pytest.mark.phase0_ready


@pytest.mark.parametrize(
    ("name", "verify", "encode", "gql", "samples", "warmup", "enc_mb"),
    [
        ("pr", 15, 150, 150, 20, 3, 1),
        ("main", 8, 80, 80, 100, 10, 4),
        # Contract 2.7 says 100 samples for nightly; there is time for more at night.
        ("nightly", 10, 100, 100, 1000, 10, 4),
        ("dev", 50, 500, 500, 5, 1, 1),
    ],
)
def test_numbers_are_those_of_contract_2_7(
    name: str, verify: float, encode: float, gql: float, samples: int, warmup: int, enc_mb: int
) -> None:
    profile = PROFILES[ProfileName(name)]
    assert profile.budgets_ms == {"verify": verify, "encode": encode, "gql": gql}
    assert (profile.gql_samples, profile.gql_warmup, profile.enc_mb) == (samples, warmup, enc_mb)


def test_profile_comes_from_tag_then_config_then_environment_then_dev() -> None:
    settings = load_settings(profile="nightly")
    assert choose_profile(tag="pr", config="main", settings=settings).name == "pr"
    assert choose_profile(tag=None, config="main", settings=settings).name == "main"
    assert choose_profile(tag=None, config=None, settings=settings).name == "nightly"
    assert choose_profile(tag=None, config=None, settings=load_settings()).name == "dev"


def test_in_ci_a_profile_must_be_given() -> None:
    with pytest.raises(SettingsError, match="HOLOGRAM_PROFILE"):
        choose_profile(tag=None, config=None, settings=load_settings(ci=True))


def test_an_unknown_profile_is_refused_with_the_choice() -> None:
    with pytest.raises(SettingsError, match=r"'weekly'.*pr, main, nightly, dev"):
        choose_profile(tag="weekly", config=None, settings=load_settings())


def test_every_override_is_recorded_and_looser_ones_are_marked() -> None:
    settings = load_settings(slo_verify_p95_ms=1, slo_gql_p95_ms=900, gql_samples=2, enc_mb=8)
    plan = apply_overrides(PROFILES[ProfileName.MAIN], settings)
    assert plan.budgets_ms == {"verify": 1, "encode": 80, "gql": 900}
    assert {(o.variable, o.profile_value, o.value, o.looser) for o in plan.overrides} == {
        ("SLO_VERIFY_P95_MS", 8, 1, False),
        ("SLO_GQL_P95_MS", 80, 900, True),
        ("GQL_SAMPLES", 100, 2, True),
        ("ENC_MB", 4, 8, False),
    }


def test_an_override_equal_to_the_profile_is_none() -> None:
    plan = apply_overrides(PROFILES[ProfileName.MAIN], load_settings(slo_verify_p95_ms=8))
    assert plan.overrides == ()


def test_every_profile_requires_evidence_and_every_operation_is_required() -> None:
    for name in ProfileName:
        assert required_kinds(name)
    assert {operation.kind for operation in OPERATIONS.values()} <= set(EVIDENCE)


def test_load_and_stress_are_those_of_contract_2_8_and_can_be_overridden() -> None:
    plan = apply_overrides(PROFILES[ProfileName.NIGHTLY], load_settings())
    assert plan.overrides == ()
    figures = {
        kind: (sent.duration_s, sent.workers, sent.payload_bytes, sent.ops_per_s, sent.operations)
        for kind, sent in plan.traffic.items()
    }
    assert figures == {"e2e_load": (5, 4, 1024, 10, 50), "e2e_stress": (10, 8, 4096, 20, 200)}
    given = {"E2E_STRESS_DURATION": 2, "E2E_LOAD_PAYLOAD": 2048, "E2E_LOAD_WORKERS": 1}
    changed = apply_overrides(
        PROFILES[ProfileName.NIGHTLY], load_settings(**given, HOLOGRAM_LOAD_RATE_PER_S=80)
    )
    assert changed.traffic["e2e_stress"].operations == 40
    assert changed.traffic["e2e_load"].payload_bytes == 2048
    assert {(o.variable, o.looser) for o in changed.overrides} == {
        ("E2E_STRESS_DURATION", True),
        ("E2E_LOAD_PAYLOAD", False),
        ("E2E_LOAD_WORKERS", True),
        ("HOLOGRAM_LOAD_RATE_PER_S", False),
    }


@pytest.mark.parametrize("given", [{"E2E_LOAD_PAYLOAD": 1}, {"E2E_STRESS_WORKERS": 100_000}])
def test_a_load_that_would_harm_is_refused_by_name(given: dict[str, int]) -> None:
    with pytest.raises(SettingsError, match=next(iter(given))):
        load_settings(**given)


def test_nightly_takes_a_thousand_samples_an_operation_and_others_the_contract_s() -> None:
    for name, samples in ((ProfileName.NIGHTLY, (1000, 1000)), (ProfileName.MAIN, (60, 30))):
        plan = apply_overrides(PROFILES[name], load_settings(gql_samples=7))
        assert (plan.samples("verify"), plan.samples("encode"), plan.samples("gql")) == (*samples, 7)
    assert (plan.payload_bytes("verify"), plan.payload_bytes("encode")) == (65_536, 4 * 2**20)
