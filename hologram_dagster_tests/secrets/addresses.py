"""Names that are no secrets, whatever they look like: content addresses, digests, nonces, ids."""

import base64
import hashlib
import random
import uuid

from multiformats import CID, multibase

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def addresses(number: int, seed: int = 7) -> list[str]:
    """`number` of them, every sort about equally often, made anew from `seed`."""
    rng = random.Random(seed)
    return [SORTS[each % len(SORTS)](rng) for each in range(number)]


def _cid(rng: random.Random, base: str, codec: str, version: int = 1) -> str:
    digest = hashlib.sha256(rng.randbytes(32)).digest()
    return str(CID(base, version, codec, ("sha2-256", digest)))


def _did(rng: random.Random) -> str:
    return "did:key:" + multibase.encode(b"\xed\x01" + rng.randbytes(32), "base58btc")


def _ipns(rng: random.Random) -> str:
    return str(CID("base36", 1, "libp2p-key", ("identity", b"\x08\x01\x12\x20" + rng.randbytes(32))))


def _nonce(rng: random.Random) -> str:
    return f"{1_700_000_000 + rng.randrange(10**8)}-{rng.randbytes(8).hex()}"


SORTS = (
    lambda rng: _cid(rng, "base58btc", "dag-pb", 0),
    lambda rng: _cid(rng, "base32", "dag-pb"),
    lambda rng: _cid(rng, "base32", "raw"),
    lambda rng: rng.randbytes(32).hex(),
    lambda rng: rng.randbytes(20).hex(),
    lambda rng: f"sha256:{rng.randbytes(32).hex()}",
    lambda rng: f"uor:v1:r{rng.randrange(96)}:{rng.randbytes(32).hex()}",
    _did,
    lambda rng: f"did:web:{rng.randbytes(4).hex()}.example",
    _nonce,
    lambda rng: rng.randbytes(12).hex(),
    _ipns,
    lambda rng: "12D3KooW" + "".join(rng.choices(BASE58, k=44)),
    lambda rng: str(uuid.UUID(bytes=rng.randbytes(16), version=4)),
    lambda rng: "sha256-" + base64.b64encode(rng.randbytes(32)).decode(),
)

# How logs, evidence and manifests write them.
FORMS = (
    "cid {}",
    "cid: {}",
    "key={} ok",
    '{{"merkleRoot": "{}", "n": 1}}',
    "'digest': '{}',",
    "GET /ipfs/{}?pin=true&n=1 HTTP/1.1",
    "nonce={}",
    "  - {}",
    'manifestCid = "{}"',
    "<a href='ipfs://{}'>",
)


def lines(number: int, seed: int = 7) -> list[str]:
    """`number` lines with an address in each."""
    return [FORMS[at % len(FORMS)].format(each) for at, each in enumerate(addresses(number, seed))]
