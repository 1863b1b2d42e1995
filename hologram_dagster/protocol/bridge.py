"""The commands by which clients in other languages call the protocol (contract section 6.7).

What belongs here: texts in, a JSON object out. What does not: the process around it, its
streams and exit codes (see `cli.bridge`). Bytes travel as hex, states as JSON lists of rows.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol import atlas, bhic, cef, ctp96_wire, uorid
from hologram_dagster.protocol.ctp96_frames import MAX_FRAME_BYTES
from hologram_dagster.protocol.r96 import r96
from hologram_dagster.protocol.state_json import MAX_STATE_BYTES, read_state
from hologram_dagster.protocol.strict_json import parse_json
from hologram_dagster.protocol.witnesses import witnesses_hold, witnesses_of

MAX_CONTENT_BYTES: Final = MAX_STATE_BYTES
# The longest argument is a container as hex.
MAX_ARGUMENT: Final = 2 * cef.MAX_CONTAINER_BYTES
_MAX_INTEGERS_TEXT: Final = 4 << 20
_MAX_PROOF_TEXT: Final = 1 << 16

Answer = Mapping[str, Any]


class Command(NamedTuple):
    """One command: what its arguments are called, and what answers them."""

    arguments: Sequence[str]
    answer: Callable[..., Answer]


def _hex(text: str, what: str, limit: int = MAX_CONTENT_BYTES) -> bytes:
    if len(text) > 2 * limit:
        raise FormatError(f"The {what} has {len(text)} hex digits; the limit is {2 * limit}.")
    try:
        data = bytes.fromhex(text)
    except ValueError:
        raise FormatError(f"The {what} is not hex: two digits (0-9, a-f) a byte.") from None
    if 2 * len(data) != len(text):
        raise FormatError(f"The {what} has spaces between its hex digits. Leave them out.")
    return data


def _r96(text: str) -> Answer:
    value = parse_json(text, what="argument", limit=_MAX_INTEGERS_TEXT)
    numbers = value if isinstance(value, list) else [value]
    if not set(map(type, numbers)) <= {int}:
        raise FormatError("atlas:r96 takes an integer or a JSON list of integers.")
    return {"class": r96(numbers)}


def _sound_rows(text: str) -> atlas.State:
    state = read_state(text)
    if state is None:
        raise FormatError(f"A state is a JSON list of rows of {atlas.CYCLES} integers from 0 to 255.")
    return state


def _encode(text: str) -> Answer:
    return {"state": atlas.encode(_hex(text, "content")).tolist()}


def _decode(text: str) -> Answer:
    return {"hex": atlas.decode(_sound_rows(text)).hex()}


def _verify(text: str) -> Answer:
    return {"valid": atlas.verify(read_state(text))}


def _witnesses(text: str) -> Answer:
    state = _sound_rows(text)
    witnesses = witnesses_of(state)
    return {"valid": witnesses_hold(witnesses, state), "witnesses": witnesses}


def _container(text: str) -> cef.Container:
    return cef.decode(_hex(text, "container", cef.MAX_CONTAINER_BYTES))


def _cef_encode(text: str) -> Answer:
    content = _hex(text, "content", cef.MAX_BULK_BYTES)
    return {"cefHex": cef.encode(content, timestamp=time.time_ns() // 1_000_000).hex()}


def _cef_decode(text: str) -> Answer:
    container = _container(text)
    return {
        "version": cef.VERSION,
        "merkleRoot": container.merkle_root.hex(),
        "boundary": container.boundary.hex(),
        "bulk": container.bulk.hex(),
        "metadata": container.metadata,
    }


def _cef_canonical(text: str) -> Answer:
    return {"cefHex": cef.write(_container(text)).hex()}


def _cef_merkle_proof(text: str, path: str) -> Answer:
    return {"proof": cef.merkle_proof(_container(text), path)}


def _cef_verify_merkle(root: str, proof: str) -> Answer:
    claimed = parse_json(proof, what="proof", limit=_MAX_PROOF_TEXT)
    return {"valid": cef.verify_merkle(_hex(root, "root", 32).hex(), claimed)}


def _bhic_verify_phi(boundary: str, bulk: str) -> Answer:
    return {"valid": bhic.verify_phi(_hex(boundary, "boundary"), _hex(bulk, "bulk"))}


def _uorid_compute(text: str) -> Answer:
    return {"id": uorid.uorid_bytes(_hex(text, "content"))}


def _proc_uorid(text: str) -> Answer:
    # Clients that compare two runtimes read the digest alone.
    identity = uorid.uorid_bytes(_hex(text, "content"))
    return {"id": identity, "digest": uorid.parse(identity).digest}


def _deframed(wire: bytes) -> Answer:
    content = ctp96_wire.deframe_bytes(wire)
    return {"valid": content is not None, "recovered": "" if content is None else content.hex()}


def _ctp96_roundtrip(text: str) -> Answer:
    wire = ctp96_wire.frame_bytes(_hex(text, "content", ctp96_wire.MAX_CONTENT_BYTES), at=datetime.now(UTC))
    return {**_deframed(wire), "frameHex": wire.hex()}


def _ctp96_deframe(text: str) -> Answer:
    return _deframed(_hex(text, "frame", MAX_FRAME_BYTES))


COMMANDS: Final[Mapping[str, Command]] = {
    "atlas:r96": Command(("an integer or a JSON list of integers",), _r96),
    "atlas:encode": Command(("hex",), _encode),
    "atlas:decode": Command(("state",), _decode),
    "atlas:verify": Command(("state",), _verify),
    "atlas:witnesses": Command(("state",), _witnesses),
    "cef:encode_hex": Command(("hex",), _cef_encode),
    "cef:decode": Command(("container hex",), _cef_decode),
    "cef:canonical": Command(("container hex",), _cef_canonical),
    "cef:merkle_proof": Command(("container hex", "path"), _cef_merkle_proof),
    "cef:verify_merkle": Command(("root hex", "proof"), _cef_verify_merkle),
    "bhic:verify_phi": Command(("boundary hex", "bulk hex"), _bhic_verify_phi),
    "uorid:compute": Command(("hex",), _uorid_compute),
    "proc:uorid_hex": Command(("hex",), _proc_uorid),
    "net:ctp96_roundtrip": Command(("hex",), _ctp96_roundtrip),
    "net:ctp96_deframe_hex": Command(("frame hex",), _ctp96_deframe),
}


def answer(call: Sequence[str]) -> Answer:
    """The answer to a command and its arguments, without `ok`.

    Raises:
        FormatError: there is no such command, the arguments are too few or many, or one of
            them is malformed or over its limit.
    """
    if not call:
        raise FormatError(f"Name a command: {', '.join(COMMANDS)}.")
    name, *arguments = call
    command = COMMANDS.get(name)
    if command is None:
        raise FormatError(f"There is no command {name[:100]!r}, only {', '.join(COMMANDS)}.")
    if len(arguments) != len(command.arguments):
        expected = ", ".join(command.arguments)
        raise FormatError(
            f"{name} takes {len(command.arguments)} ({expected}), not {len(arguments)} arguments."
        )
    return command.answer(*arguments)
