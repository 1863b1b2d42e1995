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
        ("nightly", 10, 100, 100, 100, 10, 4),
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
