"""The first variant of an operation that works (contract section 3.2).

A registry offers some of several mutations. One that the schema does not have leads to the
next; whatever else goes wrong is kept, and is the cause if none works.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hologram_dagster.e2e.faults import answered, not_in_schema, status_of
from hologram_dagster.e2e.services import StepFailed
from hologram_dagster.observation import Status
from hologram_dagster.registry.client import RegistryClient, RegistryError


@dataclass(frozen=True, slots=True)
class Variant:
    """One mutation: its name, the argument names it takes, and the fields to select."""

    name: str
    arguments: tuple[str, ...]
    fields: str

    @property
    def mutation(self) -> str:
        """The GraphQL document."""
        declared = ", ".join(f"${argument}: String!" for argument in self.arguments)
        given = ", ".join(f"{argument}: ${argument}" for argument in self.arguments)
        return f"mutation({declared}) {{ {self.name}({given}) {{ {self.fields} }} }}"


@dataclass(frozen=True, slots=True)
class Answered:
    """The variant that worked, the answer's data, its result, and what variants before it said."""

    variant: str
    data: dict[str, Any]
    result: dict[str, Any]
    refusals: tuple[str, ...]


class NotOfferedError(StepFailed):
    """The registry's schema has none of the variants."""


def first_that_works(
    registry: RegistryClient, variants: Sequence[Variant], values: Mapping[str, str]
) -> Answered:
    """Send the variants in order until one gives a result.

    Raises:
        NotOfferedError: the schema has none of them.
        StepFailed: none worked; names each that the schema has with its cause.
        RegistryError: the registry could not be asked.
    """
    refusals: list[str] = []
    statuses: list[Status] = []
    for variant in variants:
        arguments = {argument: values[argument] for argument in variant.arguments}
        try:
            data = registry.execute(variant.mutation, arguments)
        except RegistryError as error:
            if not answered(error):
                raise
            if not not_in_schema(error):
                refusals.append(f"{variant.name}: {error}")
                statuses.append(status_of(error))
            continue
        result = data.get(variant.name)
        if isinstance(result, dict):
            return Answered(variant.name, data, result, tuple(refusals))
        refusals.append(f"{variant.name}: the registry answered {result!r}")
        statuses.append(Status.FAILED)
    if not refusals:
        names = ", ".join(variant.name for variant in variants)
        raise NotOfferedError(f"the registry's schema offers none of {names}")
    raise StepFailed("; ".join(refusals), Status.FAILED if Status.FAILED in statuses else Status.ERROR)
