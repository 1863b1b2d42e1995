"""pip-audit against a real source over HTTP: what is known is red, what was not asked is never green."""

import pytest

from hologram_dagster.errors import ServiceError, SettingsError
from hologram_dagster.evidence.check import CheckResult, Severity
from hologram_dagster.evidence.judge import judge
from hologram_dagster.evidence.record import Record
from hologram_dagster.observation import Observation, Status
from hologram_dagster.processes import LOOPBACK, free_port
from hologram_dagster.profiles import ProfileName
from hologram_dagster.settings import load_settings
from hologram_dagster.supply_chain.audit import Vulnerability, audit
from hologram_dagster.supply_chain.locks import Locked
from hologram_dagster.supply_chain.observing import installed_packages, observe_vulnerabilities
from hologram_dagster_tests.evidence.helpers import NOW, identity, plan_of, signer
from hologram_dagster_tests.supply_chain.osv import osv

pytestmark = pytest.mark.phase7_security

TARGET = [Locked("pypi", "jinja2", "2.0"), Locked("npm", "left-pad", "1.0.0"), Locked("pypi", "loose", "")]
GATE = [Locked("pypi", "flask", "1.0")]


def results(seen: Observation) -> dict[str, CheckResult]:
    record = Record.from_observation(seen, identity(), signer(), now=NOW)
    return {result.check: result for result in judge(record, plan_of(ProfileName.NIGHTLY))}


def test_without_a_source_every_check_warns_and_none_is_green() -> None:
    judged = results(observe_vulnerabilities(None, TARGET, GATE))
    assert set(judged) == {"observed", "target_not_vulnerable", "gate_not_vulnerable"}
    for result in judged.values():
        assert (result.status, result.severity) == (Status.NOT_APPLICABLE, Severity.WARN)
        assert result.message.startswith("not audited")


def test_what_nothing_is_known_against_is_green_and_what_is_known_of_the_target_is_red() -> None:
    with osv({}) as (url, asked):
        seen = observe_vulnerabilities(url, TARGET, GATE)
    assert sorted(asked) == ["flask", "jinja2"]
    assert {result.status for result in results(seen).values()} == {Status.PASSED}
    assert (seen.values["target_audited"], seen.values["target_not_audited"]) == (1, 2)
    assert "1 npm packages" in seen.facts["not_audited"]

    with osv({("jinja2", "2.0"): "PYSEC-1"}) as (url, _):
        judged = results(observe_vulnerabilities(url, TARGET, GATE))
    red = [name for name, result in judged.items() if result.red]
    assert red == ["target_not_vulnerable"]
    assert judged["target_not_vulnerable"].message == "jinja2 2.0: PYSEC-1 (fixed in 9.9)"


def test_what_is_known_of_the_gate_itself_only_warns() -> None:
    with osv({("flask", "1.0"): "PYSEC-2"}) as (url, _):
        judged = results(observe_vulnerabilities(url, TARGET, GATE))
    told = judged["gate_not_vulnerable"]
    assert (told.status, told.severity, told.red) == (Status.FAILED, Severity.WARN, False)
    assert not any(result.red for result in judged.values())


def test_every_version_of_a_package_is_asked_for() -> None:
    with osv({("a", "2"): "PYSEC-3"}) as (url, asked):
        found = audit([Locked("pypi", "a", "1"), Locked("pypi", "a", "2")], url)
    assert asked == ["a", "a"]
    assert found == (Vulnerability("a", "2", "PYSEC-3", ("9.9",)),)


def test_a_source_that_is_gone_or_refuses_is_an_error_and_never_green() -> None:
    with pytest.raises(ServiceError, match="HOLOGRAM_AUDIT_SOURCE"):
        audit(GATE, f"http://{LOOPBACK}:{free_port()}/v1/query")
    with osv({}, status=503) as (url, _), pytest.raises(ServiceError, match="HOLOGRAM_AUDIT_SOURCE"):
        audit(GATE, url)


def test_the_gates_own_packages_are_the_installed_ones_without_itself() -> None:
    names = {item.name for item in installed_packages()}
    assert {"dagster", "pip-audit"} <= names
    assert "hologram-dagster" not in names


def test_a_source_is_a_known_name_or_an_address() -> None:
    assert load_settings(audit_source="osv").audit_source == "osv"
    with pytest.raises(SettingsError, match="HOLOGRAM_AUDIT_SOURCE"):
        load_settings(audit_source="nvd")
