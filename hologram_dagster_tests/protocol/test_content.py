"""Coordinates and id of named content follow from name and bytes alone (contract section 3.5)."""

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.content import atlas_metadata, content_id

pytestmark = pytest.mark.phase1_core


def test_the_contracts_seed() -> None:
    name, data = "demo/object/alpha", b"Hello Hologram"
    of_data, of_name = hashlib.sha256(data).digest(), hashlib.sha256(name.encode()).digest()
    metadata = atlas_metadata(name, data)
    assert metadata["page"] == int.from_bytes(of_data[0:4], "big") % 48
    assert metadata["cycle"] == int.from_bytes(of_data[4:8], "big") % 256
    assert metadata["r96Class"] == sum(data) % 96
    assert metadata["kleinWindow"] == int.from_bytes(of_name[0:4], "big") % 192


def test_identity_is_frozen() -> None:
    # Stored ids must mean the same in every later version.
    assert (
        content_id("demo/object/alpha", b"Hello Hologram")
        == "uor:sha256:90f21d7e8cd273ece92203eaa346d840fc7c710c4fe526584fb302bbc13a7fa6"
    )
    assert (
        atlas_metadata("demo/object/alpha", b"Hello Hologram")["conservationHash"]
        == "712a200312d109401ef6f5b0c943e5903102fedbd8343e1de035b13258461aa8"
    )


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.binary(max_size=100))
def test_metadata_stays_on_the_lattice(name: str, data: bytes) -> None:
    metadata = atlas_metadata(name, data)
    assert 0 <= metadata["page"] < 48
    assert 0 <= metadata["cycle"] < 256
    assert 0 <= metadata["r96Class"] < 96
    assert 0 <= metadata["kleinWindow"] < 192
    assert re.fullmatch("[0-9a-f]{64}", metadata["conservationHash"])
    assert re.fullmatch("uor:sha256:[0-9a-f]{64}", content_id(name, data))
    assert content_id(name, data) == content_id(name, data)


def test_id_depends_on_name_and_on_bytes() -> None:
    assert len({content_id("a", b"1"), content_id("b", b"1"), content_id("a", b"2")}) == 3


def test_half_a_character_is_refused() -> None:
    with pytest.raises(FormatError, match="lone surrogate"):
        content_id("\ud800", b"")
