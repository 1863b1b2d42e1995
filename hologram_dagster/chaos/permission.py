"""Whose services an experiment may disturb: those it was started with, and those it was allowed to."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from hologram_dagster.chaos.experiment import Service

VARIABLE = "HOLOGRAM_ALLOW_DISRUPTION"


def refusal(services: Sequence[Service], allowed: str | None) -> str:
    """Why `services` may not be disturbed, and what would allow it; empty where they may.

    `allowed` is HOLOGRAM_ALLOW_DISRUPTION: exact host names, commas between.
    """
    names = {host.strip().casefold() for host in (allowed or "").split(",")} - {""}
    refused = [
        (each, host) for each in services if not each.started_by_us and (host := _host(each)) not in names
    ]
    if not refused:
        return ""
    told = " and ".join(f"{host or 'no host'} ({each.name})" for each, host in refused)
    wanted = ",".join(sorted({host for _, host in refused if host}))
    return (
        f"this would disturb services that this run did not start, at {told}: "
        f"if it may, set {VARIABLE}={wanted}"
    )


def _host(service: Service) -> str:
    try:
        return (urlsplit(service.url).hostname or "").casefold()
    except ValueError:
        return ""
