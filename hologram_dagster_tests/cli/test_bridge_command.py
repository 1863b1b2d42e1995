"""`hologram bridge` as a client meets it: one JSON object, exit 0 or 2, nothing on standard error."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hologram_dagster.protocol import atlas, cef
from hologram_dagster.protocol.uorid import uorid_bytes
from hologram_dagster_tests.gate.bench import BIN, HANG_S

pytestmark = pytest.mark.phase3_runtime

DATA = b"Hologram"
STATE = json.dumps(atlas.encode(DATA).tolist(), separators=(",", ":"))
WIRE = cef.encode(DATA, timestamp=1757843118211)
CONTAINER = cef.decode(WIRE)
ROOT = CONTAINER.merkle_root.hex()
PROOF = json.dumps(cef.merkle_proof(CONTAINER, "bulk/0"))
FIELDS: dict[str, Any] = {
    "version": 1,
    "merkleRoot": ROOT,
    "boundary": CONTAINER.boundary.hex(),
    "bulk": DATA.hex(),
    "metadata": CONTAINER.metadata,
}


def bridge(*call: str | bytes, given: bytes | None = None) -> tuple[int, Any]:
    """Exit code and answer of one call."""
    done = subprocess.run(
        [str(BIN / "hologram"), "bridge", *call],
        input=given,
        stdin=subprocess.DEVNULL if given is None else None,
        capture_output=True,
        timeout=HANG_S,
        check=False,
    )
    assert done.stderr == b""
    assert done.stdout.count(b"\n") == 1
    answered = json.loads(done.stdout)
    assert isinstance(answered["ok"], bool)
    return done.returncode, answered


@pytest.mark.parametrize(
    ("call", "given", "expected"),
    [
        (["atlas:r96", "200"], None, {"class": 8}),
        (["atlas:r96", "-1"], None, {"class": 95}),
        (["atlas:encode", DATA.hex()], None, {"state": json.loads(STATE)}),
        (["atlas:decode", "-"], STATE.encode(), {"hex": DATA.hex()}),
        (["atlas:verify", "-"], STATE.encode() + b"\n", {"valid": True}),
        (["atlas:verify", STATE.replace("72", "73", 1)], None, {"valid": False}),
        (["cef:decode", "-"], WIRE.hex().encode(), {**FIELDS}),
        (["cef:canonical", WIRE.hex()], None, {"cefHex": WIRE.hex()}),
        (["cef:merkle_proof", "-", "bulk/0"], WIRE.hex().encode() + b"\r\n", {"proof": json.loads(PROOF)}),
        (["cef:verify_merkle", ROOT, "-"], PROOF.encode(), {"valid": True}),
        (["cef:verify_merkle", "00" * 32, PROOF], None, {"valid": False}),
        (["bhic:verify_phi", FIELDS["boundary"], FIELDS["bulk"]], None, {"valid": True}),
        (["bhic:verify_phi", FIELDS["boundary"], "00"], None, {"valid": False}),
        (["uorid:compute", DATA.hex()], None, {"id": uorid_bytes(DATA)}),
        (
            ["proc:uorid_hex", "-"],
            DATA.hex().encode(),
            {"id": uorid_bytes(DATA), "digest": uorid_bytes(DATA)[-64:]},
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_answers(call: list[str], given: bytes | None, expected: dict[str, Any]) -> None:
    assert bridge(*call, given=given) == (0, {"ok": True, **expected})


def test_witnesses_and_a_container_of_its_own_time() -> None:
    code, answered = bridge("atlas:witnesses", "-", given=STATE.encode())
    assert (code, answered["ok"], answered["valid"]) == (0, True, True)
    assert len(answered["witnesses"]) >= 1
    code, answered = bridge("cef:encode_hex", DATA.hex())
    assert code == 0
    assert cef.decode(bytes.fromhex(answered["cefHex"])).bulk == DATA


def test_a_mebibyte_by_way_of_standard_input() -> None:
    data = os.urandom(1 << 20)
    _, encoded = bridge("atlas:encode", "-", given=data.hex().encode())
    assert len(encoded["state"]) == 88 * 48
    state = json.dumps(encoded["state"]).encode()
    assert bridge("atlas:decode", "-", given=state) == (0, {"ok": True, "hex": data.hex()})
    _, contained = bridge("cef:encode_hex", "-", given=data.hex().encode())
    _, fields = bridge("cef:decode", "-", given=contained["cefHex"].encode())
    assert fields["bulk"] == data.hex()


@pytest.mark.parametrize(
    ("call", "given"),
    [
        ([], None),
        (["net:ctp96_roundtrip_of_old"], None),
        (["atlas:r96"], None),
        (["atlas:r96", "1", "2"], None),
        (["atlas:r96", "x"], None),
        (["--version"], None),
        (["-"], b""),
        (["atlas:encode", "0g"], None),
        (["atlas:encode", b"\xff\xfe"], None),
        (["atlas:encode", "-"], b"\xff"),
        (["atlas:encode", "--", "00"], None),
        (["atlas:decode", "-"], b""),
        (["atlas:decode", "[" * 50_000], None),
        (["cef:decode", "-"], b"00"),
        (["cef:merkle_proof", "-", "-"], WIRE.hex().encode()),
        (["cef:merkle_proof", WIRE.hex(), "bulk/9"], None),
        (["cef:verify_merkle", "zz", "{"], None),
    ],
    ids=repr,
)
def test_invalid_input_is_one_object_and_exit_2(call: list[str | bytes], given: bytes | None) -> None:
    code, answered = bridge(*call, given=given)
    assert code == 2
    assert answered.keys() == {"ok", "err"}
    assert answered["ok"] is False
    assert answered["err"]
    assert "Traceback" not in answered["err"]


@pytest.mark.parametrize("closed", ["<&-", "0>/dev/null", ">&-", ">/dev/full", "<&- >&-"])
def test_closed_streams_are_no_traceback(closed: str) -> None:
    command = f'"{BIN / "hologram"}" bridge atlas:encode - {closed}'
    done = subprocess.run(
        ["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, timeout=HANG_S, check=False
    )
    assert done.stderr == b""
    assert done.returncode == 2
    if ">&-" not in closed and "full" not in closed:
        assert json.loads(done.stdout)["err"].startswith("Standard input ")


def test_a_reader_that_is_gone_is_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [str(BIN / "hologram"), "bridge", "atlas:r96", "1"],
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=HANG_S,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (2, b"")


def test_a_call_loads_neither_the_other_verbs_nor_what_they_need() -> None:
    code = (
        "import sys; sys.argv = ['hologram', 'bridge', 'atlas:r96', '200']\n"
        "from hologram_dagster.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n"
        "    heavy = {'dagster', 'pandas', 'typer', 'rich', 'cryptography', 'pydantic', 'httpx'}\n"
        "    sys.exit(f'loaded: {heavy & set(sys.modules)}' if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"ok": True, "class": 8}


def test_the_verb_is_in_the_commands_help(tmp_path: Path) -> None:
    for arguments in (["--help"], ["bridge", "--help"]):
        done = subprocess.run(
            [str(BIN / "hologram"), *arguments], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert done.returncode == 0
        assert "one call of the protocol" in " ".join(done.stdout.replace("│", " ").split())
