"""What operations carry: absent, right, and wrong in every way, over real HTTP, in both modes."""

import copy
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hologram_dagster.errors import HologramError
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.protocol.nonce import frame, mint_authenticated
from hologram_dagster.protocol.operation import Operation, extensions_of
from hologram_dagster.protocol.proof_chain import attach
from hologram_dagster.protocol.signing import Signer
from hologram_dagster.registry.client import RegistryClient, RegistryError
from hologram_dagster.registry.operation_keys import KeyState, OperationKeys, write_operation_keys
from hologram_dagster.registry.operator import Operator, operating_as
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster_tests.postgres import POSTGRESQL, running_postgres
from hologram_dagster_tests.registry.conftest import HTTP

pytestmark = pytest.mark.phase4_network

STORE = "mutation($n: String!, $c: String!) { upsertObject(name: $n, content: $c) { name } }"
READ = "query($n: String!) { resolve(name: $n) { name } }"
OWN, RETIRED, REVOKED, STRANGER = (Signer(Ed25519PrivateKey.generate()) for _ in range(4))
STATES = {
    OWN.public_hex: KeyState.ACTIVE,
    RETIRED.public_hex: KeyState.RETIRED,
    REVOKED.public_hex: KeyState.REVOKED,
}


@dataclass(frozen=True, slots=True)
class Regions:
    """Two registries on one database, and the keys they share with clients."""

    one: RegistryProcess
    two: RegistryProcess
    keys: OperationKeys

    def signed(self, name: str, *, signer: Signer = OWN, now: float | None = None) -> dict[str, Any]:
        at = time.time() if now is None else now
        variables = {"n": name, "c": "x"}
        extensions = extensions_of(Operation(STORE, variables), signer, now=at, nonce_key=self.keys.nonce_key)
        return {"query": STORE, "variables": variables, "extensions": extensions}


@pytest.fixture(scope="module", params=["sqlite", POSTGRESQL])
def strict(
    request: pytest.FixtureRequest, node: IpfsNode, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Regions]:
    folder = tmp_path_factory.mktemp("strict")
    keys = write_operation_keys(folder / "keys.json", STATES)

    def regions(database: str) -> Iterator[Regions]:
        def start(name: str) -> RegistryProcess:
            return RegistryProcess.start(
                folder / name,
                ipfs_api=node.api_url,
                database=database,
                operation_keys=folder / "keys.json",
                strict=True,
            )

        with start("one") as one, start("two") as two:
            yield Regions(one, two, keys)

    if request.param == "postgresql":
        with running_postgres(folder) as url:
            yield from regions(url)
    else:
        yield from regions(f"sqlite:///{folder / 'shared.sqlite'}")


def send(registry: RegistryProcess, body: dict[str, Any]) -> tuple[int, str]:
    """Status and code of an answer; `done` for one without errors."""
    answer: httpx.Response = HTTP.post(registry.url, json=body)
    errors = answer.json().get("errors")
    return answer.status_code, errors[0]["extensions"]["code"] if errors else "done"


def test_an_operation_is_done_once_in_all_regions_and_after_a_restart(strict: Regions) -> None:
    body = strict.signed("a")
    assert send(strict.one, body) == (200, "done")
    for registry in (strict.one, strict.two):
        assert send(registry, body) == (409, "replay_detected")
    strict.one.kill()
    strict.one.restart()
    assert send(strict.one, body) == (409, "replay_detected")
    assert send(strict.two, strict.signed("a")) == (200, "done")


def test_of_copies_that_race_in_two_regions_exactly_one_is_done(strict: Regions) -> None:
    body = strict.signed("race")
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda number: send((strict.one, strict.two)[number % 2], body), range(16)))
    assert seen.count((200, "done")) == 1
    assert set(seen) == {(200, "done"), (409, "replay_detected")}


def test_the_clocks_limits(strict: Regions) -> None:
    now = time.time()
    assert send(strict.one, strict.signed("b", now=now - 400)) == (400, "outside_window")
    assert send(strict.one, strict.signed("b", now=now + 90)) == (400, "outside_window")
    assert send(strict.one, strict.signed("b", now=now - 200)) == (200, "done")


Change = Callable[[dict[str, Any]], object]


def put(*path: str, value: object) -> Change:
    def change(body: dict[str, Any]) -> None:
        for step in path[:-1]:
            body = body[step]
        body[path[-1]] = value

    return change


FRAME, PROOF = ("extensions", "ctp96"), ("extensions", "proof_chain")
TAMPERED: dict[str, tuple[Change, int, str]] = {
    "no extensions": (lambda body: body.pop("extensions"), 401, "missing_frame"),
    "no frame": (lambda body: body["extensions"].pop("ctp96"), 401, "missing_frame"),
    "no proof": (lambda body: body["extensions"].pop("proof_chain"), 401, "missing_proof"),
    "frame is a list": (put(*FRAME, value=[]), 400, "malformed"),
    "proof is a text": (put(*PROOF, value="x"), 401, "missing_proof"),
    "variables": (put("variables", "c", value="y"), 400, "hash_mismatch"),
    "query": (put("query", value=STORE + " "), 400, "hash_mismatch"),
    "frame data": (put(*FRAME, "data", value="x"), 400, "hash_mismatch"),
    "frame nonce": (put(*FRAME, "nonce", value="0" * 16 + "_1"), 400, "malformed"),
    "frame timestamp": (put(*FRAME, "timestamp", value=1), 400, "malformed"),
    "frame protocol": (put(*FRAME, "protocol", value="ctp95"), 400, "malformed"),
    "frame has more": (put(*FRAME, "more", value=1), 400, "hash_mismatch"),
    "proof hash": (put(*PROOF, "hash", value="0" * 64), 400, "hash_mismatch"),
    "proof order": (put(*PROOF, "order_hash", value="0" * 64), 400, "hash_mismatch"),
    "proof time": (put(*PROOF, "timestamp", value=1), 401, "bad_signature"),
    "proof signature": (put(*PROOF, "signature", value="0" * 128), 401, "bad_signature"),
    "proof key": (put(*PROOF, "public_key", value=STRANGER.public_hex), 401, "bad_signature"),
    "proof key id": (put(*PROOF, "key_id", value="0" * 16), 401, "bad_signature"),
    "proof validator": (put(*PROOF, "validator", value="x"), 400, "malformed"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_was_changed_is_refused_and_burns_nothing(strict: Regions, what: str) -> None:
    change, status, code = TAMPERED[what]
    genuine = strict.signed("c")
    changed = copy.deepcopy(genuine)
    change(changed)
    assert send(strict.one, changed) == (status, code)
    assert send(strict.one, genuine) == (200, "done")


@pytest.mark.parametrize(
    ("signer", "code"),
    [(STRANGER, "untrusted_key"), (RETIRED, "untrusted_key"), (REVOKED, "revoked_key")],
)
def test_whose_signature_does_not_count(strict: Regions, signer: Signer, code: str) -> None:
    assert send(strict.one, strict.signed("d", signer=signer)) == (403, code)


def test_a_nonce_by_who_has_not_the_key_and_one_with_another_operation(strict: Regions) -> None:
    genuine = strict.signed("e")
    data = genuine["extensions"]["ctp96"]["data"]
    minted = mint_authenticated(data.encode(), bytes(32), time.time())
    forged = copy.deepcopy(genuine)
    forged["extensions"]["ctp96"]["nonce"] = minted
    forged["extensions"]["ctp96"]["timestamp"] = int(minted.split("_")[1])
    assert send(strict.one, forged) == (400, "hash_mismatch")
    forged["extensions"]["ctp96"] = frame(data, time.time())
    assert send(strict.one, forged) == (400, "malformed")
    other = strict.signed("f")
    other["extensions"] = genuine["extensions"]
    assert send(strict.one, other) == (400, "hash_mismatch")
    # A proof from another sending of the same operation is not over this frame.
    other = strict.signed("e")
    other["extensions"]["proof_chain"] = genuine["extensions"]["proof_chain"]
    assert send(strict.one, other) == (400, "hash_mismatch")


def test_queries_need_nothing_and_what_they_carry_is_checked(strict: Regions) -> None:
    body = {"query": READ, "variables": {"n": "a"}}
    assert send(strict.one, body) == (200, "done")
    assert send(strict.one, {**body, "extensions": strict.signed("a")["extensions"]}) == (
        400,
        "hash_mismatch",
    )
    assert send(strict.one, {**body, "extensions": {"others": 1}}) == (200, "done")
    assert send(strict.one, {**body, "extensions": []}) == (400, "BAD_REQUEST")


def test_the_meters_tell_what_came(strict: Regions) -> None:
    def meters() -> dict[str, Any]:
        told: dict[str, Any] = HTTP.get(strict.two.url.replace("/graphql", "/metrics")).json()["nonces"]
        return told

    before, now = meters(), time.time()
    for at in (now - 400, now + 90):
        send(strict.two, strict.signed("m", now=at))
    body = strict.signed("m")
    send(strict.two, body)
    send(strict.two, body)
    after = meters()
    assert {name: after[name] - before[name] for name in ("tooOld", "inFuture", "replayed")} == {
        "tooOld": 1,
        "inFuture": 1,
        "replayed": 1,
    }
    assert after["age"]["+Inf"] - before["age"]["+Inf"] == 4
    assert after["age"]["300.0"] - before["age"]["300.0"] == 3
    assert after["safeRate"] == pytest.approx(1_000_000 / 331)
    text = HTTP.get(strict.two.url.replace("/graphql", "/metrics/prometheus")).text
    assert f'hologram_registry_nonces_refused_total{{reason="replayed"}} {after["replayed"]:.1f}' in text
    assert "hologram_registry_nonce_age_seconds_bucket" in text
    assert "hologram_registry_nonce_safe_rate" in text


def test_the_gates_client_signs_where_the_registry_asks_for_it(
    strict: Regions, registry: RegistryProcess
) -> None:
    with RegistryClient(strict.one.url) as client:
        with pytest.raises(RegistryError, match="HOLOGRAM_OPERATION_KEYS") as refused:
            client.execute(STORE, {"n": "g", "c": "x"})
        assert refused.value.code == "missing_frame"
        with operating_as(Operator(OWN, strict.keys.nonce_key)):
            for _ in range(2):
                assert client.execute(STORE, {"n": "g", "c": "x"}) == {"upsertObject": {"name": "g"}}
            # This one has no keys, and takes what is sent without.
            with RegistryClient(registry.url) as other:
                assert other.execute(STORE, {"n": "g", "c": "x"}) == {"upsertObject": {"name": "g"}}
        assert client.execute("{ operationSecurity { mode } }") == {"operationSecurity": {"mode": "required"}}


def test_the_optional_registry_takes_the_contracts_forms_and_nothing_wrong(registry: RegistryProcess) -> None:
    operation = Operation(STORE, {"n": f"optional/{time.time_ns()}", "c": "x"})
    now = time.time()
    framed = frame(operation.data(), now)
    by_contract = attach(operation.proven_by_contract(), STRANGER, now=int(now))
    body = {
        "query": STORE,
        "variables": operation.variables,
        "extensions": {"ctp96": framed, "proof_chain": by_contract["proof_chain"]},
    }
    assert send(registry, {**body, "variables": {"n": "other", "c": "x"}}) == (400, "hash_mismatch")
    assert send(registry, body) == (200, "done")
    assert send(registry, body) == (409, "replay_detected")
    assert send(registry, {**body, "extensions": {"proof_chain": by_contract["proof_chain"]}}) == (
        200,
        "done",
    )
    assert send(registry, {**body, "extensions": None}) == (200, "done")
    keyed = extensions_of(operation, STRANGER, now=now, nonce_key=bytes(32))
    assert send(registry, {**body, "extensions": keyed}) == (400, "malformed")


def test_strict_needs_keys(node: IpfsNode, tmp_path: Path) -> None:
    with pytest.raises(HologramError, match="--strict needs --operation-keys"):
        RegistryProcess.start(tmp_path, ipfs_api=node.api_url, strict=True)
