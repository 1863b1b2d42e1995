"""`chaos_gql_backpressure`: more arrives at the registry than it can serve.

First 5, 10 and 20 clients at once (contract section 3.8), then rates that rise beyond what it can
serve. What it accepts keeps its budget, what it refuses gets 503 and `Retry-After`, nothing hangs,
and it is soon as before. A request of the ramp resolves many names at once, so that the registry
and not the load is the bottleneck.
"""

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hologram_dagster.chaos.experiments.trial import BETWEEN_S, Round, Trial
from hologram_dagster.chaos.host_share import used
from hologram_dagster.chaos.load import Load
from hologram_dagster.errors import HologramError, ServiceError
from hologram_dagster.observation import Finding, Status
from hologram_dagster.perf.measurement import MOST_LAUNCHES
from hologram_dagster.perf.open_model import Arrival, drive
from hologram_dagster.perf.raw_http import Answer, RawClient
from hologram_dagster.perf.statistics import percentile

NAME = "chaos_gql_backpressure"
TITLE = "More arrives at the registry than it can serve"
CONCURRENCY = (5, 10, 20)
LEAST_SUCCESS = 0.8
# Of what the registry serves at most.
RAMP = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
# As many names as the reference registry lets one query ask for.
NAMES_A_REQUEST = 32
# Goodput of at least as much of what arrives: it keeps up.
_KEEPS_UP = 0.95
_PROBES = 10
_CAPACITY_WORKERS = 4
_MOST_LAG_SHARE = 0.25
# Cores that are busy with other work: more makes requests late whatever the registry does.
MOST_OTHERS_CORES = 0.25
_BUSY = 503


class ShedError(ServiceError):
    """The registry refused for want of room; `told_when` says whether with `Retry-After`, in seconds."""

    def __init__(self, told_when: bool) -> None:
        super().__init__("refused with 503")
        self.told_when = told_when


@dataclass(frozen=True, slots=True)
class Step:
    """One rate of the ramp, requests a second, and what came of those that fell due at it.

    `others_cores` of the host were busy meanwhile with what is not ours.
    """

    rate_per_s: float
    due: int
    accepted_ms: Sequence[float]
    shed: int
    shed_without_time: int
    failed: int
    cause: str
    lag_p95_ms: float
    lasted_s: float
    drained_s: float
    others_cores: float = 0.0

    @property
    def goodput_per_s(self) -> float:
        """Requests served a second."""
        return len(self.accepted_ms) / self.lasted_s

    @property
    def p95_ms(self) -> float:
        """Of those accepted, from when they were due, ms; 0 where none was."""
        return percentile(self.accepted_ms, 0.95) if self.accepted_ms else 0.0


@dataclass(slots=True)
class GqlBackpressure:
    """The experiment's state, and its steps. `name` resolves at the registry `url`.

    A request that is not answered within `timeout_s` hangs. `below`: the registry is a process below this
    one, so that it can be told what others use of the host; what is late then is undecided.
    """

    url: str
    token: str | None
    name: str
    budget_ms: float
    step_s: float = 2.0
    ramp: Sequence[float] = RAMP
    names_a_request: int = NAMES_A_REQUEST
    requests_a_client: int = 20
    timeout_s: float = 10.0
    below: bool = False
    success: dict[int, float] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    service_ms: float = 0.0
    capacity_per_s: float = 0.0
    steady_again_s: float | None = None
    _steady_ms: float = 0.0
    _overload_ended: float = 0.0
    _expected: dict[bytes, bytes] = field(default_factory=dict)

    def steady(self) -> str:
        """Why the registry does not serve as it should; empty when it does. Notes how fast it is."""
        try:
            self._steady_ms, self.service_ms = asyncio.run(self._probe())
        except HologramError as error:
            return str(error)
        return ""

    def crowd(self) -> None:
        """Let 5, 10 and 20 clients resolve the name at once."""
        for clients in CONCURRENCY:
            self.success[clients] = asyncio.run(self._crowd(clients))

    def overload(self) -> None:
        """Find what the registry serves at most, and let rates rise beyond it.

        A rate at which what was accepted came late is tried again, at most twice, since one breach may
        be the host's doing; the best counts, unless something was neither served nor refused.
        """
        self.capacity_per_s = asyncio.run(self._capacity())
        for share in self.ramp:
            self.steps.append(self._best(share * self.capacity_per_s))
        self._overload_ended = time.monotonic() - self.steps[-1].drained_s

    def witness(self) -> tuple[bool, str]:
        """Whether more arrived than could be served: goodput stayed behind, at the highest rate."""
        if not self.steps:
            return False, "nothing has arrived yet"
        last = self.steps[-1]
        told = f"at {last.rate_per_s:.0f} a second, {last.goodput_per_s:.0f} a second were served"
        return last.goodput_per_s < _KEEPS_UP * last.rate_per_s, told

    def recovered(self) -> bool:
        """Whether a resolve is as fast as before, or near it; notes how long that took."""
        try:
            now_ms, _ = asyncio.run(self._probe())
        except HologramError:
            return False
        if now_ms > max(2 * self._steady_ms, self._steady_ms + self.budget_ms / 4):
            return False
        if self.steady_again_s is None:
            self.steady_again_s = time.monotonic() - self._overload_ended
        return True

    def trial(self, load: Load | None = None) -> Trial:
        """The experiment as a trial: crowds and overload are its one fault, which ends by itself."""

        def inject() -> None:
            self.crowd()
            self.overload()

        overload = Round(
            "overload",
            inject,
            self.witness,
            mend=lambda: None,
            recovered=self.recovered,
            after_s=BETWEEN_S if load is not None else 0.0,
        )
        return Trial(
            NAME,
            self.steady,
            [overload],
            self.findings,
            self.values,
            load,
            title=TITLE,
            budget_ms=self.budget_ms,
            chaos_type="gql_backpressure",
        )

    @property
    def knee(self) -> Step | None:
        """The highest rate that was kept up with, within the budget."""
        good = [
            step
            for step in self.steps
            if step.goodput_per_s >= _KEEPS_UP * step.rate_per_s and step.p95_ms <= self.limit_ms
        ]
        return max(good, key=lambda step: step.rate_per_s, default=None)

    @property
    def limit_ms(self) -> float:
        """The budget of an accepted request: that of waiting, and what serving this one takes, ms."""
        return self.budget_ms + self.service_ms

    def findings(self) -> tuple[Finding, ...]:
        """What must hold of the figures."""
        return (
            *self._crowds(),
            *(self._accepted(), self._refused(), self._nothing_hangs(), self._shed(), self._lag()),
        )

    def values(self) -> Mapping[str, float]:
        """The figures."""
        due, accepted = (
            sum(step.due for step in self.steps),
            sum(len(step.accepted_ms) for step in self.steps),
        )
        shed = sum(step.shed for step in self.steps)
        figures: dict[str, float] = {
            "chaos_events": len(self.success) + len(self.steps),
            "success_rate": min(self.success.values(), default=0.0),
            "failure_rate": 1 - min(self.success.values(), default=0.0),
            "service_ms": self.service_ms,
            "capacity_per_s": self.capacity_per_s,
            "knee_per_s": self.knee.rate_per_s if self.knee else 0.0,
            "goodput_per_s": max((step.goodput_per_s for step in self.steps), default=0.0),
            "shed_rate": shed / due if due else 0.0,
            "accepted": accepted,
            "accepted_p95_ms": max((step.p95_ms for step in self.steps), default=0.0),
            "drain_ms": 1000 * max((step.drained_s for step in self.steps), default=0.0),
            "others_cores": max((step.others_cores for step in self.steps), default=0.0),
            "send_lag_p95_ms": max((step.lag_p95_ms for step in self.steps), default=0.0),
        }
        figures |= {f"success_rate_{clients}": share for clients, share in self.success.items()}
        if self.steady_again_s is not None:
            figures["recovery_time_ms"] = 1000 * self.steady_again_s
        for number, step in enumerate(self.steps, 1):
            figures |= {
                f"step_{number}_rate_per_s": step.rate_per_s,
                f"step_{number}_goodput_per_s": step.goodput_per_s,
                f"step_{number}_p95_ms": step.p95_ms,
                f"step_{number}_shed": step.shed,
            }
        return figures

    def _crowds(self) -> list[Finding]:
        return [
            Finding(
                f"crowd_of_{clients}",
                Status.PASSED if share >= LEAST_SUCCESS else Status.FAILED,
                f"{100 * share:.1f} % of the requests of {clients} clients at once were answered right, "
                f"at least {100 * LEAST_SUCCESS:g} % are required",
            )
            for clients, share in self.success.items()
        ]

    def _accepted(self) -> Finding:
        worst = max(self.steps, key=lambda step: step.p95_ms)
        told = (
            f"the p95 of accepted requests is {worst.p95_ms:.1f} ms at {worst.rate_per_s:.0f} a second, "
            f"{self.limit_ms:.1f} ms are allowed"
        )
        if worst.p95_ms <= self.limit_ms:
            return Finding("accepted", Status.PASSED, told)
        if self.below and worst.others_cores > MOST_OTHERS_CORES:
            told = f"{told}; other work kept {worst.others_cores:.2f} cores of the host busy meanwhile"
            return Finding("accepted", Status.INCONCLUSIVE, told)
        return Finding("accepted", Status.FAILED, told)

    def _refused(self) -> Finding:
        shed, silent = (
            sum(step.shed for step in self.steps),
            sum(step.shed_without_time for step in self.steps),
        )
        told = f"{silent} of {shed} refusals did not say when to come again"
        return Finding("refused", Status.FAILED if silent else Status.PASSED, told)

    def _nothing_hangs(self) -> Finding:
        failed = sum(step.failed for step in self.steps)
        cause = next((step.cause for step in self.steps if step.failed), "")
        told = f"{failed} of {sum(step.due for step in self.steps)} requests were neither served nor refused"
        return Finding(
            "nothing_hangs",
            Status.FAILED if failed else Status.PASSED,
            told + (f": {cause}" if cause else ""),
        )

    def _shed(self) -> Finding:
        held, told = self.witness()
        return Finding("overloaded", Status.PASSED if held else Status.INCONCLUSIVE, told)

    def _lag(self) -> Finding:
        lag = max(step.lag_p95_ms for step in self.steps)
        most = _MOST_LAG_SHARE * self.limit_ms
        status = Status.INCONCLUSIVE if lag > most else Status.PASSED
        return Finding("send_lag", status, f"the p95 of our own lag is {lag:.1f} ms, at most {most:.1f} ms")

    def _body(self, names: int) -> bytes:
        fields = "encoding proofChain { layer hash valid } proofs { merkleRoot witnesses }"
        asked = " ".join(f"n{number}: resolve(name: $n) {{ {fields} }}" for number in range(names))
        return json.dumps(
            {"query": f"query($n: String!) {{ {asked} }}", "variables": {"n": self.name}}
        ).encode()

    def _client(self) -> RawClient:
        return RawClient(self.url, {"authorization": self.token} if self.token else None)

    async def _ask(self, client: RawClient, body: bytes) -> None:
        """Send one request, and hold its answer to be the first one's."""
        answer = await client.post(body)
        if answer.status == _BUSY:
            raise ShedError(_says_when(answer))
        if answer.status != 200 or b'"errors"' in answer.body:
            raise ServiceError(f"answered with status {answer.status}: {answer.body[:200]!r}")
        if self._expected.setdefault(body, answer.body) != answer.body:
            raise ServiceError("the same request was answered otherwise than before")

    async def _probe(self) -> tuple[float, float]:
        """Medians of a resolve and of a request of the ramp, one at a time, ms."""
        async with self._client() as client:
            medians = []
            for body in (self._body(1), self._body(self.names_a_request)):
                taken = []
                for _ in range(_PROBES):
                    began = time.perf_counter()
                    async with asyncio.timeout(self.timeout_s):
                        await self._ask(client, body)
                    taken.append(1000 * (time.perf_counter() - began))
                medians.append(percentile(taken, 0.5))
            return medians[0], medians[1]

    async def _crowd(self, clients: int) -> float:
        body, ends = self._body(1), Counter[bool]()

        async def one(client: RawClient) -> None:
            for _ in range(self.requests_a_client):
                try:
                    async with asyncio.timeout(self.timeout_s):
                        await self._ask(client, body)
                except (TimeoutError, HologramError):
                    ends[False] += 1
                else:
                    ends[True] += 1

        async with self._client() as client:
            await asyncio.gather(*(one(client) for _ in range(clients)))
        return ends[True] / ends.total()

    async def _capacity(self) -> float:
        """Requests a second that a few clients, each as fast as it can, get served."""
        body, served = self._body(self.names_a_request), itertools.count()
        end = time.monotonic() + self.step_s

        async def one(client: RawClient) -> None:
            while time.monotonic() < end:
                try:
                    async with asyncio.timeout(self.timeout_s):
                        await self._ask(client, body)
                except ShedError:
                    continue
                next(served)

        async with self._client() as client:
            await asyncio.gather(*(one(client) for _ in range(_CAPACITY_WORKERS)))
        return max(1.0, next(served) / self.step_s)

    def _best(self, rate_per_s: float) -> Step:
        seen: list[Step] = []
        while len(seen) < MOST_LAUNCHES and all(step.p95_ms > self.limit_ms for step in seen):
            seen.append(asyncio.run(self._step(rate_per_s)))
            if seen[-1].failed:
                return seen[-1]
        return min(seen, key=lambda step: step.p95_ms)

    async def _step(self, rate_per_s: float) -> Step:
        body, ended = self._body(self.names_a_request), list[Arrival]()
        before, began = used(), time.perf_counter()
        async with self._client() as client:
            seen = await drive(
                lambda: self._ask(client, body),
                rate_per_s=rate_per_s,
                duration_s=self.step_s,
                timeout_s=self.timeout_s,
                told=ended.append,
            )
        lasted, after = time.perf_counter() - began, used()
        accepted = [(each.ended_ns - each.due_ns) / 1e6 for each in ended if each.error is None]
        shed = [each.error for each in ended if isinstance(each.error, ShedError)]
        failed = [each.error for each in ended if each.error and not isinstance(each.error, ShedError)]
        drained_s = (max(each.ended_ns for each in ended) - max(each.due_ns for each in ended)) / 1e9
        return Step(
            rate_per_s=rate_per_s,
            due=seen.due,
            accepted_ms=accepted,
            shed=len(shed),
            shed_without_time=sum(not each.told_when for each in shed),
            failed=len(failed),
            cause=str(failed[0]) if failed else "",
            lag_p95_ms=seen.lag.percentile_ms(95),
            lasted_s=lasted,
            drained_s=drained_s,
            others_cores=after.others_cores(before, lasted) if before and after else 0.0,
        )


def _says_when(answer: Answer) -> bool:
    """Whether an answer has a `Retry-After` of whole seconds (RFC 9110, section 10.2.3)."""
    return answer.retry_after is not None and answer.retry_after.strip().isdigit()
