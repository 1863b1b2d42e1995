"""Contract section 3.4, as any client would write it: resolve, its inverse, proofs, protected names."""

import uuid

import pytest

from hologram_dagster_tests.registry.conftest import ADMIN, PUBLISHER, READER, Kubo, Post, code_of
from hologram_dagster_tests.registry.test_contract_basic import INSTALL, PUBLISH, SEARCH, UNPUBLISH

pytestmark = pytest.mark.phase5_graphql

SEED = "mutation($name:String!,$content:String!){ upsertObject(name:$name,content:$content){ name } }"
RESOLVE = "query($n:String!){ resolve(name:$n){ encoding proofChain{ layer hash valid } } }"
INVERSE = "query($e:String!){ inverseResolve(encoding:$e){ name } }"
VERIFY = "query($n:String!,$h:String!){ verifyProof(name:$n,tamperedHash:$h){ valid } }"
ALPHA, SECURE = "demo/object/alpha", "secure/object/admin-only"


@pytest.fixture(autouse=True)
def seeded(post: Post) -> None:
    for name, token in ((ALPHA, None), (SECURE, ADMIN)):
        seeded = post(SEED, {"name": name, "content": "Hello Hologram"}, token)
        assert seeded["data"]["upsertObject"]["name"] == name


def test_resolve_and_its_inverse(post: Post) -> None:
    encodings = set()
    for name in (ALPHA, f"demo/object/{uuid.uuid4().hex}"):
        post(SEED, {"name": name, "content": "Hello Hologram"})
        encoding = post(RESOLVE, {"n": name})["data"]["resolve"]["encoding"]
        assert post(INVERSE, {"e": encoding})["data"]["inverseResolve"]["name"] == name
        encodings.add(encoding)
    assert len(encodings) == 2


def test_the_encoding_follows_the_content(post: Post) -> None:
    name = f"demo/object/{uuid.uuid4().hex}"

    def encoding_of(content: str) -> str:
        post(SEED, {"name": name, "content": content})
        return str(post(RESOLVE, {"n": name})["data"]["resolve"]["encoding"])

    first, second = encoding_of("one"), encoding_of("two")
    assert first != second
    assert encoding_of("one") == first
    assert post(INVERSE, {"e": second})["data"]["inverseResolve"] is None


def test_every_layer_of_the_proof_chain_is_valid(post: Post) -> None:
    chain = post(RESOLVE, {"n": ALPHA})["data"]["resolve"]["proofChain"]
    assert chain
    for layer in chain:
        assert layer["layer"]
        assert layer["hash"]
        assert layer["valid"] is True


def test_a_proof_verifies_and_a_tampered_one_does_not(post: Post) -> None:
    last = post(RESOLVE, {"n": ALPHA})["data"]["resolve"]["proofChain"][-1]["hash"]
    tampered = last[:-1] + ("0" if last[-1] != "0" else "1")
    assert post(VERIFY, {"n": ALPHA, "h": last})["data"]["verifyProof"]["valid"] is True
    assert post(VERIFY, {"n": ALPHA, "h": tampered})["data"]["verifyProof"]["valid"] is False
    assert post(VERIFY, {"n": "does/not/exist/", "h": last})["data"]["verifyProof"]["valid"] is False


@pytest.mark.parametrize(
    "name", ["does/not/exist/", "security/does/not/exist", "", "..", "a\x00b", "\ud800", "x" * 100_000]
)
def test_unknown_names_are_null(post: Post, name: str) -> None:
    assert post(RESOLVE, {"n": name})["data"]["resolve"] is None


@pytest.mark.parametrize("encoding", ["", "x", "uor:sha256:" + "0" * 64, "\ud800", "' OR 1=1 --"])
def test_unknown_encodings_are_null(post: Post, encoding: str) -> None:
    assert post(INVERSE, {"e": encoding})["data"]["inverseResolve"] is None


@pytest.mark.parametrize("token", [None, "wrong", "Bearer wrong"])
def test_a_protected_name_is_denied_without_a_token(post: Post, token: str | None) -> None:
    for query, variables in ((RESOLVE, {"n": SECURE}), (VERIFY, {"n": SECURE, "h": "0"})):
        body = post(query, variables, token)
        assert code_of(body) == "UNAUTHENTICATED"
        assert "encoding" not in str(body["data"])
    # Whether there is such a name is not told either.
    assert code_of(post(RESOLVE, {"n": "secure/none"}, token)) == "UNAUTHENTICATED"


@pytest.mark.parametrize("token", [READER, PUBLISHER, ADMIN, f"Bearer {READER}"])
def test_a_token_opens_it(post: Post, token: str) -> None:
    encoding = post(RESOLVE, {"n": SECURE}, token)["data"]["resolve"]["encoding"]
    assert post(INVERSE, {"e": encoding}, token)["data"]["inverseResolve"]["name"] == SECURE
    assert post(INVERSE, {"e": encoding})["data"]["inverseResolve"] is None


def test_protected_apps_are_neither_found_nor_installed_without_a_token(post: Post, kubo: Kubo) -> None:
    name = f"secure/app-{uuid.uuid4().hex[:8]}"
    cid = kubo.add(name.encode())
    publish = {"cid": cid, "name": name}
    assert code_of(post(PUBLISH["publishApp"], publish)) == "UNAUTHENTICATED"
    assert code_of(post(PUBLISH["publishApp"], publish, PUBLISHER)) == "FORBIDDEN"
    assert "errors" not in post(PUBLISH["publishApp"], publish, ADMIN)
    assert post(SEARCH, {"q": "secure"})["data"]["searchApps"] == []
    assert post(SEARCH, {"q": name}, READER)["data"]["searchApps"] == [{"name": name, "cid": cid}]
    by_cid = "mutation($cid:String!){ installByCid(cid:$cid){ name } }"
    assert code_of(post(by_cid, {"cid": cid})) == "NOT_FOUND"
    for query in (*INSTALL.values(), UNPUBLISH):
        assert code_of(post(query, {"name": name})) == "UNAUTHENTICATED"
    assert "errors" not in post(UNPUBLISH, {"name": name}, ADMIN)


def test_search_is_bounded_and_takes_its_text_literally(post: Post, kubo: Kubo) -> None:
    cid = kubo.add(b"searched")
    prefix = f"bulk{uuid.uuid4().hex[:6]}"
    for start in range(0, 120, 20):
        aliases = " ".join(
            f'a{i}: publishApp(cid:"{cid}", name:"{prefix}/{i:03}") {{ name }}'
            for i in range(start, start + 20)
        )
        assert "errors" not in post(f"mutation {{ {aliases} }}")
    hits = [hit["name"] for hit in post(SEARCH, {"q": prefix})["data"]["searchApps"]]
    assert hits == [f"{prefix}/{i:03}" for i in range(119, 19, -1)]
    for q in ("%", "_", f"{prefix}%", "\ud800", "\x00"):
        assert post(SEARCH, {"q": q})["data"]["searchApps"] == []


def test_content_that_is_no_text_is_refused(post: Post) -> None:
    assert code_of(post(SEED, {"name": ALPHA, "content": "\ud800"})) == "BAD_REQUEST"


@pytest.mark.parametrize("content", ["", "größe 名前 \U0001f600", "x" * 500_000])
def test_any_text_is_stored_to_the_byte(post: Post, kubo: Kubo, content: str) -> None:
    name = f"demo/object/{uuid.uuid4().hex}"
    query = "mutation($n:String!,$c:String!){ upsertObject(name:$n,content:$c){ cid } }"
    cid = post(query, {"n": name, "c": content})["data"]["upsertObject"]["cid"]
    assert kubo.cat(cid) == content.encode()
    assert kubo.pinned(cid)
