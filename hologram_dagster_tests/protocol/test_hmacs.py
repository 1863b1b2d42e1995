"""Keyed tags are the contract's, and hold for their payload and secret alone (section 6.6)."""

import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.canonical import ccm
from hologram_dagster.protocol.hmacs import alpha, alpha_holds, holo, holo_holds
from hologram_dagster_tests.protocol.json_values import values

pytestmark = [pytest.mark.phase1_core, pytest.mark.phase7_security]


def test_vector_of_alpha() -> None:
    assert alpha({"ok": True}, "s3cret") == "52a65d20386fb37ee56dd060a0526ba6015fb0cd04a2d54661c5af2a8b32bce7"


def test_holo_is_the_contracts_formula() -> None:
    manifest = {"name": "m", "version": 1}
    message = f"holo|core/structure|{ccm(manifest, 'holo')}"
    expected = hmac.new(b"s3cret", message.encode(), hashlib.sha256).hexdigest()
    assert holo("core/structure", manifest, "s3cret") == expected


@given(values, st.text(st.characters(exclude_categories=["Cs"]), max_size=9))
def test_tags_hold_for_payload_and_secret_alone(payload: Any, secret: str) -> None:
    tag = alpha(payload, secret)
    assert alpha_holds(payload, secret, tag)
    assert not alpha_holds({"forged": payload}, secret, tag)
    # HMAC pads a key with zero bytes: only one that ends otherwise is another.
    assert not alpha_holds(payload, secret + "x", tag)
    tag = holo("module", payload, secret)
    assert holo_holds("module", payload, secret, tag)
    assert not holo_holds("other", payload, secret, tag)
    assert not holo_holds("module", {"forged": payload}, secret, tag)
    assert not alpha_holds(payload, secret, tag)


@pytest.mark.parametrize("tag", [None, 7, "", "0" * 64, "é" * 64, b"0" * 64])
def test_malformed_tags_do_not_hold(tag: object) -> None:
    assert not alpha_holds({"ok": True}, "s3cret", tag)
    assert not holo_holds("m", {"ok": True}, "s3cret", tag)


def test_the_order_of_an_array_does_not_count() -> None:
    assert alpha([1, 2], "k") == alpha([2, 1], "k")


def test_what_cannot_be_tagged() -> None:
    for payload, secret in ((object(), "k"), (1, "\ud800")):
        with pytest.raises(FormatError):
            alpha(payload, secret)
        assert not alpha_holds(payload, secret, "0" * 64)
    with pytest.raises(FormatError):
        holo("\ud800", 1, "k")
    assert not holo_holds("\ud800", 1, "k", "0" * 64)
