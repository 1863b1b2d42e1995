"""The services under test as a Dagster resource: the user's own, or an embedded stack.

What belongs here: starting the stack on first use and stopping it with the run.
What does not: how nodes and registries work (see `stack`).
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import dagster as dg
from pydantic import PrivateAttr

from hologram_dagster.gate.run import GateRun
from hologram_dagster.gate.services import Endpoints, open_endpoints


class StackResource(dg.ConfigurableResource["StackResource"]):
    """Endpoints of the services that this run judges; started once a run, when first asked for."""

    _cleanup: ExitStack = PrivateAttr(default_factory=ExitStack)
    _endpoints: Endpoints | None = PrivateAttr(default=None)
    _told: bool = PrivateAttr(default=False)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["StackResource"]:
        """Stop what was started when the run ends, whatever way it ends."""
        with ExitStack() as cleanup:
            self._cleanup = cleanup
            self._endpoints = None
            self._told = False
            yield self

    def endpoints(self, run: GateRun) -> Endpoints:
        """The user's services where `IPFS_API` and `GRAPHQL_URL` are set, else an embedded stack.

        Raises:
            HologramError: only one of the two is set, or the embedded stack does not start.
        """
        if self._endpoints is None:
            self._endpoints = self._cleanup.enter_context(open_endpoints(run))
        return self._endpoints

    def newly_used(self) -> Endpoints | None:
        """The endpoints, once a run: at the first call after they were asked for."""
        if self._endpoints is None or self._told:
            return None
        self._told = True
        return self._endpoints
