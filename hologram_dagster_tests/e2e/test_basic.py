"""Publish, install, use: green against the real services, red for everything that is wrong with them."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hologram_dagster.e2e.basic import install, publish, use
from hologram_dagster.e2e.manifests import embedded_digest
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.observation import Observation, Status
from hologram_dagster.processes import LOOPBACK, free_port
from hologram_dagster.registry.auth import Role, write_token_file
from hologram_dagster.registry.client import RegistryClient
from hologram_dagster.stack.stack import Stack
from hologram_dagster_tests.e2e.conftest import Bench, Root

pytestmark = pytest.mark.phase8_e2e

APP = "demo/app/hello"
BenchFor = Callable[..., Bench]
OtherRegistry = Callable[[str, Root | None], str]


def statuses(seen: Observation) -> dict[str, str]:
    return {finding.name: str(finding.status) for finding in seen.findings}


def why(seen: Observation, step: str) -> str:
    return next(finding.message for finding in seen.findings if finding.name == step)


def published(bench: Bench) -> dict[str, str]:
    seen = publish(bench.services, app_name=APP)
    assert seen.status is Status.PASSED, seen.why
    return dict(seen.facts)


def use_all(bench: Bench, facts: dict[str, str]) -> Observation:
    return use(bench.services, name=facts["name"], cid=facts["cid"], sha256=facts["sha256"])


def test_a_good_run_in_events_findings_and_facts(bench: Bench) -> None:
    facts = published(bench)
    installed = install(bench.services, name=facts["name"], cid=facts["cid"])
    used = use_all(bench, facts)

    assert installed.status is used.status is Status.PASSED
    assert facts["name"].startswith(f"{APP}-")
    assert len(facts["name"]) == len(APP) + 9
    assert facts["variant"] == "publishApp"
    assert (installed.kind, used.kind) == ("e2e_install", "e2e_use")
    assert list(statuses(installed)) == ["marketplace_install"]
    assert list(statuses(used)) == ["resolve", "search", "uninstall", "removal"]
    assert bench.names() == [
        *("ipfs_publish", "ipfs_publish_tampered", "marketplace_prepare", "marketplace_publish", "publish"),
        *("marketplace_install", "install", "resolve", "search", "uninstall", "use"),
    ]
    events = {event["event"]: event for event in bench.events()}
    # Base fields and their order, then the fields of contract section 3.1.
    assert list(events["ipfs_publish"]) == ["ts", "suite", "event", "cid", "name"]
    assert events["ipfs_publish"]["suite"] == "phase8"
    assert list(events["ipfs_publish_tampered"])[3:] == ["cid"]
    assert events["ipfs_publish_tampered"]["cid"] != facts["cid"]
    assert list(events["marketplace_prepare"])[3:] == ["cid", "name"]
    assert events["marketplace_publish"]["resp"]["data"]["publishApp"]["cid"] == facts["cid"]
    for name in ("marketplace_publish", "marketplace_install", "uninstall"):
        assert list(events[name])[3:] == ["variant", "resp"]
    for name in ("resolve", "search"):
        assert list(events[name])[3:] == ["resp"]


def test_the_published_manifest_is_the_contracts(bench: Bench) -> None:
    facts = published(bench)
    data = bench.services.ipfs.cat(facts["cid"])
    manifest = json.loads(data)
    assert list(manifest) == [
        *("schema", "name", "version", "created", "entrypoints", "permissions", "meta", "sha256")
    ]
    assert data == json.dumps(manifest, indent=2).encode()
    assert manifest["name"] == facts["name"]
    assert hashlib.sha256(data).hexdigest() == facts["sha256"]
    assert manifest["sha256"] == embedded_digest(manifest)
    use_all(bench, facts)


def test_the_embedded_digest_is_the_contracts() -> None:
    # By hand: compact, keys as they come, without `sha256` (contract section 3.2).
    text = '{"b":1,"a":["x"]}'
    assert embedded_digest({"b": 1, "sha256": "any", "a": ["x"]}) == hashlib.sha256(text.encode()).hexdigest()


def test_a_run_leaves_nothing_behind(bench: Bench) -> None:
    before = bench.services.ipfs.pins()
    facts = published(bench)
    install(bench.services, name=facts["name"], cid=facts["cid"])
    assert bench.services.ipfs.pins() != before
    use_all(bench, facts)
    assert bench.services.ipfs.pins() == before
    answer = bench.services.registry.execute(f'{{ resolve(name: "{facts["name"]}") {{ cid }} }}')
    assert answer == {"resolve": None}


def test_two_runs_at_once_do_not_meet(bench: Bench, bench_for: BenchFor) -> None:
    first, second = published(bench), published(bench_for())
    assert {first["name"], first["cid"]}.isdisjoint({second["name"], second["cid"]})
    assert use_all(bench, first).findings[0].status is Status.PASSED
    assert use_all(bench, second).findings[0].status is Status.PASSED


# What is changed after publishing.


def test_a_name_that_names_other_content_now_is_red(bench: Bench) -> None:
    facts = published(bench)
    other = bench.services.ipfs.add(b"another manifest")
    bench.services.registry.execute(
        f'mutation {{ publishApp(name: "{facts["name"]}", cid: "{other}") {{ cid }} }}'
    )
    seen = use_all(bench, facts)
    assert seen.status is Status.FAILED
    assert why(seen, "resolve") == f"{facts['name']} names {other} now, published was {facts['cid']}"
    assert "searchApps finds" in why(seen, "search")
    assert "use" not in bench.names()


def test_content_that_changed_under_its_cid_is_red(bench_for: BenchFor, tmp_path: Path) -> None:
    with Stack.start(tmp_path / "stack") as stack:
        bench = bench_for(stack.graphql_url, stack.ipfs_api)
        facts = published(bench)
        for block in (tmp_path / "stack" / "ipfs").rglob("*.data"):
            content = block.read_bytes()
            if facts["name"].encode() in content:
                block.chmod(0o644)
                block.write_bytes(content.replace(b"read:user", b"read:root"))
        seen = use_all(bench, facts)
    assert statuses(seen)["resolve"] == "failed"
    assert seen.status is Status.FAILED


def test_a_digest_that_is_not_the_contents_is_red(bench: Bench) -> None:
    facts = published(bench)
    seen = use_all(bench, {**facts, "sha256": "0" * 64})
    assert statuses(seen)["resolve"] == "failed"
    assert f"published were {'0' * 64}" in why(seen, "resolve")


# Services that are not there, or refuse.


def test_without_a_node_everything_fails_with_its_cause(bench_for: BenchFor) -> None:
    bench = bench_for(ipfs_api=f"http://{LOOPBACK}:{free_port()}")
    seen = publish(bench.services, app_name=APP)
    assert seen.status is Status.FAILED
    assert statuses(seen) == dict.fromkeys(
        ("ipfs_publish", "ipfs_publish_tampered", "marketplace_publish"), "failed"
    )
    assert "refused the connection" in why(seen, "ipfs_publish")
    assert why(seen, "marketplace_publish") == "not done: ipfs_publish ended as failed"
    assert "cid" not in seen.facts
    assert not bench.services.events.path.exists()


def test_without_a_registry_publishing_fails_and_leaves_no_pin(bench_for: BenchFor) -> None:
    bench = bench_for(f"http://{LOOPBACK}:{free_port()}/graphql")
    before = bench.services.ipfs.pins()
    seen = publish(bench.services, app_name=APP)
    assert seen.status is Status.FAILED
    assert statuses(seen)["ipfs_publish"] == "passed"
    assert statuses(seen)["marketplace_publish"] == "failed"
    assert "cannot reach the registry" in why(seen, "marketplace_publish")
    assert "cid" not in seen.facts
    assert bench.services.ipfs.pins() == before


def test_a_registry_killed_between_publish_and_use_fails_both(bench_for: BenchFor, tmp_path: Path) -> None:
    with Stack.start(tmp_path / "stack") as stack:
        bench = bench_for(stack.graphql_url, stack.ipfs_api)
        facts = published(bench)
        stack.registry.kill()
        installed = install(bench.services, name=facts["name"], cid=facts["cid"])
        used = use_all(bench, facts)
        pins = bench.services.ipfs.pins()
    assert installed.status is used.status is Status.FAILED
    assert statuses(used) == dict.fromkeys(("resolve", "search", "uninstall", "removal"), "failed")
    # The pin is ours to remove without the registry.
    assert facts["cid"] not in pins
    skipped = {event["event"]: event for event in bench.events() if event["event"].endswith("_skipped")}
    assert set(skipped) == {"marketplace_install_skipped", "search_skipped", "uninstall_skipped"}
    assert all("cannot reach the registry" in event["reason"] for event in skipped.values())


def test_a_node_killed_behind_the_registry_fails_and_names_ipfs(bench_for: BenchFor, tmp_path: Path) -> None:
    with Stack.start(tmp_path / "stack") as stack, IpfsNode.start(tmp_path / "own") as own:
        bench = bench_for(stack.graphql_url, own.api_url)
        stack.node.kill()
        seen = publish(bench.services, app_name=APP)
    assert statuses(seen)["marketplace_publish"] == "failed"
    assert "publishApp: the registry refused: the IPFS node" in why(seen, "marketplace_publish")


def test_a_registry_that_denies_is_failed_with_the_denial_as_the_cause(
    bench_for: BenchFor, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.json"
    write_token_file(tokens, {"r": (Role.READER, "reader-" + "x" * 20)}, mutations_need_token=True)
    with Stack.start(tmp_path / "stack", tokens=tokens) as stack:
        anonymous = publish(bench_for(stack.graphql_url, stack.ipfs_api).services, app_name=APP)
        reader = publish(
            bench_for(stack.graphql_url, stack.ipfs_api, "reader-" + "x" * 20).services, app_name=APP
        )
    for seen, cause in ((anonymous, "needs a token"), (reader, "needs the role publisher")):
        assert seen.status is Status.FAILED
        for variant in ("publishApp", "marketplacePublish", "upsertService"):
            assert f"{variant}: the registry refused: this mutation {cause}" in why(
                seen, "marketplace_publish"
            )


def test_nothing_published_is_told_and_nothing_is_asked(bench: Bench) -> None:
    installed = install(bench.services, name="", cid="")
    used = use(bench.services, name=f"{APP}-1", cid="", sha256="")
    assert installed.status is used.status is Status.ERROR
    assert statuses(used) == dict.fromkeys(("resolve", "search", "uninstall"), "error")
    assert "published nothing" in why(installed, "marketplace_install")
    assert "published nothing" in why(used, "resolve")
    assert bench.names() == ["marketplace_install_skipped", "search_skipped", "uninstall_skipped"]
    assert all(event["reason"] for event in bench.events())


def test_what_is_not_installed_cannot_be_uninstalled(bench: Bench) -> None:
    seen = use_all(bench, published(bench))
    assert statuses(seen) == {
        "resolve": "passed",
        "search": "passed",
        "uninstall": "failed",
        "removal": "passed",
    }
    assert bench.events()[-2]["event"] == "uninstall_skipped"
    assert "not installed" in bench.events()[-2]["reason"]


# Registries of other makes, with their own variants.

QUERIES = """
type Query { resolve(name: String!): R  searchApps(q: String!): [A] }
type R { encoding: String }
type A { name: String cid: String }
type P { id: String cid: String name: String }
type S { name: String status: String }
"""


def shop(**changes: Any) -> dict[str, Callable[..., Any]]:
    """The root of a registry that works, with `changes`; it does not offer `cid`, nor taking names back."""
    apps: dict[str, str] = {}

    def publish_app(name: str, cid: str) -> dict[str, str]:
        apps[name] = cid
        return {"id": "1", "name": name, "cid": cid}

    good: dict[str, Callable[..., Any]] = {
        "upsertService": publish_app,
        "appsInstall": lambda name: {"name": name, "status": "OK"},
        "installByCid": lambda cid: {"name": next(n for n, c in apps.items() if c == cid), "status": "done"},
        "appsUninstall": lambda name: {"name": name, "status": "gone"},
        "resolve": lambda name: {"encoding": f"e:{name}"} if name in apps else None,
        "searchApps": lambda q: [{"name": n, "cid": c} for n, c in apps.items() if q in n],
    }
    return {**good, **changes}


ONLY_LAST = QUERIES + (
    "type Mutation { upsertService(cid: String!, name: String!): P  appsInstall(name: String!): S"
    "  appsUninstall(name: String!): S }"
)
# `publishApp` of the strict form alone, which the basic run cannot call.
WITH_STRICT = ONLY_LAST.replace(
    "type Mutation {",
    "type Mutation { publishApp(cid: String!, name: String!, manifestCid: String!, sha256: String!): P",
)
BOTH = ONLY_LAST.replace("type Mutation {", "type Mutation { publishApp(cid: String!, name: String!): P")


@pytest.mark.parametrize("sdl", [ONLY_LAST, WITH_STRICT])
def test_variants_the_schema_has_not_lead_to_the_next(
    bench_for: BenchFor, other_registry: OtherRegistry, sdl: str
) -> None:
    bench = bench_for(other_registry(sdl, shop()))
    facts = published(bench)
    assert facts["variant"] == "upsertService"
    installed = install(bench.services, name=facts["name"], cid=facts["cid"])
    assert installed.facts["variant"] == "appsInstall"
    used = use_all(bench, facts)
    assert used.status is Status.PASSED, used.why
    assert "offers no unpublishApp, so the name" in why(used, "removal")
    assert facts["cid"] not in bench.services.ipfs.pins()


def test_a_refusal_before_the_variant_that_works_is_told(
    bench_for: BenchFor, other_registry: OtherRegistry
) -> None:
    def denied(**_: str) -> None:
        raise PermissionError("denied for you")

    bench = bench_for(other_registry(BOTH, shop(publishApp=denied)))
    seen = publish(bench.services, app_name=APP)
    assert seen.status is Status.PASSED
    assert seen.facts["variant"] == "upsertService"
    assert "publishApp: the registry refused: denied for you" in why(seen, "marketplace_publish")


def test_a_schema_without_any_variant_fails_the_step(
    bench_for: BenchFor, other_registry: OtherRegistry
) -> None:
    bench = bench_for(other_registry(QUERIES + "type Mutation { other: Int }", shop()))
    seen = publish(bench.services, app_name=APP)
    assert statuses(seen)["marketplace_publish"] == "failed"
    assert "offers none of publishApp, marketplacePublish, upsertService" in why(seen, "marketplace_publish")
    installed = install(bench.services, name="n", cid="c")
    assert installed.status is Status.FAILED
    assert "offers none of installApp, installByCid, appsInstall" in installed.why
    assert bench.names()[-1] == "marketplace_install_skipped"


def test_a_registry_without_search_or_uninstall_fails_those_steps(
    bench_for: BenchFor, other_registry: OtherRegistry
) -> None:
    sdl = (
        "type Query { resolve(name: String!): R } type R { encoding: String }"
        "type P { id: String cid: String name: String }"
        "type Mutation { upsertService(cid: String!, name: String!): P }"
    )
    bench = bench_for(other_registry(sdl, shop()))
    used = use_all(bench, published(bench))
    assert statuses(used) == {
        "resolve": "passed",
        "search": "failed",
        "uninstall": "failed",
        "removal": "passed",
    }
    assert {"search_skipped", "uninstall_skipped"} <= set(bench.names())


@pytest.mark.parametrize(
    ("changes", "step", "cause"),
    [
        (
            {"upsertService": lambda cid, name: {"cid": "QmOther", "name": name}},
            "publish",
            "answered cid QmOther",
        ),
        ({"upsertService": lambda cid, name: {"cid": cid, "name": "else"}}, "publish", "answered name else"),
        ({"upsertService": lambda cid, name: None}, "publish", "the registry answered None"),
        (
            {"appsInstall": lambda name: {"name": name, "status": "FAILED: no space"}},
            "install",
            "FAILED: no space",
        ),
        ({"appsInstall": lambda name: {"name": name, "status": ""}}, "install", "answered status ''"),
        ({"appsInstall": lambda name: {"name": name}}, "install", "answered status None"),
        ({"appsInstall": lambda name: {"name": "else", "status": "ok"}}, "install", "answered name else"),
        ({"resolve": lambda name: None}, "resolve", "resolves to no encoding: None"),
        ({"resolve": lambda name: {"encoding": ""}}, "resolve", "resolves to no encoding: ''"),
        ({"searchApps": lambda q: []}, "search", "is not among the 0 apps found"),
        ({"searchApps": lambda q: None}, "search", "searchApps answered None"),
        ({"searchApps": lambda q: [None, {"name": None}]}, "search", "is not among the 2 apps found"),
        ({"appsUninstall": lambda name: {"name": "else"}}, "uninstall", "answered name else"),
    ],
)
def test_a_wrong_answer_fails_its_step(
    bench_for: BenchFor, other_registry: OtherRegistry, changes: dict[str, Any], step: str, cause: str
) -> None:
    bench = bench_for(other_registry(ONLY_LAST, shop(**changes)))
    seen = publish(bench.services, app_name=APP)
    name = f"marketplace_{step}"
    if step != "publish":
        facts = dict(seen.facts)
        name = step
        if step == "install":
            seen, name = install(bench.services, name=facts["name"], cid=facts["cid"]), "marketplace_install"
        else:
            seen = use_all(bench, facts)
    assert seen.status is Status.FAILED
    assert statuses(seen)[name] == "failed"
    assert cause in why(seen, name)
    assert step not in ("publish", "install") or step not in bench.names()


def test_a_busy_registry_fails(bench_for: BenchFor, other_registry: OtherRegistry) -> None:
    bench = bench_for(other_registry(ONLY_LAST, None))
    seen = publish(bench.services, app_name=APP)
    assert statuses(seen)["marketplace_publish"] == "failed"
    assert "HTTP status 503" in why(seen, "marketplace_publish")


def test_a_name_still_there_after_removal_is_red(bench_for: BenchFor, other_registry: OtherRegistry) -> None:
    sdl = ONLY_LAST.replace("type Mutation {", "type Mutation { unpublishApp(name: String!): S")
    root = shop(unpublishApp=lambda name: {"name": name, "status": "sure"})
    bench = bench_for(other_registry(sdl, root))
    used = use_all(bench, published(bench))
    assert statuses(used)["removal"] == "failed"
    assert "still resolves after unpublishApp" in why(used, "removal")


def test_an_answer_with_a_secret_is_logged_without_it(
    bench_for: BenchFor, other_registry: OtherRegistry
) -> None:
    secret = "abcdef0123456789abcdef"
    root = shop(appsInstall=lambda name: {"name": name, "status": f"ok token={secret}"})
    bench = bench_for(other_registry(ONLY_LAST, root))
    facts = published(bench)
    assert install(bench.services, name=facts["name"], cid=facts["cid"]).status is Status.PASSED
    assert secret not in bench.services.events.path.read_text()
    assert bench.events()[-2]["resp"]["data"]["appsInstall"]["name"] == facts["name"]


def test_a_log_that_cannot_be_written_is_an_error_not_a_pass(bench: Bench) -> None:
    bench.services.events.path.parent.mkdir()
    bench.services.events.path.symlink_to("/dev/full")
    seen = publish(bench.services, app_name=APP)
    assert seen.status is Status.ERROR
    assert "No space left" in seen.why


@pytest.fixture(autouse=True)
def _stack_keeps_no_pins(stack: Stack) -> Any:
    """Tests that stop half-way leave pins; they are removed, so that each test counts its own."""
    yield
    with RegistryClient(stack.graphql_url) as registry:
        for app in registry.execute('{ searchApps(q: "demo/app") { name } }')["searchApps"]:
            registry.execute("mutation($n: String!) { unpublishApp(name: $n) { name } }", {"n": app["name"]})
