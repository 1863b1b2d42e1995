"""Load disturbs only our own services, or those of a named host; elsewhere that is said, with its reason."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from hologram_dagster.attack import access
from hologram_dagster.evidence.judge import judge
from hologram_dagster.evidence.record import Record
from hologram_dagster.gate.disruption import refusal, unless_refused, with_rule
from hologram_dagster.observation import Observation, Status
from hologram_dagster.profiles import (
    ACCESS,
    CHAOS,
    CTP96,
    DISRUPTIVE,
    FLOOD,
    OWN_STACK_ONLY,
    PROFILES,
    PROOFS,
    ProfileName,
    apply_overrides,
)
from hologram_dagster.settings import Settings, load_settings
from hologram_dagster_tests.evidence.helpers import NOW, identity, signer

pytestmark = pytest.mark.phase8_e2e

NIGHTLY = PROFILES[ProfileName.NIGHTLY]


def settings_of(
    ipfs: str | None = "http://ipfs.test:5001",
    registry: str | None = "http://registry.test:4000/graphql",
    allow: str | None = None,
) -> Settings:
    return load_settings(ipfs_api=ipfs, graphql_url=registry, allow_disruption=allow)


def test_services_of_our_own_may_be_disturbed() -> None:
    assert refusal(load_settings()) is None


@pytest.mark.parametrize(
    ("ipfs", "registry", "allow"),
    [
        ("http://ipfs.test:5001", "http://registry.test:4000/graphql", "ipfs.test,registry.test"),
        ("http://one.test:5001", "https://one.test/graphql", "one.test"),
        ("/dns/one.test/tcp/5001/http", "https://ONE.test/graphql", " One.Test "),
        ("http://[::1]:5001", "http://[::1]:4000/graphql", "::1"),
        ("http://user:pass@one.test:5001", "http://one.test/graphql", "one.test"),
    ],
)
def test_named_hosts_may_be_disturbed(ipfs: str, registry: str, allow: str) -> None:
    assert refusal(settings_of(ipfs, registry, allow)) is None


@pytest.mark.parametrize(
    ("ipfs", "registry", "allow", "told"),
    [
        (
            "http://ipfs.test:5001",
            "http://registry.test/graphql",
            None,
            "ipfs.test (IPFS_API) and registry.test",
        ),
        (
            "http://ipfs.test:5001",
            "http://registry.test/graphql",
            "ipfs.test",
            "at registry.test (GRAPHQL_URL)",
        ),
        ("http://ipfs.test:5001", "http://registry.test/graphql", "registry.test", "at ipfs.test (IPFS_API)"),
        ("http://one.test:5001", "http://one.test/graphql", "one", "one.test"),
        ("http://one.test:5001", "http://one.test/graphql", "test", "one.test"),
        ("http://one.test:5001", "http://one.test.evil/graphql", "one.test", "one.test.evil"),
        ("http://one.test:5001", "http://one.test@evil/graphql", "one.test", "evil"),
        ("http://127.0.0.1:5001", "http://localhost:4000/graphql", "127.0.0.1", "localhost (GRAPHQL_URL)"),
        ("nonsense", "http://one.test/graphql", "one.test", "no host (IPFS_API)"),
        ("http://one.test:5001", "http://[broken", "one.test,", "no host (GRAPHQL_URL)"),
        ("http://one.test:5001", None, "one.test", "no host (GRAPHQL_URL)"),
    ],
)
def test_both_hosts_must_be_named_in_full(
    ipfs: str, registry: str | None, allow: str | None, told: str
) -> None:
    why = refusal(settings_of(ipfs, registry, allow))
    assert why is not None
    assert told in why
    assert "set HOLOGRAM_ALLOW_DISRUPTION=" in why


def test_a_token_in_an_address_is_not_told() -> None:
    why = refusal(settings_of("http://user:s3cret@ipfs.test:5001", "http://u:s3cret@registry.test/graphql"))
    assert why is not None
    assert "s3cret" not in why


def never() -> Observation:
    raise AssertionError("the services were disturbed")


def harmless(kind: str) -> Callable[[], Observation]:
    return lambda: Observation(kind, Status.PASSED, "1", datetime.now(UTC), datetime.now(UTC))


@pytest.mark.parametrize("kind", sorted(DISRUPTIVE))
def test_what_is_refused_is_shown_where_services_are_not_ours_and_red_where_they_are(kind: str) -> None:
    theirs, ours = settings_of(), load_settings()
    seen = unless_refused(theirs, kind, "1", never)
    assert seen.status is Status.NOT_APPLICABLE
    assert "ipfs.test,registry.test" in seen.why
    assert unless_refused(ours, kind, "1", harmless(kind)).status is Status.PASSED

    record = Record.from_observation(seen, identity(), signer(), now=NOW)
    judged = judge(record, apply_overrides(with_rule(NIGHTLY, theirs), theirs))
    assert {result.status for result in judged} == {Status.NOT_APPLICABLE}
    assert "HOLOGRAM_ALLOW_DISRUPTION" in judged[0].message
    for settings in (ours, settings_of(allow="ipfs.test,registry.test")):
        # There the evidence can be had, so that its absence is no excuse.
        judged = judge(record, apply_overrides(with_rule(NIGHTLY, settings), settings))
        # But for chaos on services of the user's, which may need what only they can give.
        excused = kind in NIGHTLY.best_effort or (kind in CHAOS and settings is not ours)
        assert judged[0].status is (Status.NOT_APPLICABLE if excused else Status.FAILED)


def test_the_rule_excuses_only_the_disruptive_kinds_that_the_profile_requires() -> None:
    attacks = {FLOOD, "ledger", *access.GROUPS, CTP96, PROOFS, ACCESS}
    expected = NIGHTLY.best_effort | DISRUPTIVE | OWN_STACK_ONLY | attacks
    assert with_rule(NIGHTLY, settings_of()).best_effort == expected
    assert with_rule(NIGHTLY, load_settings()) is NIGHTLY
    main = PROFILES[ProfileName.MAIN]
    excused = with_rule(main, settings_of()).best_effort - main.best_effort - OWN_STACK_ONLY
    assert excused == {"chaos_ipfs_restart", "chaos_heuristics", *attacks}
    strict = load_settings(ipfs_api="http://a.test", graphql_url="http://a.test", require_strict=True)
    assert not {CTP96, PROOFS} & with_rule(main, strict).best_effort
    # Where it may be disturbed, what only its owner has is left, and all else is tried.
    mine = load_settings(
        ipfs_api="http://a.test", graphql_url="http://a.test", require_strict=True, allow_disruption="a.test"
    )
    excused = with_rule(main, mine).best_effort - main.best_effort - OWN_STACK_ONLY - set(CHAOS)
    assert excused == {"ledger", "tokens", "protected"}
    dev = PROFILES[ProfileName.DEV]
    assert with_rule(dev, settings_of()).best_effort == dev.best_effort
