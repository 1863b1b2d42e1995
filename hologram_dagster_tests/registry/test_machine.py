"""The registry against a plain model: whatever is done, in whatever order, they say the same.

Both dialects, over HTTP against the real process and a real node, through restarts, kills and
outages of the node. About 2,000 steps; 100,000 with `-m study`.
"""

import hashlib
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hologram_dagster.ipfs.cids import cid_of
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.protocol.content import atlas_metadata, content_id
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster_tests.registry.conftest import Kubo, code_of, poster

pytestmark = [pytest.mark.phase5_graphql, pytest.mark.phase9_chaos]

CONTENT = "{ id name data metadata { mimeType checksum } witness { isValid } }"
STORE = f"mutation($n:String!,$d:String!,$m:String){{ storeContent(name:$n,data:$d,mimeType:$m) {CONTENT} }}"
UPSERT = "mutation($n:String!,$d:String!){ upsertObject(name:$n,content:$d){ id } }"
UPDATE = f"mutation($i:String!,$d:String!){{ updateContent(id:$i,data:$d) {CONTENT} }}"
DELETE = "mutation($i:String!){ deleteContent(id:$i) }"
PUBLISH = "mutation($n:String!,$c:String!){ publishApp(name:$n,cid:$c){ id cid } }"
INSTALL = "mutation($n:String!){ installApp(name:$n){ status } }"
UNINSTALL = "mutation($n:String!){ uninstallApp(name:$n){ status } }"
UNPUBLISH = "mutation($n:String!){ unpublishApp(name:$n){ status } }"
RESOLVE = f"""
query($n:String!){{
  resolve(name:$n){{ cid encoding proofChain{{ valid }} }}
  resolveContent(name:$n) {CONTENT}
}}"""
BY_ID = f"query($i:String!){{ inverseResolve(encoding:$i){{ name }} resolveByUORID(uorId:$i) {CONTENT} }}"
AT = f"query($p:Int!,$c:Int!){{ resolveByCoordinates(page:$p,cycle:$c) {CONTENT} }}"
SEARCH = "query($m:String!,$l:Int!,$o:Int!){ searchContent(mimeType:$m,limit:$l,offset:$o){ name } }"
SEARCH_APPS = "query($q:String!){ searchApps(q:$q){ name cid } }"
STATS = "{ resolutionStats { totalContent conservationViolations bijectionIntegrity } }"

NAMES, TEXTS = st.sampled_from("abcd"), st.sampled_from(["", "one", "zwei", "三", "long"])
# So many steps lie between two disturbances, which cost a second each.
CALM = 70


@dataclass(frozen=True)
class Named:
    """What the model knows of a name."""

    data: bytes
    content: bool
    mime_type: str | None = None

    @property
    def cid(self) -> str:
        return cid_of(self.data)


class Services:
    """One node and one registry, for all runs of the machine."""

    def __init__(self, node: IpfsNode, registry: RegistryProcess) -> None:
        self.node = node
        self.registry = registry
        self.kubo = Kubo(node.api_url)
        self.post = poster(registry.url)
        self.steps = 0
        self.disturbed: Counter[str] = Counter()


class Machine(RuleBasedStateMachine):
    def __init__(self, services: Services) -> None:
        super().__init__()
        self.services = services
        self.post = services.post
        self.prefix = uuid.uuid4().hex[:8]
        self.mime = f"text/x-{self.prefix}"
        # In the order of their last writing.
        self.names: dict[str, Named] = {}
        self.installed: set[str] = set()
        self.pinned: dict[str, bool] = {}
        self.ids: list[str] = []
        self.ipfs = True
        self.calm = 0

    # The model

    def named(self, letter: str) -> str:
        return f"{self.prefix}/{letter}"

    def data(self, text: str) -> str:
        # No other run has the same content, so that pins are this run's alone.
        return f"{self.prefix} {'x' * 20_000 if text == 'long' else text}"

    def id_of(self, name: str) -> str:
        return content_id(name, self.names[name].data)

    def put(self, name: str, named: Named) -> None:
        self.names.pop(name, None)
        self.names[name] = named
        self.pinned[named.cid] = True
        self.ids.append(self.id_of(name))

    def needs_node_to_remove(self, name: str) -> bool:
        cid = self.names[name].cid
        return all(other == name or named.cid != cid for other, named in self.names.items())

    def removed(self, name: str) -> None:
        if self.needs_node_to_remove(name):
            self.pinned[self.names[name].cid] = False
        del self.names[name]
        self.installed.discard(name)

    def expected(self, name: str | None) -> dict[str, Any] | None:
        named = self.names.get(name) if name else None
        if name is None or named is None or not named.content:
            return None
        return {
            "id": self.id_of(name),
            "name": name,
            "data": named.data.decode(),
            "metadata": {
                "mimeType": named.mime_type,
                "checksum": hashlib.sha256(named.data).hexdigest(),
            },
            "witness": {"isValid": True},
        }

    # Changing

    @rule(letter=NAMES, text=TEXTS, typed=st.booleans())
    def store(self, letter: str, text: str, typed: bool) -> None:
        name, data = self.named(letter), self.data(text)
        mime_type = self.mime if typed else None
        body = self.post(STORE, {"n": name, "d": data, "m": mime_type})
        if not self.ipfs:
            assert code_of(body) == "IPFS_UNAVAILABLE"
            return
        self.put(name, Named(data.encode(), content=True, mime_type=mime_type))
        assert body["data"]["storeContent"] == self.expected(name)

    @rule(letter=NAMES, text=TEXTS)
    def upsert(self, letter: str, text: str) -> None:
        name, data = self.named(letter), self.data(text)
        body = self.post(UPSERT, {"n": name, "d": data})
        if not self.ipfs:
            assert code_of(body) == "IPFS_UNAVAILABLE"
            return
        self.put(name, Named(data.encode(), content=True))
        assert body["data"]["upsertObject"]["id"] == self.id_of(name)

    @rule(letter=NAMES, text=TEXTS)
    def publish(self, letter: str, text: str) -> None:
        name, data = self.named(letter), self.data(text).encode()
        if self.ipfs:
            assert self.services.kubo.add(data) == cid_of(data)
        body = self.post(PUBLISH, {"n": name, "c": cid_of(data)})
        if not self.ipfs:
            assert code_of(body) == "IPFS_UNAVAILABLE"
            return
        self.put(name, Named(data, content=False))
        assert body["data"]["publishApp"] == {"id": self.id_of(name), "cid": cid_of(data)}

    @rule(number=st.integers(0, 30), text=TEXTS)
    def update(self, number: int, text: str) -> None:
        name, wanted = self.held(number)
        body = self.post(UPDATE, {"i": wanted, "d": self.data(text)})
        if name is None:
            assert code_of(body) == "NOT_FOUND"
        elif not self.ipfs:
            assert code_of(body) == "IPFS_UNAVAILABLE"
        else:
            mime_type = self.names[name].mime_type
            self.put(name, Named(self.data(text).encode(), content=True, mime_type=mime_type))
            assert body["data"]["updateContent"] == self.expected(name)

    @rule(number=st.integers(0, 30))
    def delete(self, number: int) -> None:
        name, wanted = self.held(number)
        body = self.post(DELETE, {"i": wanted})
        if name is not None and not self.ipfs and self.needs_node_to_remove(name):
            assert code_of(body) == "IPFS_UNAVAILABLE"
            return
        assert body["data"]["deleteContent"] is (name is not None)
        if name is not None:
            self.removed(name)

    def held(self, number: int) -> tuple[str | None, str]:
        """An id, of now or of before, and the content that has it now."""
        if not self.ids:
            return None, f"uor:sha256:{'0' * 64}"
        wanted = self.ids[-1 - number % len(self.ids)]
        names = [name for name, named in self.names.items() if named.content and self.id_of(name) == wanted]
        return (names[0] if names else None), wanted

    @rule(letter=NAMES)
    def install(self, letter: str) -> None:
        name = self.named(letter)
        body = self.post(INSTALL, {"n": name})
        if name not in self.names:
            assert code_of(body) == "NOT_FOUND"
        elif not self.ipfs:
            assert code_of(body) == "IPFS_UNAVAILABLE"
        else:
            assert body["data"]["installApp"]["status"] == "installed"
            self.installed.add(name)
            self.pinned[self.names[name].cid] = True

    @rule(letter=NAMES)
    def uninstall(self, letter: str) -> None:
        name = self.named(letter)
        body = self.post(UNINSTALL, {"n": name})
        if name not in self.installed:
            assert code_of(body) == "NOT_FOUND"
        else:
            assert body["data"]["uninstallApp"]["status"] == "uninstalled"
            self.installed.discard(name)

    @rule(letter=NAMES)
    def unpublish(self, letter: str) -> None:
        name = self.named(letter)
        body = self.post(UNPUBLISH, {"n": name})
        if name in self.names and not self.ipfs and self.needs_node_to_remove(name):
            assert code_of(body) == "IPFS_UNAVAILABLE"
            return
        assert body["data"]["unpublishApp"]["status"] == "unpublished"
        if name in self.names:
            self.removed(name)

    # Reading: the same with and without a node

    @rule(letter=NAMES)
    def resolve(self, letter: str) -> None:
        name = self.named(letter)
        found = self.post(RESOLVE, {"n": name})["data"]
        assert found["resolveContent"] == self.expected(name)
        if name not in self.names:
            assert found["resolve"] is None
            return
        assert found["resolve"]["encoding"] == self.id_of(name)
        assert found["resolve"]["cid"] == self.names[name].cid
        assert all(layer["valid"] for layer in found["resolve"]["proofChain"])

    @rule(number=st.integers(0, 30))
    def resolve_by_id(self, number: int) -> None:
        name, wanted = self.held(number)
        found = self.post(BY_ID, {"i": wanted})["data"]
        assert found["resolveByUORID"] == self.expected(name)
        having = [name for name in self.names if self.id_of(name) == wanted]
        assert found["inverseResolve"] == ({"name": having[0]} if having else None)

    @rule(text=TEXTS)
    def resolve_at(self, text: str) -> None:
        atlas = atlas_metadata("", self.data(text).encode())
        found = self.post(AT, {"p": atlas["page"], "c": atlas["cycle"]})["data"]["resolveByCoordinates"]
        there = [
            name
            for name, named in self.names.items()
            if named.content
            and atlas_metadata("", named.data)["page"] == atlas["page"]
            and atlas_metadata("", named.data)["cycle"] == atlas["cycle"]
        ]
        assert found == self.expected(there[-1] if there else None)

    @rule(limit=st.integers(0, 5), offset=st.integers(0, 3))
    def search(self, limit: int, offset: int) -> None:
        found = self.post(SEARCH, {"m": self.mime, "l": limit, "o": offset})["data"]["searchContent"]
        newest_first = [name for name, named in self.names.items() if named.mime_type == self.mime][::-1]
        assert [content["name"] for content in found] == newest_first[offset : offset + limit]

    @rule()
    def search_apps(self) -> None:
        found = self.post(SEARCH_APPS, {"q": self.prefix})["data"]["searchApps"]
        apps = [{"name": name, "cid": named.cid} for name, named in self.names.items() if not named.content]
        assert found == apps[::-1]

    @rule()
    def stats(self) -> None:
        assert self.post(STATS)["data"]["resolutionStats"] == {
            "totalContent": sum(named.content for named in self.names.values()),
            "conservationViolations": 0,
            "bijectionIntegrity": 1.0,
        }

    @precondition(lambda self: self.ipfs)
    @rule(text=TEXTS)
    def pins(self, text: str) -> None:
        cid = cid_of(self.data(text).encode())
        assert self.services.kubo.pinned(cid) is self.pinned.get(cid, False)

    # Disturbing

    @precondition(lambda self: self.calm >= CALM)
    @rule(kind=st.sampled_from(["restart", "kill", "node"]))
    def disturb(self, kind: str) -> None:
        self.calm = 0
        self.services.disturbed[kind] += 1
        if kind == "node":
            self.ipfs = not self.ipfs
            if self.ipfs:
                self.services.node.restart()
            else:
                self.services.node.kill()
            return
        if kind == "kill":
            self.services.registry.kill()
        self.services.registry.restart()

    @precondition(lambda self: not self.ipfs and self.calm >= CALM // 2)
    @rule()
    def bring_the_node_back(self) -> None:
        self.services.node.restart()
        self.ipfs, self.calm = True, 0

    @invariant()
    def one_step_more(self) -> None:
        self.calm += 1
        self.services.steps += 1

    def teardown(self) -> None:
        if not self.ipfs:
            self.services.node.restart()
        for name in self.names:
            assert "errors" not in self.post(UNPUBLISH, {"n": name})
        for named in self.names.values():
            assert not self.services.kubo.pinned(named.cid)
        assert self.post(STATS)["data"]["resolutionStats"]["totalContent"] == 0


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder = tmp_path_factory.mktemp("machine")
    with (
        IpfsNode.start(folder / "node") as node,
        RegistryProcess.start(folder / "registry", ipfs_api=node.api_url) as registry,
    ):
        yield Services(node, registry)


def run(services: Services, *, steps: int, derandomize: bool) -> None:
    """At least `steps` steps; a run of the machine has 200, some fewer."""
    before = services.steps
    while services.steps - before < steps:
        run_state_machine_as_test(
            lambda: Machine(services),  # type: ignore[arg-type]  # any factory serves
            settings=settings(
                max_examples=11,
                stateful_step_count=200,
                derandomize=derandomize,
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                # A failing run is told as it was: making it smaller would take many restarts.
                phases=[Phase.generate],
            ),
        )
    assert services.disturbed.keys() == {"restart", "kill", "node"}
    assert "Traceback" not in services.registry.log.read_text()


def test_the_registry_never_diverges_from_the_model(services: Services) -> None:
    run(services, steps=2_000, derandomize=True)


@pytest.mark.study
@pytest.mark.timeout(6 * 3600)
def test_nor_does_it_in_a_hundred_thousand_steps(services: Services) -> None:
    run(services, steps=100_000, derandomize=False)
