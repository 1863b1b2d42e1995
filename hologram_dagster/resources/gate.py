"""The gate run as a Dagster resource: which run, which profile, whose evidence.

What belongs here: translating Dagster's run (id, tags, instance) into `gate.GateRun`.
What does not: any rule of the gate.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from pydantic import PrivateAttr

from hologram_dagster.errors import HologramError
from hologram_dagster.gate.run import GateRun, open_gate_run
from hologram_dagster.settings import load_settings

Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext

PROFILE_TAG = "hologram/profile"
COMMIT_TAG = "hologram/commit"
BASELINE_TAG = "hologram/baseline"
# Dagster makes such a folder, and deletes it at the end, where no DAGSTER_HOME is set.
_THROW_AWAY = ".tmp_dagster_home_"


class GateRefused(dg.Failure):
    """The gate does not run as asked; the text says why and what to do. Not a verdict."""

    def __init__(self, reason: str):
        super().__init__(description=reason, allow_retries=False)


@contextmanager
def refusing() -> Iterator[None]:
    """Tell a user's mistake, or what the environment does not allow, as a refusal without our frames."""
    try:
        yield
    except HologramError as error:
        raise GateRefused(str(error)) from None


class GateResource(dg.ConfigurableResource[None]):
    """Opens the gate run that a step belongs to; the same object for every step of a run."""

    profile: str | None = None
    _opened: dict[str, GateRun] = PrivateAttr(default_factory=dict)

    def open(self, context: Context) -> GateRun:
        """The gate run of this step.

        Raises:
            GateRefused: the instance is thrown away at the end, or a setting, the
                repository or the revision does not allow this run.
        """
        run = context.run
        if run.run_id in self._opened:
            return self._opened[run.run_id]
        with refusing():
            settings = load_settings()
            if not settings.allow_ephemeral and _is_thrown_away(context.instance):
                raise HologramError(
                    "this Dagster instance is thrown away at the end of the run, and the audit trail "
                    "with it: set DAGSTER_HOME to a folder that stays, "
                    "or HOLOGRAM_ALLOW_EPHEMERAL=1 to run anyway."
                )
            opened = open_gate_run(
                settings,
                run_id=run.run_id,
                profile_tag=run.tags.get(PROFILE_TAG),
                profile_config=self.profile,
                commit_tag=run.tags.get(COMMIT_TAG),
                baseline_tag=run.tags.get(BASELINE_TAG),
            )
        self._opened[run.run_id] = opened
        return opened


def _is_thrown_away(instance: dg.DagsterInstance) -> bool:
    return instance.is_ephemeral or _THROW_AWAY in instance.root_directory
