"""Services compared with what they were before: nothing of it may be gone, other, or new."""

from collections.abc import Mapping

from hologram_dagster.chaos.experiment import Service
from hologram_dagster.errors import ServiceError

_SHOWN = 80


def differences(service: Service, before: Mapping[str, str]) -> list[str]:
    """What of `service` is not as it was `before`, a sentence for each; that it cannot be asked is one."""
    try:
        after = service.state()
    except ServiceError as error:
        return [f"{service.name} cannot be asked: {error}"]
    return [
        f"{service.name}: {key} {_change(before.get(key), after.get(key))}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def _change(before: str | None, after: str | None) -> str:
    if after is None:
        return "is gone"
    if before is None:
        return "was not there before"
    return f"was {before[:_SHOWN]!r}, is {after[:_SHOWN]!r}"
