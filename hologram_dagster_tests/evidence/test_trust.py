"""Whose keys count, with and without pins."""

import pytest

from hologram_dagster.errors import SettingsError
from hologram_dagster.evidence.trust import Trust
from hologram_dagster_tests.evidence.helpers import signer

pytestmark = pytest.mark.phase7_security

OWN, PINNED, STRANGER = signer(1), signer(2), signer(3)


@pytest.mark.parametrize("profile", ["dev", "pr", "main", "nightly"])
def test_without_pins_the_key_in_use_is_trusted_and_no_other(profile: str) -> None:
    trust = Trust(OWN.public_hex)
    assert trust.fault(OWN.public_hex, profile) is None
    assert STRANGER.key_id in (trust.fault(STRANGER.public_hex, profile) or "")


@pytest.mark.parametrize("pin", [PINNED.key_id, PINNED.public_hex])
@pytest.mark.parametrize("profile", ["main", "nightly"])
def test_with_pins_main_and_nightly_refuse_any_other_key(pin: str, profile: str) -> None:
    trust = Trust(OWN.public_hex, [pin])
    assert trust.fault(PINNED.public_hex, profile) is None
    assert "trusted_keys" in (trust.fault(OWN.public_hex, profile) or "")
    assert trust.fault(STRANGER.public_hex, profile) is not None


@pytest.mark.parametrize("profile", ["dev", "pr"])
def test_with_pins_dev_and_pr_trust_the_key_in_use_besides(profile: str) -> None:
    trust = Trust(OWN.public_hex, [PINNED.key_id])
    assert trust.fault(PINNED.public_hex, profile) is None
    assert trust.fault(OWN.public_hex, profile) is None
    assert trust.fault(STRANGER.public_hex, profile) is not None


def test_a_reader_without_key_and_pins_trusts_nobody() -> None:
    assert "no key is in use" in (Trust(None).fault(OWN.public_hex, "dev") or "")


@pytest.mark.parametrize("pin", ["", "abc", "g" * 16, "A" * 16, "0" * 17, "0" * 16 + "\n"])
def test_a_malformed_pin_is_refused(pin: str) -> None:
    with pytest.raises(SettingsError, match="trusted_keys"):
        Trust(OWN.public_hex, [pin])


@pytest.mark.parametrize("named", [OWN.key_id, OWN.public_hex])
def test_a_revoked_key_counts_for_nothing_whatever_else_names_it(named: str) -> None:
    for profile in ("dev", "main"):
        trust = Trust(OWN.public_hex, [OWN.key_id], [named])
        assert "is revoked" in (trust.fault(OWN.public_hex, profile) or "")
    with pytest.raises(SettingsError, match="revoked_keys"):
        Trust(OWN.public_hex, (), ["x"])
