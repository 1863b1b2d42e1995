"""Attacks on the registry of a run, as evidence: a table of what was to come of each, and what came.

What belongs here: which registry is attacked, and with how much. What does not: the attacks
(`attack`), the registries that are started for them (`gate.attacked`), whether a wrong cell fails the
run (`evidence.judge`).
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

from hologram_dagster.attack import access, ctp96, ledgers, proofs
from hologram_dagster.attack.cases import Case, wrong
from hologram_dagster.attack.sender import Sender
from hologram_dagster.chaos.experiment import Service
from hologram_dagster.chaos.permission import refusal as not_to_be_disturbed
from hologram_dagster.errors import HologramError
from hologram_dagster.gate import attacked
from hologram_dagster.gate.disruption import refusal
from hologram_dagster.gate.run import GateRun, signer_of
from hologram_dagster.gate.services import Endpoints, operator_of
from hologram_dagster.ipfs.client import IpfsClient
from hologram_dagster.ipfs.providers import start_node
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.profiles import ACCESS, CTP96, PROOFS, STRICT
from hologram_dagster.protocol.signing import Signer
from hologram_dagster.registry.client import OperationSecurity, RegistryClient
from hologram_dagster.registry.operator import current_operator
from hologram_dagster.settings import Settings

METHOD = "2"
# For a registry that was attacked with all of it beside, or that may not be disturbed.
_FEW_NONCES = 10
# What a table says in the place of groups that could not be tried: group -> why.
Left = Mapping[str, str]

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    CTP96: ctp96.GROUPS,
    PROOFS: (*proofs.GROUPS, ledgers.GROUP),
    ACCESS: access.GROUPS,
}
_UNCHECKED = "does not say that it checks what operations carry (operationSecurity of its schema)"
_NOT_OURS = "the gate did not start the registry, and does not know its"


def observe(kind: str, run: GateRun, endpoints: Endpoints) -> Observation:
    """What came of the attacks of `kind` (`GROUPS`) on the registry at `endpoints`.

    The embedded one's code is attacked whole, in registries that are started for it, and where it is strict
    the one that serves the run, too; the user's as far as it may be disturbed.

    Raises:
        HologramError: a registry does not start, or gives no answer.
    """
    started_at = datetime.now(UTC)
    if endpoints.embedded:
        folder = run.settings.state_dir / "stack" / "attacked" / run.identity.run_id / kind
        cases = _ON_OWN[kind](folder, endpoints.ipfs_api, run.signer)
        live = current_operator()
        if run.plan.profile.name in STRICT and live is not None:
            with Sender(live, endpoints.graphql_token) as sender:
                cases += [
                    replace(case, name=f"the run's own: {case.name}")
                    for case in _few(kind, endpoints, sender)
                ]
        return observation_of(kind, started_at, cases)
    security = _checking(endpoints.graphql_url, endpoints.graphql_token)
    if security is None:
        status = Status.FAILED if run.settings.require_strict else Status.NOT_APPLICABLE
        return _undone(kind, started_at, status, f"the registry {_UNCHECKED}")
    operator = current_operator()
    if operator is None or operator.nonce_key is None:
        why = "nothing genuine can be sent: set HOLOGRAM_OPERATION_KEYS to the registry's file of keys"
        return _undone(kind, started_at, Status.INCONCLUSIVE, why)
    strict = security.mode == "required"
    if run.settings.require_strict and not strict:
        return _undone(
            kind, started_at, Status.FAILED, f"the registry's mode is {security.mode}, not required"
        )
    disturb = refusal(run.settings) is None
    with Sender(operator, endpoints.graphql_token) as sender:
        cases, left = _on_theirs(kind, endpoints, sender, strict=strict, disturb=disturb)
    return observation_of(kind, started_at, cases, left)


def attack_own(settings: Settings) -> list[Case]:
    """All tables, of strict registries over a node, started for it.

    Raises:
        HologramError: one of them does not start, or gives no answer.
    """
    folder = settings.state_dir / "stack" / "attacked" / uuid4().hex
    node = start_node(folder / "node")
    try:
        signer = signer_of(settings)
        tables = (_ON_OWN[kind](folder / kind, node.api_url, signer) for kind in GROUPS)
        return [case for table in tables for case in table]
    finally:
        node.stop()
        shutil.rmtree(folder, ignore_errors=True)


def attack_theirs(settings: Settings, url: str) -> tuple[list[Case], Left]:
    """All tables, of the registry at `url` over the node at IPFS_API, and which groups were not tried, why.

    HOLOGRAM_ALLOW_DISRUPTION must name both.

    Raises:
        HologramError: it may not be disturbed, does not check what operations carry, or gives no answer.
    """
    if settings.ipfs_api is None:
        raise HologramError("hostile manifests are put into the registry's IPFS node: set IPFS_API to it.")
    targets = [
        Service("registry", url, started_by_us=False),
        Service("ipfs", settings.ipfs_api, started_by_us=False),
    ]
    if why := not_to_be_disturbed(targets, settings.allow_disruption):
        raise HologramError(f"{why}.")
    token = settings.graphql_token.get_secret_value() if settings.graphql_token else None
    security = _checking(url, token)
    if security is None:
        raise HologramError(f"the registry at {url} {_UNCHECKED}: start it with operation keys.")
    operator = operator_of(settings, signer_of(settings))
    if operator.nonce_key is None:
        raise HologramError("nothing genuine can be sent: set HOLOGRAM_OPERATION_KEYS to its file of keys.")
    endpoints = Endpoints(settings.ipfs_api, url, token, embedded=False)
    strict = security.mode == "required"
    cases: list[Case] = []
    left: dict[str, str] = {}
    with Sender(operator, token) as sender:
        for kind in GROUPS:
            table, of_kind = _on_theirs(kind, endpoints, sender, strict=strict, disturb=True)
            cases += table
            left |= of_kind
    return cases, left


def _checking(url: str, token: str | None) -> OperationSecurity | None:
    """What a registry asks of operations; None where it does not say that it checks them by a key."""
    with RegistryClient(url, token=token) as registry:
        security = registry.security()
    return security if security is not None and "authenticated" in security.nonces else None


def _ctp96_on_own(folder: Path, ipfs_api: str, signer: Signer) -> list[Case]:
    with attacked.regions(folder, ipfs_api, signer) as (target, operator), Sender(operator) as sender:
        return ctp96.attack(target, sender)


def _proofs_on_own(folder: Path, ipfs_api: str, signer: Signer) -> list[Case]:
    with attacked.keyed(folder, ipfs_api, signer) as (target, database, operator), Sender(operator) as sender:
        return [*proofs.attack(target, sender), *ledgers.attack(database, folder / "ledgers")]


def _access_on_own(folder: Path, ipfs_api: str, signer: Signer) -> list[Case]:
    with (
        attacked.guarded(folder, ipfs_api, signer) as (url, tokens, operator),
        Sender(operator, tokens.publisher) as sender,
        IpfsClient(ipfs_api) as ipfs,
    ):
        return access.attack(url, sender, ipfs.add, tokens)


_ON_OWN: Final[Mapping[str, Callable[[Path, str, Signer], list[Case]]]] = {
    CTP96: _ctp96_on_own,
    PROOFS: _proofs_on_own,
    ACCESS: _access_on_own,
}


def _few(kind: str, endpoints: Endpoints, sender: Sender) -> list[Case]:
    """On the registry that serves the run: what does not load it."""
    if kind == CTP96:
        return ctp96.attack(ctp96.Target(endpoints.graphql_url), sender, nonces=_FEW_NONCES, flood=False)
    return proofs.attack(proofs.Target(endpoints.graphql_url), sender) if kind == PROOFS else []


def _on_theirs(
    kind: str, endpoints: Endpoints, sender: Sender, *, strict: bool, disturb: bool
) -> tuple[list[Case], Left]:
    url = endpoints.graphql_url
    if kind == CTP96:
        target = ctp96.Target(url, strict=strict)
        nonces = ctp96.MANY_NONCES if disturb else _FEW_NONCES
        cases = ctp96.attack(target, sender, nonces=nonces, flood=disturb)
        return cases, {} if disturb else {"flood": "the registry may not be disturbed"}
    if kind == PROOFS:
        left = {ledgers.GROUP: f"{_NOT_OURS} database: `hologram audit registry` verifies it"}
        return proofs.attack(proofs.Target(url, strict=strict), sender), left
    left = dict.fromkeys(access.OWNERS, f"{_NOT_OURS} tokens")
    if not disturb:
        return [], dict.fromkeys(access.GROUPS, "the registry may not be disturbed")
    with IpfsClient(endpoints.ipfs_api) as ipfs:
        return access.attack(url, sender, ipfs.add, None), left


def observation_of(
    kind: str, started_at: datetime, cases: Sequence[Case], left: Left | None = None
) -> Observation:
    """The table as an observation: one finding a group, the cells as facts."""
    findings = tuple(_finding(group, cases, left or {}) for group in GROUPS[kind])
    seen = {finding.status for finding in findings}
    alone = Status.NOT_APPLICABLE if seen == {Status.NOT_APPLICABLE} else Status.PASSED
    return Observation(
        kind=kind,
        status=Status.FAILED if Status.FAILED in seen else alone,
        method=METHOD,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        values={"cases": len(cases), "wrong": len(wrong(cases))},
        facts={f"{case.group}: {case.name}": case.told for case in cases},
        findings=findings,
    )


def _finding(group: str, cases: Sequence[Case], left: Left) -> Finding:
    own = [case for case in cases if case.group == group]
    if not own and group in left:
        return Finding(group, Status.NOT_APPLICABLE, left[group])
    told = "; ".join(f"{case.name}: {case.told}" for case in wrong(own))
    if told or not own:
        return Finding(group, Status.FAILED, told or "nothing of it was tried")
    return Finding(group, Status.PASSED, f"{len(own)} of {len(own)} as expected")


def _undone(kind: str, started_at: datetime, status: Status, why: str) -> Observation:
    # Of a registry that does not check operations nothing can be seen, and a red finding would say it was.
    finding = Finding("operation_security", status, why)
    return Observation(kind, status, METHOD, started_at, datetime.now(UTC), findings=(finding,))
