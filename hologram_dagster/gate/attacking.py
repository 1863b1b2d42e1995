"""Attacks on the registry of a run, as evidence: a table of what was to come of each, and what came.

What belongs here: which registry is attacked, and with how much. What does not: the attacks
(`attack`), whether a wrong cell fails the run (`evidence.judge`).
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from hologram_dagster.attack.cases import Case, wrong
from hologram_dagster.attack.ctp96 import GROUPS, MANY_NONCES, Target, attack
from hologram_dagster.attack.sender import Sender
from hologram_dagster.chaos.experiment import Service
from hologram_dagster.chaos.permission import refusal as not_to_be_disturbed
from hologram_dagster.errors import HologramError
from hologram_dagster.gate.disruption import refusal
from hologram_dagster.gate.run import GateRun, signer_of
from hologram_dagster.gate.services import Endpoints, operator_of
from hologram_dagster.ipfs.providers import start_node
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.profiles import CTP96, STRICT
from hologram_dagster.protocol.signing import Signer
from hologram_dagster.registry.client import RegistryClient
from hologram_dagster.registry.operation_keys import write_operation_keys
from hologram_dagster.registry.operator import Operator, current_operator
from hologram_dagster.registry.process import RegistryProcess
from hologram_dagster.settings import Settings

METHOD = "1"
# For a registry that was attacked with all of it beside, or that may not be disturbed.
_FEW_NONCES = 10


def observe_ctp96(run: GateRun, endpoints: Endpoints) -> Observation:
    """What came of the attacks of CTP-96 on the registry at `endpoints`.

    The embedded one's code is attacked twice: as two registries on one database, which are restarted and
    flooded, and as the one that serves the run.

    Raises:
        HologramError: a registry does not start, or gives no answer.
    """
    started_at = datetime.now(UTC)
    if endpoints.embedded:
        return observation_of(started_at, _attack_embedded(run, endpoints), flooded=True)
    with RegistryClient(endpoints.graphql_url, token=endpoints.graphql_token) as registry:
        security = registry.security()
    if security is None or "authenticated" not in security.nonces:
        why = "the registry does not say that it checks what operations carry"
        status = Status.FAILED if run.settings.require_strict else Status.NOT_APPLICABLE
        return _undone(started_at, status, f"{why} (operationSecurity of its schema)")
    operator = current_operator()
    if operator is None or operator.nonce_key is None:
        why = "nothing genuine can be sent: set HOLOGRAM_OPERATION_KEYS to the registry's file of keys"
        return _undone(started_at, Status.INCONCLUSIVE, why)
    strict = security.mode == "required"
    if run.settings.require_strict and not strict:
        return _undone(started_at, Status.FAILED, f"the registry's mode is {security.mode}, not required")
    disturb = refusal(run.settings) is None
    target = Target(endpoints.graphql_url, strict=strict)
    with Sender(operator, endpoints.graphql_token) as sender:
        cases = attack(target, sender, nonces=MANY_NONCES if disturb else _FEW_NONCES, flood=disturb)
    return observation_of(started_at, cases, flooded=disturb)


def _attack_embedded(run: GateRun, endpoints: Endpoints) -> list[Case]:
    folder = run.settings.state_dir / "stack" / "attacked" / run.identity.run_id
    cases = _attack_regions(folder, endpoints.ipfs_api, run.signer)
    live = current_operator()
    if run.plan.profile.name in STRICT and live is not None:
        with Sender(live, endpoints.graphql_token) as sender:
            few = attack(Target(endpoints.graphql_url), sender, nonces=_FEW_NONCES, flood=False)
        cases += [replace(case, name=f"the run's own: {case.name}") for case in few]
    return cases


def attack_own(settings: Settings) -> list[Case]:
    """The whole table, against two strict registries over a node, started for it.

    Raises:
        HologramError: one of them does not start, or gives no answer.
    """
    folder = settings.state_dir / "stack" / "attacked" / uuid4().hex
    node = start_node(folder / "node")
    try:
        return _attack_regions(folder, node.api_url, signer_of(settings))
    finally:
        node.stop()
        shutil.rmtree(folder, ignore_errors=True)


def attack_theirs(settings: Settings, url: str) -> list[Case]:
    """The table against the registry at `url`, which HOLOGRAM_ALLOW_DISRUPTION must name.

    Raises:
        HologramError: it may not be disturbed, does not check what operations carry, or gives no answer.
    """
    target = Service("registry", url, started_by_us=False)
    if why := not_to_be_disturbed([target], settings.allow_disruption):
        raise HologramError(f"{why}.")
    token = settings.graphql_token.get_secret_value() if settings.graphql_token else None
    with RegistryClient(url, token=token) as registry:
        security = registry.security()
    if security is None or "authenticated" not in security.nonces:
        raise HologramError(
            f"the registry at {url} does not say that it checks what operations carry (operationSecurity "
            "of its schema): start it with operation keys."
        )
    operator = operator_of(settings, signer_of(settings))
    if operator.nonce_key is None:
        raise HologramError("nothing genuine can be sent: set HOLOGRAM_OPERATION_KEYS to its file of keys.")
    with Sender(operator, token) as sender:
        return attack(Target(url, strict=security.mode == "required"), sender)


def _attack_regions(folder: Path, ipfs_api: str, signer: Signer) -> list[Case]:
    with _regions(folder, ipfs_api, signer) as (target, operator), Sender(operator) as sender:
        return attack(target, sender)


@contextmanager
def _regions(folder: Path, ipfs_api: str, signer: Signer) -> Iterator[tuple[Target, Operator]]:
    """Two strict registries on one database, over the node at `ipfs_api`; removed afterwards."""
    path, database = folder / "keys.json", f"sqlite:///{(folder / 'shared.sqlite').absolute()}"

    def start(name: str) -> RegistryProcess:
        return RegistryProcess.start(
            folder / name, ipfs_api=ipfs_api, database=database, operation_keys=path, strict=True
        )

    try:
        operator = Operator(signer, write_operation_keys(path, [signer.public_hex]).nonce_key)
        with start("one") as one, start("two") as two:

            def restart() -> None:
                one.kill()
                one.restart()

            yield Target(one.url, two.url, restart), operator
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def observation_of(started_at: datetime, cases: Sequence[Case], *, flooded: bool) -> Observation:
    """The table as an observation: one finding a group, the cells as facts."""
    findings = tuple(_finding(group, cases, flooded=flooded) for group in GROUPS)
    failed = any(finding.status is Status.FAILED for finding in findings)
    return Observation(
        kind=CTP96,
        status=Status.FAILED if failed else Status.PASSED,
        method=METHOD,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        values={"cases": len(cases), "wrong": len(wrong(cases))},
        facts={f"{case.group}: {case.name}": f"expected {case.expected}, saw {case.seen}" for case in cases},
        findings=findings,
    )


def _finding(group: str, cases: Sequence[Case], *, flooded: bool) -> Finding:
    own = [case for case in cases if case.group == group]
    if group == "flood" and not flooded:
        return Finding(group, Status.NOT_APPLICABLE, "the registry may not be disturbed")
    told = "; ".join(f"{case.name}: expected {case.expected}, saw {case.seen}" for case in wrong(own))
    if told or not own:
        return Finding(group, Status.FAILED, told or "nothing of it was tried")
    return Finding(group, Status.PASSED, f"{len(own)} of {len(own)} as expected")


def _undone(started_at: datetime, status: Status, why: str) -> Observation:
    # Of a registry that does not check operations nothing can be seen, and a red finding would say it was.
    finding = Finding("operation_security", status, why)
    return Observation(CTP96, status, METHOD, started_at, datetime.now(UTC), findings=(finding,))
