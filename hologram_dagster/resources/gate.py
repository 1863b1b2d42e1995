"""The gate run as a Dagster resource: which run, which profile, whose evidence.

What belongs here: translating Dagster's run (id, tags, instance) into `gate.GateRun`.
What does not: any rule of the gate.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import dagster as dg
from pydantic import PrivateAttr

from hologram_dagster.errors import HologramError
from hologram_dagster.gate.life import sign_of_life
from hologram_dagster.gate.origin import settings_at
from hologram_dagster.gate.run import GateRun, open_gate_run
from hologram_dagster.gate.tags import BASELINE_TAG, COMMIT_TAG, ORIGIN_TAG, PROFILE_TAG
from hologram_dagster.settings import load_settings

Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext

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
    _alive: ExitStack = PrivateAttr(default_factory=ExitStack)

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
            # Not the run's own copy, which lacks the tags that `revision` has added.
            tags = (context.instance.get_run_by_id(run.run_id) or run).tags
            if not settings.allow_ephemeral and _is_thrown_away(context.instance):
                raise HologramError(
                    "this Dagster instance is thrown away at the end of the run, and the audit trail "
                    "with it: set DAGSTER_HOME to a folder that stays, "
                    "or HOLOGRAM_ALLOW_EPHEMERAL=1 to run anyway."
                )
            # Before the checkout, which may take long: a run is alive from its first moment.
            self._alive.enter_context(sign_of_life(settings.state_dir, run.run_id))
            opened = open_gate_run(
                settings_at(settings, origin=tags.get(ORIGIN_TAG), commit=tags.get(COMMIT_TAG)),
                run_id=run.run_id,
                profile_tag=tags.get(PROFILE_TAG),
                profile_config=self.profile,
                commit_tag=tags.get(COMMIT_TAG),
                baseline_tag=tags.get(BASELINE_TAG),
            )
        self._opened[run.run_id] = opened
        return opened

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """The run is over: it shows no sign of life any more."""
        self._alive.close()


def _is_thrown_away(instance: dg.DagsterInstance) -> bool:
    return instance.is_ephemeral or _THROW_AWAY in instance.root_directory
