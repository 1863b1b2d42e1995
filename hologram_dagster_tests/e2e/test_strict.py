"""The strict form: green against the reference, red for each thing it demands."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from hologram_dagster.e2e.strict import strict
from hologram_dagster.observation import Observation, Status
from hologram_dagster.processes import LOOPBACK, free_port
from hologram_dagster_tests.e2e.conftest import Bench, Root

pytestmark = [pytest.mark.phase8_e2e, pytest.mark.strict]

STEPS = ["ipfs_add_file", "ipfs_add_manifest", "publishApp", "resolve", "tamper_manifest", "resolve_repeat"]
BenchFor = Callable[..., Bench]
OtherRegistry = Callable[[str, Root | None], str]


def statuses(seen: Observation) -> dict[str, str]:
    return {finding.name: str(finding.status) for finding in seen.findings}


def test_a_good_run(bench: Bench) -> None:
    before = bench.services.ipfs.pins()
    seen = strict(bench.services)
    assert (seen.kind, seen.status) == ("e2e_strict", Status.PASSED)
    assert list(statuses(seen)) == [*STEPS, "removal"]
    assert bench.names() == [
        *("ipfs_add_file", "ipfs_add_manifest", "publishApp", "tamper_manifest", "resolve_repeat")
    ]
    file, manifest, published, tampered, repeated = bench.events()
    assert list(file)[3:] == list(manifest)[3:] == ["cid", "sha256"]
    assert list(published)[3:] == ["resp"]
    assert list(tampered)[3:] == ["original", "tampered"]
    assert list(repeated)[3:] == ["cid"]
    assert published["resp"]["data"]["publishApp"] == {
        "ok": True,
        "name": seen.facts["name"],
        "cid": file["cid"],
        "manifestCid": manifest["cid"],
    }
    assert tampered["original"] == manifest["cid"] != tampered["tampered"]
    assert seen.facts["name"].startswith("docs/strict-")
    assert bench.services.ipfs.pins() == before
    answer = bench.services.registry.execute(f'{{ resolve(name: "{seen.facts["name"]}") {{ cid }} }}')
    assert answer == {"resolve": None}


SDL = """
type Query { resolve(name: String!): R }
type R { name: String cid: String manifestCid: String encoding: String proofs: Proofs }
type Proofs { merkleRoot: String witnesses: [String] }
type P { ok: Boolean name: String cid: String manifestCid: String }
type Mutation { publishApp(name: String!, cid: String!, manifestCid: String!, sha256: String!): P }
"""


class Shop:
    """A registry of another make that works, but for the fields of its answers in `changes`."""

    def __init__(self, published: dict[str, Any], resolved: dict[str, Any], repeated: dict[str, Any]):
        self.changes = published, resolved, repeated
        self.resolves = 0
        self.sha256 = ""
        self.known: dict[str, str] = {}

    def publish(self, name: str, cid: str, manifestCid: str, sha256: str) -> dict[str, Any]:  # noqa: N803
        self.known = {"name": name, "cid": cid, "manifestCid": manifestCid}
        self.sha256 = sha256
        return {"ok": True, **self.known, **self.changes[0]}

    def resolve(self, name: str) -> dict[str, Any]:
        self.resolves += 1
        proofs = {"merkleRoot": "r", "witnesses": ["w"]}
        good = {**self.known, "encoding": "e", "proofs": proofs}
        return {**good, **self.changes[1 if self.resolves == 1 else 2]}

    @property
    def root(self) -> Root:
        return {"publishApp": self.publish, "resolve": self.resolve}


@pytest.mark.parametrize(
    ("published", "resolved", "repeated", "step", "cause"),
    [
        ({"ok": False}, {}, {}, "publishApp", "ok = False"),
        ({"ok": None}, {}, {}, "publishApp", "ok = None"),
        ({"cid": "Qm"}, {}, {}, "publishApp", "answered cid Qm"),
        ({"manifestCid": None}, {}, {}, "publishApp", "answered manifestCid None"),
        ({}, {"name": "else"}, {}, "resolve", "answered name else"),
        ({}, {"cid": "Qm"}, {}, "resolve", "answered cid Qm"),
        ({}, {"manifestCid": "Qm"}, {}, "resolve", "answered manifestCid Qm"),
        ({}, {"encoding": ""}, {}, "resolve", "encoding is ''"),
        ({}, {"proofs": None}, {}, "resolve", "merkleRoot is None"),
        ({}, {"proofs": {"merkleRoot": "r", "witnesses": []}}, {}, "resolve", r"witnesses is []"),
        ({}, {}, {"cid": "Qm"}, "resolve_repeat", "the second resolve answered cid Qm"),
        ({}, {}, {"encoding": "f"}, "resolve_repeat", "answered encoding f, the first e"),
    ],
)
def test_each_demand_is_one_step_that_fails(
    bench_for: BenchFor,
    other_registry: OtherRegistry,
    published: dict[str, Any],
    resolved: dict[str, Any],
    repeated: dict[str, Any],
    step: str,
    cause: str,
) -> None:
    bench = bench_for(other_registry(SDL, Shop(published, resolved, repeated).root))
    before = bench.services.ipfs.pins()
    seen = strict(bench.services)
    assert seen.status is Status.FAILED
    at = STEPS.index(step)
    assert list(statuses(seen).values()) == ["passed"] * at + ["failed"] * (len(STEPS) - at) + ["passed"]
    assert cause in seen.why
    # What follows a failed step is not done, and says so.
    assert all("not done" in f.message for f in seen.findings[at + 1 : len(STEPS)])
    assert bench.services.ipfs.pins() == before


def test_the_digest_given_is_the_manifests(bench_for: BenchFor, other_registry: OtherRegistry) -> None:
    shop = Shop({}, {}, {})
    bench = bench_for(other_registry(SDL, shop.root))
    assert strict(bench.services).status is Status.PASSED
    manifest = next(event for event in bench.events() if event["event"] == "ipfs_add_manifest")
    assert shop.sha256 == manifest["sha256"]
    content = bench.services.ipfs.cat(manifest["cid"])
    fields = json.loads(content)
    assert content == json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    assert set(fields) == {"name", "kind", "mime", "size", "sha256", "cid", "version", "ts"}


def test_there_is_no_fallback(bench_for: BenchFor, other_registry: OtherRegistry) -> None:
    sdl = SDL.replace(", manifestCid: String!, sha256: String!", "")
    seen = strict(bench_for(other_registry(sdl, Shop({}, {}, {}).root)).services)
    assert statuses(seen)["publishApp"] == "failed"
    assert "Unknown argument" in seen.why


def test_services_that_are_not_there_fail(bench_for: BenchFor) -> None:
    nowhere = f"http://{LOOPBACK}:{free_port()}"
    without_node = strict(bench_for(ipfs_api=nowhere).services)
    assert without_node.status is Status.FAILED
    assert list(statuses(without_node).items()) == [(step, "failed") for step in STEPS]
    without_registry = strict(bench_for(f"{nowhere}/graphql").services)
    assert without_registry.status is Status.FAILED
    assert statuses(without_registry)["ipfs_add_manifest"] == "passed"
    assert statuses(without_registry)["publishApp"] == "failed"
