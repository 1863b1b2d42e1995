"""Who lacks a token or a role, hostile queries, manifests and names: contract sections 3.4 and 3.6.

What belongs here: the attacks, each with what must come of it. What does not: what an operation
carries (`ctp96`, `proofs`); here every mutation carries what it must, so that it fails for the rest.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from hologram_dagster.attack.cases import Case
from hologram_dagster.attack.mutations import MUTATIONS
from hologram_dagster.attack.sender import DONE, NOTHING, READ, REMOVE, STORE, Sender, outcome
from hologram_dagster.errors import ServiceError

# The first two need a token of every role, which only a registry's owner has.
OWNERS: Final = ("tokens", "protected")
GROUPS: Final = (*OWNERS, "graphql", "manifests", "names")
_ANONYMOUS, _FORBIDDEN = "UNAUTHENTICATED", "FORBIDDEN"
_BAD, _BAD_MANIFEST = "BAD_REQUEST", "BAD_MANIFEST"
_TOLD: Final = "told"
_CONTENT: Final = "query($n: String!) { resolveContent(name: $n) { id data } }"
_STRICT: Final = (
    "mutation($n: String!, $c: String!, $m: String!, $s: String!) "
    "{ publishApp(name: $n, cid: $c, manifestCid: $m, sha256: $s) { ok } }"
)
# Answers to these must not hold the name that is looked for.
_SEARCHES: Final[Mapping[str, str]] = {
    "resolve": "query($n: String!) { resolve(name: $n) { name cid } }",
    "resolveContent": "query($n: String!) { resolveContent(name: $n) { name data } }",
    "verifyProof": 'query($n: String!) { verifyProof(name: $n, tamperedHash: "0") { valid } }',
    "inverseResolve": "query($i: String!) { inverseResolve(encoding: $i) { name } }",
    "resolveByUORID": "query($i: String!) { resolveByUORID(uorId: $i) { name data } }",
    "searchApps": "query($n: String!) { searchApps(q: $n) { name } }",
    "searchContent": "{ searchContent(limit: 100) { name data } }",
}
_REFUSED_TO_ANYONE: Final = frozenset({"resolve", "resolveContent", "verifyProof"})
# Which have no name to be judged by: of what nobody may know of, they say that it is not there.
_BY_ID: Final[Mapping[str, str]] = {
    "updateContent": "NOT_FOUND",
    "deleteContent": NOTHING,
    "installByCid": "NOT_FOUND",
}


@dataclass(frozen=True, slots=True)
class Tokens:
    """A token of each role, and one of an admin that has expired."""

    reader: str
    publisher: str
    admin: str
    expired: str


def attack(url: str, sender: Sender, add: Callable[[bytes], str], tokens: Tokens | None) -> list[Case]:
    """The whole table, by group; what it published it removes.

    `add` puts bytes into IPFS and says their CID. `sender` has a token that may publish, where the registry
    asks for one; without `tokens`, who lacks one is not tried.

    Raises:
        ServiceError: the registry gives no answer.
    """
    battery = _Battery(url, sender, add)
    cases = [] if tokens is None else [*battery.tokens(tokens), *battery.protected(tokens)]
    return [*cases, *battery.graphql(), *battery.manifests(), *battery.names()]


class _Battery:
    def __init__(self, url: str, sender: Sender, add: Callable[[bytes], str]) -> None:
        self._url = url
        self._sender = sender
        self._add = add
        self._name = f"attack/access-{secrets.token_hex(6)}"

    def _send(self, body: object, token: str | None = None) -> str:
        return self._sender.send(self._url, body, token=token)

    def _do(self, query: str, token: str | None = None, **variables: str) -> str:
        return self._send(self._sender.signed(query, variables), token)

    def _stored(self, name: str, token: str) -> tuple[str, str] | None:
        """Id and data of the content under `name`, as who may read it sees them; None: there is none."""
        body = {"query": _CONTENT, "variables": {"n": name}}
        match self._sender.answer(self._url, body, token=token):
            case {"data": {"resolveContent": {"id": str(content_id), "data": str(data)}}}:
                return content_id, data
        return None

    def tokens(self, tokens: Tokens) -> Iterator[Case]:
        """Each mutation of an open name, by everybody who may not."""
        yield from self._by_the_wrong(
            "tokens", self._name, tokens, tokens.publisher, {"reader": tokens.reader}, {}
        )

    def protected(self, tokens: Tokens) -> Iterator[Case]:
        """Each mutation and each read of a protected name, by everybody who may not."""
        name = f"secure/{self._name}"
        forbidden = {"reader": tokens.reader, "publisher": tokens.publisher}
        yield from self._by_the_wrong("protected", name, tokens, tokens.admin, forbidden, _BY_ID)
        for look_alike in (f"SECURE/{self._name}", f"\uff53ecure/{self._name}"):
            seen = self._do(STORE, tokens.publisher, n=look_alike, c="x")
            yield Case("protected", f"a publisher under {look_alike.partition('/')[0]}/", _FORBIDDEN, seen)

    def _by_the_wrong(
        self,
        group: str,
        name: str,
        tokens: Tokens,
        allowed: str,
        forbidden: Mapping[str, str],
        hidden: Mapping[str, str],
    ) -> Iterator[Case]:
        cid = self._add(name.encode())
        variables = {"n": f"{name}-app", "c": cid}
        publish = MUTATIONS["publishApp"]
        yield Case(group, "an app by who may", DONE, self._do(publish, allowed, **variables))
        yield Case(group, "a content by who may", DONE, self._do(STORE, allowed, n=name, c="kept"))
        stored = self._stored(name, allowed)
        if stored is None:
            raise ServiceError(f"the registry at {self._url} does not show what was stored.")
        given = {"n": name, "c": cid, "i": stored[0]}
        nobodies = {
            "no token": "",
            "a wrong token": secrets.token_hex(16),
            "an expired token": tokens.expired,
        }
        for mutation, query in MUTATIONS.items():
            for who, token in nobodies.items():
                expected = hidden.get(mutation, _ANONYMOUS)
                yield Case(group, f"{mutation}, {who}", expected, self._do(query, token, **given))
            for who, token in forbidden.items():
                yield Case(group, f"{mutation}, {who}", _FORBIDDEN, self._do(query, token, **given))
        if hidden:
            yield from self._hidden_reads(group, given, nobodies)
        after = "unchanged" if self._stored(name, allowed) == stored else "changed"
        yield Case(group, "the content after all of it", "unchanged", after)
        for what in (name, variables["n"]):
            yield Case(group, f"removal by who may, {what[-4:]}", DONE, self._do(REMOVE, allowed, n=what))

    def _hidden_reads(
        self, group: str, given: Mapping[str, str], nobodies: Mapping[str, str]
    ) -> Iterator[Case]:
        for read, query in _SEARCHES.items():
            for who, token in nobodies.items():
                answer = self._sender.answer(self._url, {"query": query, "variables": given}, token=token)
                seen = outcome(answer)
                if seen == DONE:
                    seen = _TOLD if given["n"] in json.dumps(answer) else NOTHING
                expected = _ANONYMOUS if read in _REFUSED_TO_ANYONE else NOTHING
                yield Case(group, f"{read}, {who}", expected, seen)

    def graphql(self) -> Iterator[Case]:
        """Queries that cost more than they may; and those of honest tools, which pass."""
        for name, query in _COSTLY.items():
            yield Case("graphql", name, _BAD, self._send({"query": query}))
        for name, body in (
            ("a batch of one", [{"query": "{ __typename }"}]),
            ("a batch of 1,000", [{"query": "{ __typename }"}] * 1_000),
            ("a body beyond 1 MiB", {"query": "{ __typename }", "variables": {"x": "x" * (1 << 20)}}),
            ("variables that are a list", {"query": "{ __typename }", "variables": [1]}),
            ("no query", {"variables": {}}),
        ):
            yield Case("graphql", name, _BAD, self._send(body))
        yield Case("graphql", "the usual introspection", DONE, self._send({"query": _INTROSPECTION}))
        yield Case("graphql", "32 aliases", DONE, self._send({"query": _aliases(32, "__typename")}))

    def manifests(self) -> Iterator[Case]:
        """Manifests that lie about content, or cannot be read."""
        content = f"what the manifests of {self._name} are about".encode()
        cid, name = self._add(content), f"{self._name}-manifest"
        for lie, manifest in _lies(cid, content).items():
            digest = hashlib.sha256(manifest).hexdigest()
            given = {"n": name, "c": cid, "m": self._add(manifest), "s": digest}
            yield Case("manifests", lie, _BAD_MANIFEST, self._do(_STRICT, **given))
        honest = _manifest(cid, content)
        given = {"n": name, "c": cid, "m": self._add(honest)}
        wrong = self._do(_STRICT, **given, s="0" * 64)
        yield Case("manifests", "an honest one with another's digest", _BAD_MANIFEST, wrong)
        itself = {**given, "c": given["m"], "s": "0" * 64}
        yield Case("manifests", "itself for its content", _BAD_MANIFEST, self._do(_STRICT, **itself))
        seen = self._send({"query": READ, "variables": {"n": name}})
        yield Case("manifests", "nothing was published of all this", NOTHING, seen)
        right = self._do(_STRICT, **given, s=hashlib.sha256(honest).hexdigest())
        yield Case("manifests", "an honest one", DONE, right)
        yield Case("manifests", "its removal", DONE, self._do(REMOVE, n=name))

    def names(self) -> Iterator[Case]:
        """Names that deceive are refused; those that are only odd come back as they were."""
        for what, name in _DECEIVING.items():
            yield Case("names", what, _BAD, self._do(STORE, n=name, c="x"))
        for what, odd in _ODD.items():
            name = f"{self._name} {odd}"
            body = self._sender.signed(STORE, {"n": name, "c": "x"})
            match self._sender.answer(self._url, body):
                case {"data": {"upsertObject": {"name": kept}}}:
                    seen = "as it was" if kept == name else "changed"
                case _:
                    seen = "refused"
            yield Case("names", what, "as it was", seen)
            yield Case("names", f"{what}, its removal", DONE, self._do(REMOVE, n=name))


def _manifest(of: str, content: bytes, **changes: object) -> bytes:
    fields = {"cid": of, "size": len(content), "sha256": hashlib.sha256(content).hexdigest(), **changes}
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def _lies(cid: str, content: bytes) -> dict[str, bytes]:
    honest = _manifest(cid, content)
    return {
        "empty": b"",
        "no JSON": b"\x00\xff",
        "a list": b"[]",
        "50,000 deep": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        "beyond 1 MiB": _manifest(cid, content, pad="x" * (1 << 20)),
        "wrong size": _manifest(cid, content, size=len(content) + 1),
        "size as a text": _manifest(cid, content, size=str(len(content))),
        "size true": _manifest(cid, content, size=True),
        "wrong digest": _manifest(cid, content, sha256="0" * 64),
        "another's CID": _manifest(cid, content, cid="QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"),
        "no CID": _manifest(cid, content, cid=...),
        "the CID twice": b'{"cid": "another", ' + honest[1:],
        "UTF-16": honest.decode().encode("utf-16"),
        "two values": honest + honest,
    }


def _aliases(count: int, field: str) -> str:
    return "{" + " ".join(f"a{number}: {field}" for number in range(count)) + "}"


_INTROSPECTION: Final = (
    "{ __schema { types { name kind fields { name type { name kind ofType { name } } } } } }"
)
_COSTLY: Final[Mapping[str, str]] = {
    "100,000 deep": "{" * 100_000,
    "deep lists": "{ resolve(name: " + "[" * 1_000 + "]" * 1_000 + ") { name } }",
    "33 aliases": _aliases(33, 'resolve(name: "x") { name }'),
    "500 aliases below": '{ resolve(name: "x") ' + _aliases(500, "proofChain { hash }") + " }",
    "aliases in fragments": "{ ...f } fragment f on Query " + _aliases(33, "__typename"),
    "a cycle of fragments": "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }",
    "searches that cost": _aliases(32, "searchContent(limit: 100) { id name data }"),
    "introspection in a circle": "{ __schema { types { "
    + "fields { type { " * 3
    + "name"
    + " } }" * 3
    + " } } }",
    "500 directives": "{ __typename " + "@skip(if: false) " * 500 + "}",
}
_DECEIVING: Final[Mapping[str, str]] = {
    "empty": "",
    "up": "..",
    "up and over": "../../../etc/passwd",
    "up within": "demo/../secure/secret",
    "absolute": "/etc/passwd",
    "a share": "\\\\host\\share",
    "a drive": "C:\\Windows\\win.ini",
    "a null": "demo\x00.txt",
    "a header": "demo\r\nset-cookie: x",
    "an escape": "\x1b[2J\x1b[31mred",
    "right to left": "demo/\u202egpj.exe",
    "zero width": "pay\u200bpal",
    "not composed": "cafe\u0301",
    "too long": "x" * 513,
}
_ODD: Final[Mapping[str, str]] = {
    "a script": "<script>alert(1)<",
    "an image": '<img src=x onerror="alert(1)">',
    "SQL": "'; DROP TABLE names; --",
    "a format": "%s%n{0}${jndi:ldap:x}",
    "GraphQL": '") { name } }',
    "JSON": '{"__proto__": {"a": 1}}',
}
