"""The commands of the bridge and their answers, in this process (contract section 6.7)."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol import atlas, cef
from hologram_dagster.protocol.bridge import COMMANDS, answer
from hologram_dagster.protocol.uorid import uorid_bytes

pytestmark = [pytest.mark.phase1_core, pytest.mark.phase2_integration]

DATA = bytes(i % 256 for i in range(1024))
STATE = json.dumps(atlas.encode(DATA).tolist())


@pytest.mark.parametrize(
    ("argument", "expected"), [("200", 8), ("-1", 95), ("[1,2,3]", 6), ("[]", 0), ("1" + "0" * 40, 64)]
)
def test_r96(argument: str, expected: int) -> None:
    assert answer(["atlas:r96", argument]) == {"class": expected}


@pytest.mark.parametrize(
    "argument", ["", "x", "1.5", "true", "[true]", "[1.0]", "null", "{}", "[[1]]", "1" * 5000]
)
def test_r96_of_anything_but_integers_is_refused(argument: str) -> None:
    with pytest.raises(FormatError):
        answer(["atlas:r96", argument])


@given(st.binary(max_size=200) | st.integers(0, 30_000).map(lambda n: DATA * (n // 1024)))
@settings(deadline=None, max_examples=30)
def test_atlas_round_trip(data: bytes) -> None:
    rows = answer(["atlas:encode", data.hex()])["state"]
    assert all(sum(row) % 256 == 0 for row in rows)
    assert all(sum(column) % 256 == 0 for column in zip(*rows, strict=True))
    state = json.dumps(rows)
    assert answer(["atlas:decode", state]) == {"hex": data.hex()}
    assert answer(["atlas:verify", state]) == {"valid": True}
    witnessed = answer(["atlas:witnesses", state])
    assert witnessed["valid"] is True
    assert witnessed["witnesses"]["conserved"] is True


def test_a_flipped_bit_is_found_though_its_witnesses_agree() -> None:
    rows = json.loads(STATE)
    rows[0][1] ^= 2
    state = json.dumps(rows)
    assert answer(["atlas:verify", state]) == {"valid": False}
    witnessed = answer(["atlas:witnesses", state])
    assert witnessed["valid"] is True
    assert witnessed["witnesses"]["conserved"] is False
    with pytest.raises(FormatError, match="does not sum to 0"):
        answer(["atlas:decode", state])


@pytest.mark.parametrize(
    "state",
    [
        *("[]", "[[]]", "[1]", "[[1,2]]"),
        *(STATE.replace(old, new, 1) for old, new in (("16", "256"), ("4", "-4"), ("4", "4.0"))),
        *(STATE.replace("[0, ", f"[{new}, ", 1) for new in ("false", "null", "[]")),
    ],
    ids=lambda state: state[:20],
)
def test_rows_that_are_no_state_do_not_verify(state: str) -> None:
    assert state != STATE
    assert answer(["atlas:verify", state]) == {"valid": False}
    for command in ("atlas:decode", "atlas:witnesses"):
        with pytest.raises(FormatError):
            answer([command, state])


@pytest.mark.parametrize("state", ["", "x", "1", "null", "{}", '"x"', '[["1"]]', "[[1]", STATE + "x"])
def test_what_is_no_list_of_rows_is_refused(state: str) -> None:
    for command in ("atlas:verify", "atlas:decode", "atlas:witnesses"):
        with pytest.raises(FormatError):
            answer([command, state])


def test_a_container_and_its_proofs() -> None:
    wire = answer(["cef:encode_hex", b"Hello World".hex()])["cefHex"]
    fields = answer(["cef:decode", wire])
    assert fields.keys() == {"version", "merkleRoot", "boundary", "bulk", "metadata"}
    assert bytes.fromhex(fields["bulk"]) == b"Hello World"
    assert json.loads(bytes.fromhex(fields["boundary"]))["dataLength"] == 11
    assert answer(["cef:canonical", wire]) == {"cefHex": wire}
    assert answer(["cef:canonical", wire.upper()]) == {"cefHex": wire}
    root = fields["merkleRoot"]
    for path in ("bulk/0", "boundary/0"):
        proof = answer(["cef:merkle_proof", wire, path])["proof"]
        assert answer(["cef:verify_merkle", root, json.dumps(proof)]) == {"valid": True}
        assert answer(["cef:verify_merkle", "00" * 32, json.dumps(proof)]) == {"valid": False}
        forged = json.dumps({**proof, "leafHash": "11" * 32})
        assert answer(["cef:verify_merkle", root, forged]) == {"valid": False}
    assert answer(["cef:verify_merkle", root, "[]"]) == {"valid": False}


def test_a_pair_holds_until_its_bulk_changes() -> None:
    fields = answer(["cef:decode", cef.encode(b"pair", timestamp=1).hex()])
    assert answer(["bhic:verify_phi", fields["boundary"], fields["bulk"]]) == {"valid": True}
    assert answer(["bhic:verify_phi", fields["boundary"], b"pare".hex()]) == {"valid": False}


def test_identities() -> None:
    identity = uorid_bytes(b"Hologram Phase0.5")
    hex_ = b"Hologram Phase0.5".hex()
    assert answer(["uorid:compute", hex_]) == {"id": identity}
    assert answer(["proc:uorid_hex", hex_]) == {"id": identity, "digest": identity.split(":")[-1]}


@pytest.mark.parametrize("text", ["0", "0x", "zz", "00 11", " 00", "é0", "٠٠"])
@pytest.mark.parametrize(
    "command", ["atlas:encode", "cef:encode_hex", "cef:decode", "uorid:compute", "proc:uorid_hex"]
)
def test_what_is_not_hex_is_refused(command: str, text: str) -> None:
    with pytest.raises(FormatError, match="hex"):
        answer([command, text])


@pytest.mark.parametrize("command", COMMANDS)
def test_arguments_are_counted(command: str) -> None:
    count = len(COMMANDS[command].arguments)
    for arguments in (["00"] * (count - 1), ["00"] * (count + 1)):
        with pytest.raises(FormatError, match=f"{command} takes {count}"):
            answer([command, *arguments])


@pytest.mark.parametrize("command", ["", "atlas", "atlas:R96", "x" * 10_000])
def test_there_is_no_such_command(command: str) -> None:
    with pytest.raises(FormatError, match="no command"):
        answer([command, "00"])
