"""Hostile names, manifests and queries over HTTP: each is done or refused with a reason, never a 500."""

import hashlib
import json
import uuid
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from graphql import get_introspection_query

from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster_tests.registry.conftest import HTTP, Kubo, Post, code_of

pytestmark = [pytest.mark.phase7_security, pytest.mark.phase2_5_hardening]

STORE = "mutation($n:String!,$d:String!){ storeContent(name:$n,data:$d){ id name } }"
WRITES = {
    "storeContent": STORE,
    "upsertObject": "mutation($n:String!,$d:String!){ upsertObject(name:$n,content:$d){ id name } }",
    "publishApp": "mutation($n:String!,$d:String!){ publishApp(name:$n,cid:$d){ id name } }",
}
READS = {
    "resolve": "query($n:String!){ resolve(name:$n){ name } }",
    "resolveContent": "query($n:String!){ resolveContent(name:$n){ name } }",
}


@pytest.fixture(autouse=True)
def harmless(registry: RegistryProcess) -> Any:
    yield
    assert HTTP.get(urljoin(registry.url, "/ready")).json()["status"] == "ready"
    assert "Traceback" not in registry.log.read_text()


def ask(registry: RegistryProcess, query: Any, variables: Any = None) -> httpx.Response:
    content = json.dumps({"query": query, "variables": variables})
    answer = HTTP.post(registry.url, content=content, headers={"content-type": "application/json"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "Traceback" not in answer.text
    return answer


REFUSED_NAMES = {
    "empty": "",
    "up": "..",
    "up and over": "../../../etc/passwd",
    "hidden up": "demo/../secret",
    "absolute": "/etc/passwd",
    "UNC": "\\\\host\\share",
    "drive": "C:\\Windows\\win.ini",
    "null": "demo\x00.txt",
    "newline": "demo\r\nset-cookie: x",
    "escape": "\x1b[2J\x1b[31mred",
    "bell": "\x07",
    "delete": "a\x7f",
    "right-to-left override": "demo/\u202egpj.exe",
    "right-to-left mark": "demo/\u200fx",
    "Arabic letter mark": "a\u061cb",
    "isolates": "\u2067a\u2069",
    "zero width": "pay\u200bpal",
    "byte order mark": "\ufeffdemo",
    "soft hyphen": "de\u00admo",
    "line separator": "a\u2028b",
    "tags": "a\U000e0041",
    "private use": "\ue000",
    "half a pair": "\udfff",
    "unassigned": "\U0003fffe",
    "decomposed": "cafe\u0301",
    "too long": "x" * 513,
    "900 kB": "x" * 900_000,
}
KEPT_NAMES = {
    "script": "<script>alert(1)<",
    "image": '<img src=x onerror="alert(1)">',
    "SQL": "'; DROP TABLE names; --",
    "format": "%s%n{0}${jndi:ldap:x}",
    "GraphQL": '") { name } }',
    "JSON": '{"__proto__": {"a": 1}}',
    "Arabic": "\u0645\u0631\u062d\u0628\u0627",
    "emoji": "\U0001f600",
    "dots": "a...b/.hidden",
}


@pytest.mark.parametrize("write", list(WRITES))
@pytest.mark.parametrize("name", list(REFUSED_NAMES))
def test_a_name_that_deceives_is_refused(registry: RegistryProcess, name: str, write: str) -> None:
    variables = {"n": REFUSED_NAMES[name], "d": "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"}
    answer = ask(registry, WRITES[write], variables)
    assert answer.status_code == 200
    assert code_of(answer.json()) == "BAD_REQUEST"
    # The reason is short, whatever the name was.
    assert len(answer.content) < 1_000
    for read, query in READS.items():
        assert ask(registry, query, variables).json()["data"][read] is None


@pytest.mark.parametrize("name", list(KEPT_NAMES))
def test_a_name_that_is_only_odd_comes_back_as_it_was(registry: RegistryProcess, name: str) -> None:
    odd = f"{uuid.uuid4().hex} {KEPT_NAMES[name]}"
    for write in ("storeContent", "upsertObject"):
        body = ask(registry, WRITES[write], {"n": odd, "d": odd}).json()
        assert body["data"][write]["name"] == odd
    for read, query in READS.items():
        assert ask(registry, query, {"n": odd}).json()["data"][read]["name"] == odd


def test_a_name_of_a_megabyte_is_too_large_a_request(registry: RegistryProcess) -> None:
    answer = ask(registry, STORE, {"n": "x" * (1 << 20), "d": ""})
    assert answer.status_code == 413
    assert code_of(answer.json()) == "BAD_REQUEST"


def strict(of: str, content: bytes, **changes: Any) -> bytes:
    fields = {"cid": of, "size": len(content), "sha256": hashlib.sha256(content).hexdigest(), **changes}
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


CONTENT = b"what the manifests are about"
CID = "QmPlaceholder"


def _manifests(cid: str) -> dict[str, bytes]:
    good = strict(cid, CONTENT).decode()
    return {
        "empty": b"",
        "no JSON": b"\x00\xff",
        "a list": b"[]",
        "a text": b'"manifest"',
        "deep": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        "deep lists": b"[" * 200_000,
        "huge": strict(cid, CONTENT, pad="x" * (1 << 20)),
        "huge number": good.replace(f'"size": {len(CONTENT)}', f'"size": {"9" * 10_000}').encode(),
        "NaN": good.replace(f'"size": {len(CONTENT)}', '"size": NaN').encode(),
        "wrong size": strict(cid, CONTENT, size=len(CONTENT) + 1),
        "size as text": strict(cid, CONTENT, size=str(len(CONTENT))),
        "size as float": strict(cid, CONTENT, size=float(len(CONTENT))),
        "size true": strict(cid, CONTENT, size=True),
        "size null": strict(cid, CONTENT, size=None),
        "wrong digest": strict(cid, CONTENT, sha256="0" * 64),
        "digest as list": strict(cid, CONTENT, sha256=["0" * 64]),
        "upper-case digest": strict(cid, CONTENT, sha256=hashlib.sha256(CONTENT).hexdigest().upper()),
        "other CID": strict(cid, CONTENT, cid="QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"),
        "CID as object": strict(cid, CONTENT, cid={"/": cid}),
        "no CID": strict(cid, CONTENT, cid=...),
        "no size": strict(cid, CONTENT, size=...),
        "duplicate key": good.replace("{", f'{{"cid": "{cid}", ', 1).encode(),
        "duplicate key inside": good.replace("{", '{"meta": {"a": 1, "a": 2}, ', 1).encode(),
        "UTF-16": good.encode("utf-16"),
        "two values": good.encode() + good.encode(),
    }


@pytest.mark.parametrize("manifest", list(_manifests(CID)))
def test_a_manifest_that_lies_or_cannot_be_read_is_refused(
    registry: RegistryProcess, kubo: Kubo, manifest: str
) -> None:
    cid = kubo.add(CONTENT)
    data = _manifests(cid)[manifest]
    publish = """
    mutation($n:String!,$c:String!,$m:String!,$s:String!){
      publishApp(name:$n,cid:$c,manifestCid:$m,sha256:$s){ ok }
    }"""
    name = f"hostile/{uuid.uuid4().hex}"
    variables = {"n": name, "c": cid, "m": kubo.add(data), "s": hashlib.sha256(data).hexdigest()}
    assert code_of(ask(registry, publish, variables).json()) == "BAD_MANIFEST"
    # The honest manifest with the wrong digest beside it is refused, too; with its own it passes.
    good = strict(cid, CONTENT)
    variables |= {"m": kubo.add(good), "s": "0" * 64}
    assert code_of(ask(registry, publish, variables).json()) == "BAD_MANIFEST"
    variables["s"] = hashlib.sha256(good).hexdigest()
    assert ask(registry, publish, variables).json()["data"]["publishApp"]["ok"] is True


CONTENT_FIELDS = "id witness { conservationProof { kleinProbes { windowId result value } } }"
QUERIES = {
    "empty": "",
    "spaces": " \n\t",
    "null byte": "{ \x00 }",
    "comment": "# nothing",
    "no end": "{ resolve(name: ",
    "deep": "{" * 100_000,
    "deep lists": "{ resolve(name: " + "[" * 1_000 + "]" * 1_000 + ") { name } }",
    "deep types": "query($a: " + "[" * 900 + "String" + "]" * 900 + ") { resolve(name: $a) { name } }",
    "aliases": "{" + " ".join(f'a{n}: resolve(name: "x") {{ name }}' for n in range(33)) + "}",
    "aliases within": "{ resolve(name: "
    + '"x") {'
    + " ".join(f"a{n}: proofChain {{ hash }}" for n in range(500))
    + "} }",
    "aliases in fragments": "{"
    + " ".join("...f" for _ in range(50))
    + "} fragment f on Query {"
    + " ".join(f"a{n}: __typename" for n in range(33))
    + "}",
    "costly searches": "{"
    + " ".join(f"a{n}: searchContent(limit: 100) {{ {CONTENT_FIELDS} }}" for n in range(30))
    + "}",
    "costly by variable": "query($l: Int!) {"
    + " ".join(f"a{n}: searchContent(limit: $l) {{ {CONTENT_FIELDS} }}" for n in range(30))
    + "}",
    "introspection": "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }",
    "fragment cycle": "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }",
    "unknown directive": "{ __typename @defer }",
    "directives": "{ __typename " + "@skip(if: false) " * 500 + "}",
    "variables": "query(" + ",".join(f"$v{n}: Int" for n in range(700)) + ") { __typename }",
    "integer beyond": "{ searchContent(limit: 99999999999) { id } }",
    "integer of a thousand digits": "{ searchContent(limit: " + "9" * 5_000 + ") { id } }",
    "float for integer": "{ searchContent(limit: 1e400) { id } }",
    "half a pair": '{ resolve(name: "\\ud800") { nothing } }',
    "BOM": "\ufeff{ nothing }",
    "block string": '{ resolve(name: """' + '\\""" ' * 600 + '""") { nothing } }',
}


@pytest.mark.parametrize("query", list(QUERIES))
def test_a_query_that_is_none_or_asks_too_much_is_refused(registry: RegistryProcess, query: str) -> None:
    answer = ask(registry, QUERIES[query], {"l": 100})
    assert answer.status_code in {200, 400}
    for error in answer.json()["errors"]:
        assert error["message"]
        assert error["extensions"]["code"] == "BAD_REQUEST"
    assert len(answer.content) < 50_000


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("deep lists", "deep"),
        ("aliases", "33 root fields"),
        ("aliases within", "token"),
        ("costly searches", "costs"),
        ("costly by variable", "costs"),
        ("introspection", "introspection depth"),
        ("fragment cycle", "within itself"),
    ],
)
def test_it_is_refused_for_what_it_is(post: Post, query: str, reason: str) -> None:
    assert reason in post(QUERIES[query], {"l": 100})["errors"][0]["message"]


@pytest.mark.parametrize(
    "variables",
    [
        {"n": None},
        {"n": 1},
        {"n": []},
        {"n": {"a": 1}},
        {"n": True},
        {},
        {"n": json.loads("[" * 900 + "]" * 900)},
        {"n": ["x"] * 100_000},
        {"n": "x", "p": 1 << 40},
        {"n": "x", "p": 1.5},
        {"n": "x", "p": "1"},
    ],
)
def test_variables_of_another_type_are_refused(registry: RegistryProcess, variables: dict[str, Any]) -> None:
    query = "query($n:String!,$p:Int){ resolve(name:$n){ name } searchContent(page:$p){ id } }"
    answer = ask(registry, query, variables)
    assert answer.status_code == 200
    assert code_of(answer.json()) == "BAD_REQUEST"


@pytest.mark.parametrize("size", [1, 2, 1_000])
def test_batches_are_refused(registry: RegistryProcess, size: int) -> None:
    batch = [{"query": "{ __typename }"}] * size
    answer = HTTP.post(registry.url, json=batch)
    assert answer.status_code == 400
    assert code_of(answer.json()) == "BAD_REQUEST"


def test_the_largest_honest_queries_pass(post: Post) -> None:
    for query in (
        "{" + " ".join(f'a{n}: resolve(name: "x") {{ name }}' for n in range(32)) + "}",
        f"{{ searchContent(limit: 100) {{ {CONTENT_FIELDS} }} }}",
        get_introspection_query(),
        get_introspection_query(input_value_deprecation=True, schema_description=True),
    ):
        assert "errors" not in post(query)
