"""What the gate observes and does not make: the target's repository and the services under test.

Each run records where it found them and in which version, so that the lineage of evidence
ends in them and not in nothing.
"""

from collections.abc import Iterator

import dagster as dg

from hologram_dagster.gate.services import NODE, REGISTRY, Endpoints, services_seen

TARGET_REPOSITORY = "target_repository"
SEEN_LATELY = "seen_lately"
# What an evidence asset's kind says of the service it uses.
SERVICES = {"ipfs": NODE, "graphql": REGISTRY}
_OWNERS = ["team:release-engineering"]


def _external(key: str, group: str, kind: str, description: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        key, group_name=group, kinds={kind}, owners=_OWNERS, code_version="1", description=description
    )


specs = [
    _external(
        TARGET_REPOSITORY,
        "source",
        "git",
        "The repository of the target. Observed by each run (URL, commit) and by main_commits (head).",
    ),
    _external(NODE, "services", "ipfs", "The IPFS node under test. Observed by each run that uses it."),
    _external(REGISTRY, "services", "graphql", "The registry under test. Observed by each run that uses it."),
]


def repository_seen(url: str, commit: str) -> dg.AssetObservation:
    """The target's repository was seen at `commit`."""
    return _observed(TARGET_REPOSITORY, url, commit)


def observed_services(endpoints: Endpoints) -> Iterator[dg.AssetObservation]:
    """Where the services under test are, and what version each states."""
    for seen in services_seen(endpoints):
        yield _observed(seen.name, seen.url, seen.version)


def _observed(key: str, url: str, version: str | None) -> dg.AssetObservation:
    known = {} if version is None else {"dagster/data_version": version}
    return dg.AssetObservation(key, metadata={"url": url, "version": version or "unknown"}, tags=known)
