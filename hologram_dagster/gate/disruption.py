"""The disruption rule: whose services may be disturbed by load and by chaos.

Those that the run starts itself, and those whose hosts HOLOGRAM_ALLOW_DISRUPTION names: that
of the IPFS node and that of the registry, both. On others the disruptive kinds are not
applicable. That is best effort there, since the release's owner may not own the services,
and never for services of our own, where the evidence can always be had.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from hologram_dagster.attack import access, ledgers
from hologram_dagster.errors import HologramError
from hologram_dagster.ipfs.transport import Address
from hologram_dagster.observation import Finding, Observation, Status
from hologram_dagster.profiles import (
    ACCESS,
    ATTACKS,
    CHAOS,
    DISRUPTIVE,
    FLOOD,
    OWN_STACK_ONLY,
    Profile,
    required_kinds,
)
from hologram_dagster.settings import Settings

VARIABLE = "HOLOGRAM_ALLOW_DISRUPTION"


def refusal(settings: Settings) -> str | None:
    """Why the services of a run may not be disturbed, and what would allow it; None where they may."""
    if not settings.ipfs_api and not settings.graphql_url:
        return None
    allowed = {host.strip().casefold() for host in (settings.allow_disruption or "").split(",")}
    hosts = {
        "IPFS_API": _ipfs_host(settings.ipfs_api or ""),
        "GRAPHQL_URL": _registry_host(settings.graphql_url or ""),
    }
    refused = {variable: host for variable, host in hosts.items() if not host or host not in allowed}
    if not refused:
        return None
    told = " and ".join(f"{host or 'no host'} ({variable})" for variable, host in refused.items())
    names = ",".join(sorted({host for host in hosts.values() if host}))
    return (
        f"load would disturb services that this run did not start, at {told}: "
        f"if it may, set {VARIABLE}={names}"
    )


def with_rule(profile: Profile, settings: Settings) -> Profile:
    """`profile` with what cannot be had of the user's services best effort.

    Where they may not be disturbed, all disruptive kinds; where they may, the chaos experiments, as some need
    a stack of our own, and others commands that kill and start. A registry that does not say that it checks
    operations cannot be attacked, unless HOLOGRAM_REQUIRE_STRICT asks for one that does.
    """
    if not settings.ipfs_api and not settings.graphql_url:
        return profile
    required = set(required_kinds(profile.name))
    excused = DISRUPTIVE if refusal(settings) else frozenset(CHAOS)
    kinds = excused & required
    own = OWN_STACK_ONLY if kinds else set()
    return replace(profile, best_effort=profile.best_effort | kinds | own | _attacks(required, settings))


def _attacks(required: set[str], settings: Settings) -> set[str]:
    """Of attacks on the user's services, the kinds and groups that may be left untried."""
    kinds = required.intersection(ATTACKS)
    if not kinds:
        return set()
    # What only who started a registry has: tokens of every role, its database.
    untried = {ledgers.GROUP, *access.OWNERS}
    if not settings.require_strict:
        untried |= kinds
    return untried | {FLOOD, ACCESS, *access.GROUPS} if refusal(settings) else untried


def unless_refused(
    settings: Settings, kind: str, method: str, observe: Callable[[], Observation]
) -> Observation:
    """What `observe` sees, or `not_applicable` with the reason where services may not be disturbed."""
    why = refusal(settings)
    if why is None:
        return observe()
    now = datetime.now(UTC)
    finding = Finding("disruption", Status.NOT_APPLICABLE, why)
    return Observation(kind, Status.NOT_APPLICABLE, method, now, now, findings=(finding,))


def _ipfs_host(api: str) -> str:
    try:
        # /ip4/HOST/tcp/PORT
        parts = Address.parse(api).multiaddr.split("/")
    except HologramError:
        return ""
    return parts[2].casefold() if len(parts) > 2 else ""


def _registry_host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").casefold()
    except ValueError:
        return ""
