"""What an error of a service means for the step that met it.

A service that answers wrongly, or refuses what it should do, fails the step. One that is
not there, or says that it is too busy or lacks what it stands on, could not be judged: an
error.
"""

import re

from gql.transport.exceptions import TransportQueryError

from hologram_dagster.errors import HologramError
from hologram_dagster.ipfs.faults import Cause, IpfsError
from hologram_dagster.observation import Status
from hologram_dagster.registry.client import RegistryError
from hologram_dagster.registry.faults import Code

_UNAVAILABLE = frozenset({Code.OVERLOADED, Code.IPFS_UNAVAILABLE, Code.STORAGE_UNAVAILABLE})
# Too many requests, bad gateway, unavailable, gateway timeout.
_BUSY = (429, 502, 503, 504)
# What GraphQL servers say, in validation, of a field or argument list that their schema has not.
_NOT_IN_SCHEMA = re.compile(
    r"Cannot query field|Unknown (argument|field)|Field .* doesn't exist|argument .* is required, but"
)


def status_of(error: HologramError) -> Status:
    """Whether `error` fails the step that met it, or is an error of it."""
    if isinstance(error, IpfsError):
        said = error.cause in (Cause.INVALID_RESPONSE, Cause.HTTP_ERROR)
        wrong = said and error.http_status not in _BUSY
    elif isinstance(error, RegistryError):
        said = answered(error) or error.status is not None
        wrong = said and error.status not in _BUSY and error.code not in _UNAVAILABLE
    else:
        wrong = False
    return Status.FAILED if wrong else Status.ERROR


def answered(error: RegistryError) -> bool:
    """Whether the registry itself said this, in a GraphQL answer; else it could not be asked."""
    return isinstance(error.__cause__, TransportQueryError)


def not_in_schema(error: RegistryError) -> bool:
    """Whether the registry refused because its schema has no such field or arguments."""
    return answered(error) and _NOT_IN_SCHEMA.search(str(error)) is not None
