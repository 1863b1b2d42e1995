"""The first variant of an operation that works (contract section 3.2).

A registry offers some of several mutations. One that the schema does not have leads to the
next; whatever else goes wrong is kept, and is the cause if none works.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hologram_dagster.e2e.services import StepFailed
from hologram_dagster.registry.client import RegistryClient, RegistryError

# What GraphQL servers say of a field they do not have.
_NOT_IN_SCHEMA = ("Cannot query field", "Unknown argument", "Unknown field")


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
    """The variant that worked, the whole answer, and the part of it that is the result."""

    variant: str
    answer: dict[str, Any]
    result: dict[str, Any]


def first_that_works(
    registry: RegistryClient, variants: Sequence[Variant], values: Mapping[str, str]
) -> Answered:
    """Send the variants in order until one gives a result.

    Raises:
        StepFailed: none did; names each variant with its cause.
    """
    causes = []
    for variant in variants:
        try:
            answer = registry.execute(
                variant.mutation, {argument: values[argument] for argument in variant.arguments}
            )
        except RegistryError as error:
            causes.append(f"{variant.name}: {_cause(error)}")
            continue
        result = answer.get(variant.name)
        if isinstance(result, dict):
            return Answered(variant.name, answer, result)
        causes.append(f"{variant.name}: it answered null")
    raise StepFailed("; ".join(causes))


def _cause(error: RegistryError) -> str:
    missing = any(words in str(error) for words in _NOT_IN_SCHEMA)
    return "the registry's schema does not have it" if missing else str(error)
