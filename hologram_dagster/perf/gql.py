"""The `gql` operation: one HTTP POST that resolves a name (contract section 2.1).

The request goes out over one kept-alive connection a launch; its status and its answer
are asserted each time, outside the timed part. Whoever calls holds the measuring lock
(`lock`).
"""

import json
import time
from types import TracebackType
from typing import Any, Self

import httpx

from hologram_dagster.errors import HologramError, ServiceError, ServiceTimeoutError
from hologram_dagster.observation import Finding, Status
from hologram_dagster.perf.measurement import Launch, Measurement, WrongAnswerError, measure
from hologram_dagster.profiles import Operation
from hologram_dagster.registry.client import RegistryClient
from hologram_dagster.secrets.redactor import redact

QUERY = "query($n:String!){ resolve(name:$n){ encoding } }"
SEED = "mutation($n:String!,$c:String!){ upsertObject(name:$n,content:$c){ name } }"
# Contract section 3.4.
SEED_CONTENT = "Hello Hologram"
_NS_PER_MS = 1e6
_QUOTED = 200


def measure_gql(
    operation: Operation,
    *,
    url: str,
    token: str | None,
    name: str,
    warmup: int,
    samples: int,
    budget_ms: float,
    timeout_s: float = 10.0,
) -> Measurement:
    """Measure resolving `name` at the registry `url`, with `token` verbatim as `authorization`.

    A name that does not resolve is seeded once, which is told in a finding. A p95 above
    `budget_ms` has it launched anew, at most twice. Never raises for what it observes.
    """

    def launch() -> Launch:
        with _Resolver(url, token=token, name=name, timeout_s=timeout_s) as resolver:
            remarks = resolver.make_sure_it_resolves()
            for _ in range(warmup):
                resolver.timed_ns()
            return Launch(
                samples_ms=[resolver.timed_ns() / _NS_PER_MS for _ in range(samples)],
                right=f"all {samples} requests resolved {name} to the same encoding",
                facts={"name": name},
                remarks=remarks,
            )

    return measure(
        operation, launch, metric="resolve_ms", note=f"name={name}", budget_ms=budget_ms, values={}
    )


class _NotResolvedError(Exception):
    """The name has no encoding; the text says what came instead, `refused` whether that was an error."""

    def __init__(self, text: str, *, refused: bool):
        super().__init__(text)
        self.refused = refused


class _Resolver:
    """One connection that sends the same request again and again.

    Raises:
        HologramError: the URL or the token cannot be sent.
    """

    def __init__(self, url: str, *, token: str | None, name: str, timeout_s: float):
        self._url, self._token, self._name, self._timeout_s = url, token, name, timeout_s
        self._encoding: str | None = None
        headers = {"content-type": "application/json"} | ({"authorization": token} if token else {})
        self._client = httpx.Client(timeout=timeout_s, trust_env=False)
        body = json.dumps({"query": QUERY, "variables": {"n": name}}).encode()
        try:
            self._request = self._client.build_request("POST", url, content=body, headers=headers)
        except (httpx.InvalidURL, ValueError):
            self._client.close()
            raise HologramError(
                "cannot ask the registry: GRAPHQL_URL is no URL, or GRAPHQL_TOKEN no header text. "
                "Correct them."
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def make_sure_it_resolves(self) -> tuple[Finding, ...]:
        """Resolve the name, seeding it first where it is unknown; what was done, as findings."""
        try:
            self._check(self._send())
        except _NotResolvedError as missing:
            self._seed(str(missing))
        else:
            return ()
        self.timed_ns()
        return (
            Finding("seeded", Status.PASSED, f"{self._name} did not resolve and was published for this test"),
        )

    def timed_ns(self) -> int:
        """The time of one request with its whole answer, ns; the answer is checked afterwards."""
        start = time.perf_counter_ns()
        response = self._send()
        end = time.perf_counter_ns()
        try:
            self._check(response)
        except _NotResolvedError as missing:
            text = f"{self._name} does not resolve any more: {missing}"
            raise (ServiceError(text) if missing.refused else WrongAnswerError(text)) from None
        return end - start

    def _send(self) -> httpx.Response:
        try:
            return self._client.send(self._request)
        except httpx.LocalProtocolError:
            # Its text would repeat the header, and so the token.
            raise HologramError("GRAPHQL_TOKEN is no header text: set it without line feeds.") from None
        except httpx.TimeoutException:
            raise ServiceTimeoutError(
                f"the registry at {redact(self._url)} gave no answer within {self._timeout_s:g} s: "
                "see whether it hangs."
            ) from None
        except httpx.HTTPError as error:
            raise ServiceError(
                f"the registry at {redact(self._url)} cannot be reached: {redact(str(error))}. "
                "Start it, or correct GRAPHQL_URL."
            ) from None

    def _check(self, response: httpx.Response) -> None:
        """Hold the answer to be the right one.

        Raises:
            _NotResolvedError: the name has no encoding.
            WrongAnswerError: the encoding is another than before, or the answer no GraphQL.
            ServiceError: the registry did not do the request.
        """
        if response.status_code != httpx.codes.OK:
            raise ServiceError(
                f"the registry answered with HTTP status {response.status_code}: {_shown(response)}"
            )
        try:
            answer: Any = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise WrongAnswerError(f"the registry's answer is no GraphQL: {_shown(response)}")
        errors, data = answer.get("errors"), answer.get("data")
        resolved = data.get("resolve") if isinstance(data, dict) else None
        encoding = resolved.get("encoding") if isinstance(resolved, dict) else None
        if errors or not isinstance(encoding, str) or not encoding:
            raise _NotResolvedError(f"the registry answered {_shown(response)}", refused=bool(errors))
        if self._encoding is None:
            self._encoding = encoding
        if encoding != self._encoding:
            raise WrongAnswerError(
                f"{self._name} resolved to {encoding[:24]}… after it had resolved to {self._encoding[:24]}…"
            )

    def _seed(self, missing: str) -> None:
        try:
            with RegistryClient(self._url, token=self._token, timeout_s=self._timeout_s) as registry:
                registry.execute(SEED, {"n": self._name, "c": SEED_CONTENT})
        except ServiceError as error:
            raise HologramError(
                f"{self._name} does not resolve ({missing}), and publishing it failed: {error} "
                "Name a published object in GRAPHQL_TEST_NAME, or give a publisher's token in GRAPHQL_TOKEN."
            ) from None


def _shown(response: httpx.Response) -> str:
    text = redact(response.text[: 10 * _QUOTED])
    return repr(text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…")
