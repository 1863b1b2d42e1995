"""CIDs computed without a node: vectors of Kubo, and nothing else matches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError
from hologram_dagster.ipfs.cids import cid_of, cid_text, cid_v1_of, matches, parse_cid

pytestmark = pytest.mark.phase1_core

# As `ipfs add` prints them.
EMPTY = "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"
HEY = "QmPSSaHUU7m2ScHWvFFXQsryyeCauoPnuiRZ3FdnCi6STj"
HEY_V1 = "bafkreih2nefyebq637jikjrjv25ivclxwv7eb7fxpunhukfsns5gewisaq"


def test_vectors() -> None:
    assert cid_of(b"") == EMPTY
    assert cid_of(b"hey") == HEY
    assert cid_v1_of(b"hey") == HEY_V1


@given(st.binary(max_size=2000))
def test_content_matches_its_own_cids_in_every_form(data: bytes) -> None:
    same_block_as_v1 = str(parse_cid(cid_of(data)).set(version=1, base="base32"))
    other_base = str(parse_cid(cid_v1_of(data)).set(base="base58btc"))
    for cid in (cid_of(data), cid_v1_of(data), same_block_as_v1, other_base):
        assert matches(cid, data)


@given(st.binary(min_size=1, max_size=2000), st.data())
def test_one_flipped_bit_matches_no_more(data: bytes, draw: st.DataObject) -> None:
    place = draw.draw(st.integers(0, len(data) - 1))
    changed = bytes([*data[:place], data[place] ^ 1, *data[place + 1 :]])
    assert not matches(cid_of(data), changed)
    assert not matches(cid_v1_of(data), changed)


def test_chunks_are_part_of_the_cid() -> None:
    data = bytes(3 * 262144 + 1)
    assert matches(cid_of(data), data)
    assert matches(cid_v1_of(data), data)
    assert not matches(cid_of(data), data[:-1])


@pytest.mark.parametrize("text", ["", "Qm", "hello", "Qm" + "0" * 44, "bafy"])
def test_what_is_no_cid_is_refused_and_matches_nothing(text: str) -> None:
    assert not matches(text, b"hey")
    with pytest.raises(FormatError, match="is not a CID"):
        parse_cid(text)


def test_text_of_binary_cids() -> None:
    assert cid_text(bytes(parse_cid(HEY))) == HEY
    assert cid_text(bytes(parse_cid(HEY_V1))) == HEY_V1
