"""Blocks read beside the node: whole, checked, and never trusted when malformed."""

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError, ServiceError
from hologram_dagster.ipfs import dagpb
from hologram_dagster.ipfs.blocks import Blocks
from hologram_dagster.ipfs.cids import cid_of, cid_text, cid_v1_of, parse_cid

pytestmark = pytest.mark.phase1_core

CHUNK = 262144


def import_file(tmp_path: Path, data: bytes) -> tuple[Blocks, bytes]:
    folder = tmp_path / "upload"
    folder.mkdir()
    (folder / "file").write_bytes(data)
    blocks = Blocks(tmp_path / "repo")
    return blocks, blocks.descend(blocks.import_v1(folder), ["file"])


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7])
def test_imported_files_read_back(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    blocks, root = import_file(tmp_path, data)
    assert cid_text(root) == cid_v1_of(data)
    assert blocks.is_complete(root)
    assert blocks.file_size(root) == size
    assert b"".join(blocks.file_chunks(root)) == data
    assert not list(tmp_path.glob("*.car"))


def test_a_missing_leaf_makes_it_incomplete(tmp_path: Path) -> None:
    blocks, root = import_file(tmp_path, os.urandom(2 * CHUNK))
    leaf = blocks.children(root)[1].cid
    blocks._path(dagpb.codec_and_multihash(leaf)[1]).unlink()
    assert not blocks.is_complete(root)
    with pytest.raises(ServiceError, match="not found locally"):
        b"".join(blocks.file_chunks(root))


def test_a_damaged_block_is_refused(tmp_path: Path) -> None:
    blocks, root = import_file(tmp_path, b"the bytes that were acknowledged")
    path = blocks._path(dagpb.codec_and_multihash(root)[1])
    path.write_bytes(b"The bytes that were acknowledged")
    with pytest.raises(ServiceError, match="damaged"):
        blocks.read(root)


def test_an_identity_cid_carries_its_block(tmp_path: Path) -> None:
    inline = b"\x01\x55\x00\x05hello"
    assert Blocks(tmp_path).read(inline) == b"hello"
    assert Blocks(tmp_path).is_complete(inline)


def test_directories_are_no_files() -> None:
    directory = bytes.fromhex("0a020801")
    with pytest.raises(FormatError, match="directory"):
        dagpb.file_node(dagpb.DAG_PB, directory)
    with pytest.raises(FormatError, match="codec 0x71"):
        dagpb.links_of(0x71, b"")


@pytest.mark.phase2_5_hardening
@given(st.binary(max_size=200))
def test_malformed_bytes_are_a_format_error_at_most(noise: bytes) -> None:
    for read in (dagpb.codec_and_multihash, lambda b: dagpb.links_of(dagpb.DAG_PB, b)):
        with suppress(FormatError):
            read(noise)
    with suppress(FormatError):
        dagpb.file_node(dagpb.DAG_PB, noise)


def test_a_cid_v0_is_its_own_multihash() -> None:
    binary = bytes(parse_cid(cid_of(b"hey")))
    assert dagpb.codec_and_multihash(binary) == (dagpb.DAG_PB, binary)
