"""The first page: short, with real pictures of bearable size, and every document is to be found from it."""

import re
import struct
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytestmark = pytest.mark.phase0_ready

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PICTURES = re.findall(r"!\[([^\]]+)\]\(([^)]+)\)", README)


def links(document: Path) -> set[Path]:
    found = re.findall(r"\]\(([^)#]+\.md)[^)]*\)", document.read_text())
    return {(document.parent / link).resolve() for link in found if not link.startswith("http")}


def test_every_document_is_one_or_two_steps_away() -> None:
    first = links(ROOT / "README.md")
    second = set().union(*(links(document) for document in first))
    assert set((ROOT / "docs").glob("*.md")) - first - second == set()


def test_the_pictures_are_there_described_and_small() -> None:
    assert {Path(path).name for _, path in PICTURES} == {"badge.svg", "report.png", "graph.png"}
    for description, path in PICTURES:
        data = (ROOT / path).read_bytes()
        assert len(description) > 20
        assert len(data) < 200_000, path
        if path.endswith(".png"):
            width, height = struct.unpack(">II", data[16:24])
            assert data.startswith(b"\x89PNG\r\n\x1a\n")
            assert (width >= 1000, height >= 700) == (True, True), path
        else:
            assert ElementTree.fromstring(data).tag.endswith("svg")


def test_it_is_short() -> None:
    assert len(README.splitlines()) < 60
    introduction = README.partition("badge.svg)\n\n")[2].partition("\n\n")[0]
    assert len(introduction.splitlines()) == 5
