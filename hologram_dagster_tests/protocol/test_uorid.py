"""UOR-IDs match the contract's vectors and generated fixtures (section 6.6)."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.uorid import parse, uorid_bytes, uorid_object
from hologram_dagster_tests.protocol.json_values import values

pytestmark = pytest.mark.phase1_core

DIGEST = "0" * 64


def fixtures(count: int, seed: int = 0xC0FFEE) -> Iterator[object]:
    """The contract's fixture objects: xorshift32 (13, 17, 5) picks one of five shapes."""
    state = seed

    def following() -> int:
        nonlocal state
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        return state

    for _ in range(count):
        match following() % 5:
            case 0:
                yield {"a": following() % 1000, "b": [1, 2, 3]}
            case 1:
                yield {"z": ["x", "y"], "m": {"k": following() % 256}}
            case 2:
                yield {"arr": [following() % 10, following() % 10]}
            case 3:
                yield {"map": {"a": 1, "c": 3, "b": 2}}
            case _:
                yield {"t": True, "f": False, "n": None}


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (
            {"b": 2, "a": [1, 3]},
            "uor:v1:r61:6fc075860afe21466a5bc0856d8b68dd619906cbaab8f1614b4cde1f4075ca59",
        ),
        (
            {"x": 1, "y": [2, 3]},
            "uor:v1:r11:245d19568f7e302a7238d1f641fb873560ff7a93a12fda6c3bf49b3a4c94e991",
        ),
    ],
)
def test_vectors_of_objects(obj: object, expected: str) -> None:
    assert uorid_object(obj) == expected


def test_vector_of_bytes() -> None:
    expected = "uor:v1:r61:29664840fb98b8242e3e5473ea22a46fb158650338ca34c4aeb7f2985a0de5f9"
    assert uorid_bytes(b"Hologram Phase0.5") == expected


def test_generated_fixtures() -> None:
    made = list(fixtures(1000))
    assert made[0] == {"arr": [6, 6]}
    assert (
        uorid_object(made[0]) == "uor:v1:r75:c17dc6336e005d8432682e0c93eb1045c66916cdfb6d34d7146ce5fa5ead9c08"
    )
    assert made[1] == {"map": {"a": 1, "c": 3, "b": 2}}
    assert (
        uorid_object(made[1]) == "uor:v1:r26:ee7707dc030ce3cf2fe0980c74746cfdd8b9c327abefdb4dff6be6fe20714bbd"
    )
    for obj in made:
        text = uorid_object(obj)
        assert str(parse(text)) == text


@given(values)
def test_every_id_of_an_object_parses(value: object) -> None:
    text = uorid_object(value)
    assert str(parse(text)) == text


@given(st.binary(max_size=64))
def test_every_id_of_bytes_parses(data: bytes) -> None:
    parts = parse(uorid_bytes(data))
    assert parts.version == 1
    assert parts.resonance == sum(data) % 96


@given(st.binary(min_size=1, max_size=64), st.data())
def test_changed_bytes_change_the_id(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data) - 1))
    changed = data[:at] + bytes([data[at] ^ draw.draw(st.integers(1, 255))]) + data[at + 1 :]
    assert uorid_bytes(changed) != uorid_bytes(data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"uor:v1:r96:{DIGEST}",
        f"uor:v1:r99:{DIGEST}",
        f"uor:v1:r100:{DIGEST}",
        f"uor:v1:r07:{DIGEST}",
        f"uor:v1:r-1:{DIGEST}",
        f"uor:v2:r1:{DIGEST}",
        f"uor:v1:r1:{DIGEST[1:]}",
        f"uor:v1:r1:{DIGEST}0",
        f"uor:v1:r1:{DIGEST}\n",
        f" uor:v1:r1:{DIGEST}",
        f"uor:v1:r1:{'A' * 64}",
        f"uor:v1:r١:{DIGEST}",
        f"uor:sha256:{DIGEST}",
    ],
)
def test_malformed_ids_are_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse(text)
