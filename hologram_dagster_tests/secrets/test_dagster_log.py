"""What a step logs or raises reaches neither Dagster's event log nor its console with a secret."""

import dagster as dg
import pytest
from dagster._core.log_manager import DagsterLogHandler
from dagster._serdes import serialize_value

from hologram_dagster.resources import redaction
from hologram_dagster.resources.redaction import protect_log, without_secrets
from hologram_dagster.secrets.known import remember

pytestmark = pytest.mark.phase7_security

VALUE = "Qwerty-0-sesame"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster's log as it is without us, whatever other tests did to it."""
    monkeypatch.setattr(DagsterLogHandler, "_convert_record", redaction._convert_record)


def _job() -> dg.JobDefinition:
    @dg.op
    def leaking(context: dg.OpExecutionContext) -> None:
        context.log.warning("sent token=%s", VALUE)
        try:
            raise ValueError(f"caught: password={VALUE}")
        except ValueError:
            context.log.error("it failed", exc_info=True)
        context.log_event(dg.AssetObservation("a", metadata={"why": f"the answer held {VALUE}", "token": 3}))
        try:
            raise OSError(f"cause: {VALUE} is unknown")
        except OSError as cause:
            raise dg.Failure(
                f"Authorization: Bearer {VALUE}", metadata={"url": f"http://u:{VALUE}@h"}
            ) from cause

    @dg.job
    def job() -> None:
        leaking()

    return job


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("protected", [True, False])
def test_log_error_cause_and_metadata(protected: bool, capfd: pytest.CaptureFixture[str]) -> None:
    remember(VALUE)
    if protected:
        protect_log()
        protect_log()
    with dg.DagsterInstance.ephemeral() as instance:
        result = _job().execute_in_process(instance=instance, raise_on_error=False)
        entries = instance.all_logs(result.run_id)
        stored = "\n".join(serialize_value(entry) for entry in entries)
    console = "".join(capfd.readouterr())
    assert not result.success
    # Without the protection all of it is there: so there is something to protect.
    assert (VALUE in stored, VALUE in console) == (not protected, not protected)
    if protected:
        assert stored.count("[REDACTED]") >= 5
        assert "ValueError: caught: password=[REDACTED]" in console
        (failed,) = (entry.dagster_event for entry in entries if _is_failure(entry.dagster_event))
        told = failed and failed.step_failure_data.user_failure_data
        assert told is not None
        assert told.description == "Authorization: [REDACTED]"


def _is_failure(event: dg.DagsterEvent | None) -> bool:
    return event is not None and event.is_step_failure


@pytest.mark.usefixtures("log")
def test_an_event_without_secrets_is_the_same_object() -> None:
    protect_log()
    with dg.DagsterInstance.ephemeral() as instance:
        result = _job().execute_in_process(instance=instance, raise_on_error=False)
        events = [entry.dagster_event for entry in instance.all_logs(result.run_id) if entry.dagster_event]
    assert len(events) > 5
    assert all(without_secrets(event) is event for event in events)
