"""The manifests that end-to-end runs publish, to the byte (contract sections 3.2 and 3.3)."""

import hashlib
import json
import time
from typing import Any

SCHEMA = "https://hologram.foundation/schemas/service"


def embedded_digest(manifest: dict[str, Any]) -> str:
    """sha256 (hex) of the compact JSON of `manifest` without its `sha256`, keys in their order."""
    content = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()


def demo_manifest(name: str) -> bytes:
    """The manifest of a demo app called `name`, with its digest embedded, as the file that is stored."""
    manifest: dict[str, Any] = {
        "schema": SCHEMA,
        "name": name,
        "version": "1.0.0",
        "created": int(time.time()),
        "entrypoints": {"default": "main"},
        "permissions": ["read:user"],
        "meta": {"kind": "demo", "phase": "8"},
    }
    manifest["sha256"] = embedded_digest(manifest)
    return json.dumps(manifest, indent=2).encode()


def strict_manifest(name: str, content: bytes, cid: str) -> bytes:
    """The manifest of a document: sorted keys, compact, with size, digest and CID of `content`."""
    manifest = {
        "name": name,
        "kind": "document",
        "mime": "text/plain",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "cid": cid,
        "version": 1,
        "ts": int(time.time()),
    }
    return json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()


def flipped(data: bytes) -> bytes:
    """`data` with one bit changed: byte 0 xor 1."""
    return bytes([data[0] ^ 1]) + data[1:]
