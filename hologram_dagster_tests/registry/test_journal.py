"""What a registry did, as a signed ledger: complete, linked, found when altered, never forked."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from hologram_dagster.cli.app import app
from hologram_dagster.errors import HologramError
from hologram_dagster.ipfs.node import IpfsNode
from hologram_dagster.protocol import proof_chain
from hologram_dagster.protocol.ledger_proofs import delta_fault, prove_delta
from hologram_dagster.protocol.signing import Signer
from hologram_dagster.registry.faults import RefusedError
from hologram_dagster.registry.guard import Admitted
from hologram_dagster.registry.journal import Journal, Keys, entries, serving, verify
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster.registry.store import Store
from hologram_dagster.registry.tables import open_database
from hologram_dagster_tests.postgres import POSTGRESQL, running_postgres
from hologram_dagster_tests.registry.conftest import HTTP

pytestmark = pytest.mark.phase4_network

OLD, NEW = (Signer(Ed25519PrivateKey.generate()) for _ in range(2))
ANY = Keys(None, ()).fault


@pytest.fixture(params=["sqlite", POSTGRESQL])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'registry.sqlite'}"
    else:
        with running_postgres(tmp_path) as url:
            yield url


def installed(url: str, signer: Signer, *names: str) -> None:
    store = Store(url, Journal(signer))
    for name in names:
        store.install(name, "QmX")
    store.close()


def test_two_registries_append_at_once_and_never_fork(url: str) -> None:
    stores = [Store(url, Journal(signer)) for signer in (OLD, NEW)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: stores[number % 2].install(f"app/{number}", "QmX"), range(40)))
    engine = stores[0].engine
    assert [entry.seq for entry in entries(engine)] == list(range(40))
    assert verify(engine, ANY).fault is None
    assert {entry.key_id for entry in entries(engine)} == {OLD.key_id, NEW.key_id}
    for store in stores:
        store.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    installed(url, OLD, "a", "b")
    installed(url, NEW, "c")
    opened = open_database(url)
    yield opened
    opened.dispose()


def test_old_entries_verify_with_the_old_key_and_a_revoked_key_fails(engine: Engine) -> None:
    assert verify(engine, Keys([OLD.key_id, NEW.public_hex], ()).fault).entries == 3
    revoked = verify(engine, Keys(None, [OLD.key_id]).fault)
    assert (revoked.entries, str(revoked.fault)) == (
        0,
        f"ledger entry 0: untrusted_key: the key {OLD.key_id} is revoked",
    )
    stranger = verify(engine, Keys([OLD.key_id], ()).fault)
    assert stranger.entries == 2
    assert stranger.fault is not None
    assert stranger.fault.code == "untrusted_key"


def test_any_changed_byte_any_row_gone_or_swapped_is_found(engine: Engine) -> None:
    with engine.connect() as connection:
        lines = list(connection.execute(text("select line from operations order by seq")).scalars())
    head = verify(engine, ANY).head

    def broken(changed: list[str]) -> bool:
        with engine.begin() as connection:
            connection.execute(text("delete from operations"))
            for seq, line in enumerate(changed):
                connection.execute(
                    text("insert into operations values (:seq, :line)"), {"seq": seq, "line": line}
                )
        return verify(engine, ANY, head=head).fault is not None

    assert not broken(lines)
    for at in range(0, len(lines[1]), 7):
        changed = lines[1][:at] + chr(ord(lines[1][at]) ^ 1) + lines[1][at + 1 :]
        assert broken([lines[0], changed, lines[2]]), at
    for order in ([0, 2], [1, 2], [0, 1], [1, 0, 2], [0, 2, 1], [0, 0, 1, 2], [0, 1, 2, 2], []):
        assert broken([lines[number] for number in order]), order


def test_a_delta_proof_over_operations_holds_and_an_other_does_not(engine: Engine) -> None:
    held = list(entries(engine))
    proof = prove_delta(held, 1, 2, before={"installed": ["a"]}, after={"installed": ["a", "b", "c"]})
    assert delta_fault(proof, held) is None
    proof["heads"][0] = held[0].head
    assert delta_fault(proof, held) == "its heads are not those of the ledger"


def test_after_an_altered_entry_nothing_is_done(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("update operations set line = replace(line, '\"c\"', '\"d\"') where seq = 2"))
    store = Store(str(engine.url), Journal(NEW))
    with pytest.raises(RefusedError, match="journal was altered"):
        store.install("e", "QmX")
    with engine.connect() as connection:
        assert connection.scalar(text("select count(*) from installations where name = 'e'")) == 0
    store.close()


def test_what_a_request_carried_is_named_and_it_gets_receipts(engine: Engine) -> None:
    store = Store(str(engine.url), Journal(NEW))
    carried = Admitted({"nonce": "n"}, {"hash": "h", "key_id": "k"})
    with serving(carried) as receipts:
        store.install("e", "QmX")
        assert store.uninstall("e")
    last = list(entries(engine))[-2:]
    assert [entry.data["operation"] for entry in last] == ["install", "uninstall"]
    assert all(entry.data["request"] == {"nonce": "n", "hash": "h", "key_id": "k"} for entry in last)
    assert [receipt["head"] for receipt in receipts] == [entry.head for entry in last]
    store.close()


STEPS = (
    ("store", "upsertObject(name: $n, content: $v) { name }", "x"),
    ("publish", "publishApp(name: $n, cid: $v) { name }", "cid"),
    ("install", "installApp(name: $n) { status }", ""),
    ("uninstall", "uninstallApp(name: $n) { status }", ""),
    ("delete", "unpublishApp(name: $n) { status }", ""),
)


def test_every_operation_is_proven_over_http_and_audited(node: IpfsNode, tmp_path: Path) -> None:
    with RegistryProcess.start(tmp_path, ipfs_api=node.api_url) as registry:

        def do(field: str, **variables: str) -> dict[str, Any]:
            declared = ", ".join(f"${name}: String!" for name in variables)
            body = {"query": f"mutation({declared}) {{ {field} }}", "variables": variables}
            answer: dict[str, Any] = HTTP.post(registry.url, json=body).json()
            assert "errors" not in answer
            return answer

        cid = do("upsertObject(name: $n, content: $v) { cid }", n="b", v="x")["data"]["upsertObject"]["cid"]
        for operation, field, value in STEPS:
            given = {"v": cid if value == "cid" else value} if value else {}
            (receipt,) = do(field, n="a", **given)["extensions"]["proof_chain"]
            assert receipt["proof_chain"]["validator"] == proof_chain.VALIDATOR, operation
        stored = do("storeContent(name: $n, data: $v) { id }", n="c", v="x")["data"]["storeContent"]["id"]
        updated = do("updateContent(id: $i, data: $v) { id }", i=stored, v="y")["data"]["updateContent"]["id"]
        do("deleteContent(id: $i)", i=updated)
        assert "extensions" not in HTTP.post(registry.url, json={"query": "{ __typename }"}).json()
    opened = open_database(registry.database)
    done = [entry.data["operation"] for entry in entries(opened)]
    opened.dispose()
    assert done == ["store", *(step for step, _, _ in STEPS), "store", "update", "delete"]
    run = CliRunner().invoke(app, ["audit", "registry", "--database", registry.database, "--json"])
    assert (run.exit_code, json.loads(run.stdout)["entries"]) == (0, 9)
    opened = open_database(registry.database)
    with opened.begin() as connection:
        connection.execute(text("delete from operations where seq = 4"))
    opened.dispose()
    run = CliRunner().invoke(app, ["audit", "registry", "--database", registry.database])
    assert run.exit_code == 1
    assert "BROKEN ledger entry 4: bad_seq" in run.stdout


def test_an_audit_makes_no_database(tmp_path: Path) -> None:
    typo = tmp_path / "typo.sqlite"
    run = CliRunner().invoke(app, ["audit", "registry", "--database", f"sqlite:///{typo}"])
    assert isinstance(run.exception, HologramError)
    assert "no such file" in str(run.exception)
    assert not typo.exists()
