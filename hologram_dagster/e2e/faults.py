"""What an error means for the step that met it.

The services are what is judged: one that answers wrongly, refuses, is too busy or is not
there at all fails the step. What is not theirs (a full disk under our event log) is an error.
"""

import re

from gql.transport.exceptions import TransportQueryError

from hologram_dagster.errors import HologramError, ServiceError
from hologram_dagster.observation import Status
from hologram_dagster.registry.client import RegistryError

# What GraphQL servers say, in validation, of a field or argument list that their schema has not.
_NOT_IN_SCHEMA = re.compile(
    r"Cannot query field|Unknown (argument|field)|Field .* doesn't exist|argument .* is required, but"
)


def status_of(error: HologramError) -> Status:
    """Whether `error` fails the step that met it, or is an error of it."""
    return Status.FAILED if isinstance(error, ServiceError) else Status.ERROR


def answered(error: RegistryError) -> bool:
    """Whether the registry itself said this, in a GraphQL answer; else it could not be asked."""
    return isinstance(error.__cause__, TransportQueryError)


def not_in_schema(error: RegistryError) -> bool:
    """Whether the registry refused because its schema has no such field or arguments."""
    return answered(error) and _NOT_IN_SCHEMA.search(str(error)) is not None
