"""What a manifest says is checked against the content, field by field."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.registry.faults import Code, RefusedError
from hologram_dagster.registry.manifests import check_embedded, check_strict

pytestmark = pytest.mark.phase8_e2e

CONTENT = b"Strict E2E demo 0a1b2c3d @ 1757843118\n"
CID = "QmTheContentsCid"


def strict_manifest(**changes: Any) -> bytes:
    fields = {
        "name": "docs/strict-0a1b2c3d",
        "kind": "document",
        "mime": "text/plain",
        "size": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "cid": CID,
        "version": 1,
        "ts": 1757843118,
        **changes,
    }
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def embedded(fields: dict[str, Any], *, ascii_only: bool = True, indent: int | None = 2) -> bytes:
    digest = hashlib.sha256(
        json.dumps(fields, separators=(",", ":"), ensure_ascii=ascii_only).encode()
    ).hexdigest()
    return json.dumps({**fields, "sha256": digest}, indent=indent, ensure_ascii=ascii_only).encode()


DEMO = {
    "schema": "https://hologram.foundation/schemas/service",
    "name": "demo/app/hello",
    "version": "1.0.0",
    "created": 1757843118,
    "entrypoints": {"default": "main"},
    "permissions": ["read:user"],
    "meta": {"kind": "demo", "phase": "8"},
}


@pytest.mark.parametrize("digest", [None, hashlib.sha256(strict_manifest()).hexdigest()])
def test_a_fitting_manifest_passes(digest: str | None) -> None:
    check_strict(strict_manifest(), digest=digest, cid=CID, content=CONTENT)


@pytest.mark.parametrize(
    ("manifest", "field"),
    [
        (strict_manifest(cid="QmAnother"), "cid"),
        (strict_manifest(size=len(CONTENT) + 1), "size"),
        (strict_manifest(size=float(len(CONTENT))), "size"),
        (strict_manifest(size=str(len(CONTENT))), "size"),
        (strict_manifest(sha256="0" * 64), "sha256"),
        (json.dumps({"cid": CID, "size": len(CONTENT)}).encode(), "sha256"),
        (b"[1]", "JSON object"),
        (b"not json", "JSON object"),
        (b"[" * 100_000, "JSON object"),
        (b"\xff\xfe", "JSON object"),
        (b'{"cid":"a",' + strict_manifest()[1:], "twice"),
    ],
)
def test_each_misfit_is_named(manifest: bytes, field: str) -> None:
    with pytest.raises(RefusedError, match=field) as refused:
        check_strict(manifest, digest=None, cid=CID, content=CONTENT)
    assert refused.value.code is Code.BAD_MANIFEST


def test_the_digest_argument_is_the_manifests() -> None:
    contents = hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(RefusedError, match="not the digest of the manifest"):
        check_strict(strict_manifest(), digest=contents, cid=CID, content=CONTENT)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_manifest_that_carries_its_digest_passes(ascii_only: bool, indent: int | None) -> None:
    assert check_embedded(embedded({**DEMO, "name": "größe"}, ascii_only=ascii_only, indent=indent))


@pytest.mark.parametrize(
    "change", [{"version": "1.0.1"}, {"sha256": None}, {"sha256": "0" * 64}, {"sha256": 1}, {"more": 1}]
)
def test_a_changed_manifest_is_refused(change: dict[str, Any]) -> None:
    altered = json.dumps({**json.loads(embedded(DEMO)), **change}).encode()
    with pytest.raises(RefusedError) as refused:
        check_embedded(altered)
    assert refused.value.code is Code.BAD_MANIFEST


@pytest.mark.parametrize(
    "content", [b"Hello Hologram", b"", b"{}", b'{"sha256":"x"}', b'{"schema":"x"}', b"\xff", b"[]", b"1"]
)
def test_other_content_is_no_manifest(content: bytes) -> None:
    assert not check_embedded(content)


@given(
    st.dictionaries(
        st.text(max_size=5).filter(lambda key: key != "sha256"),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
            ),
            max_leaves=5,
        ),
        max_size=4,
    ),
    st.integers(min_value=0),
)
def test_any_flipped_bit_of_a_manifest_is_seen_or_makes_it_none(fields: dict[str, Any], where: int) -> None:
    good = embedded({"schema": "s", **fields}, indent=None)
    assert check_embedded(good)
    changed = bytearray(good)
    changed[where % len(good)] ^= 1
    try:
        value = json.loads(bytes(changed))
    except ValueError:
        value = None
    try:
        verdict = check_embedded(bytes(changed))
    except RefusedError:
        return
    # Accepted only where it is no manifest any more, or spells the very same value.
    assert not verdict or value == json.loads(good)
