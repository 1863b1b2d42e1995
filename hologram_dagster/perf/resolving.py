"""Resolving one name at a registry, for the ways of measuring that are not `gql`'s.

What belongs here: the request, seeding, and holding an answer to be right. What does not:
when requests are sent (`load`, `cold_warm`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from gql.transport.exceptions import TransportQueryError

from hologram_dagster.errors import HologramError, ServiceError
from hologram_dagster.perf.gql import QUERY, SEED, SEED_CONTENT
from hologram_dagster.registry.client import RegistryClient, RegistryError
from hologram_dagster.secrets.redactor import redact

_QUOTED = 200


@dataclass(frozen=True, slots=True)
class Resolving:
    """The name to resolve, and where; `token` goes verbatim as `authorization`."""

    url: str
    token: str | None
    name: str
    timeout_s: float

    def request(self) -> httpx.Request:
        """The request that resolves the name.

        Raises:
            HologramError: the URL or the token cannot be sent.
        """
        headers = {"authorization": self.token} if self.token else {}
        if self.token and not self.token.isprintable():
            raise HologramError("GRAPHQL_TOKEN is no header text: set it without line feeds.")
        try:
            return httpx.Request(
                "POST", self.url, json={"query": QUERY, "variables": {"n": self.name}}, headers=headers
            )
        except (httpx.InvalidURL, ValueError):
            # The error's own text would repeat the token.
            raise HologramError(
                "cannot ask the registry: GRAPHQL_URL is no URL, or GRAPHQL_TOKEN no header text. "
                "Correct them."
            ) from None

    def make_sure_it_resolves(self) -> str:
        """The name's encoding; seeds it once where there is none.

        Raises:
            HologramError: the name does not resolve and cannot be seeded, or nobody answers.
        """
        self.request()
        with RegistryClient(self.url, token=self.token, timeout_s=self.timeout_s) as registry:
            try:
                found = _encoding(registry.execute(QUERY, {"n": self.name}))
            except RegistryError as error:
                # To many registries a name they do not know is an error (contract section 3.4).
                if not isinstance(error.__cause__, TransportQueryError):
                    raise
                found = None
            if found is None:
                registry.execute(SEED, {"n": self.name, "c": SEED_CONTENT})
                found = _encoding(registry.execute(QUERY, {"n": self.name}))
        if found is None:
            raise ServiceError(f"{self.name} does not resolve although it was published")
        return found

    @contextmanager
    def failures_told(self) -> Iterator[None]:
        """Around sending the request: what goes wrong with it, in our words.

        Raises:
            ServiceError: no answer came.
        """
        try:
            yield
        except httpx.TimeoutException:
            raise ServiceError(f"no answer within {self.timeout_s:g} s") from None
        except httpx.HTTPError as error:
            raise ServiceError(f"cannot reach the registry: {redact(str(error))}") from None

    def check(self, response: httpx.Response, encoding: str) -> None:
        """Hold `response` to resolve the name to `encoding`.

        Raises:
            ServiceError: it does not.
        """
        try:
            answer: Any = response.json()
        except ValueError:
            answer = None
        data = answer.get("data") if isinstance(answer, dict) and not answer.get("errors") else None
        if response.status_code != httpx.codes.OK or _encoding(data) != encoding:
            text = redact(response.text[: 10 * _QUOTED])[:_QUOTED]
            raise ServiceError(f"{self.name}: HTTP status {response.status_code} with {text!r}")


def _encoding(data: Any) -> str | None:
    resolved = data.get("resolve") if isinstance(data, dict) else None
    encoding = resolved.get("encoding") if isinstance(resolved, dict) else None
    return encoding if isinstance(encoding, str) and encoding else None
