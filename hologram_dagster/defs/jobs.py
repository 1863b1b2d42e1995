"""One job a profile, made from the table of required evidence."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from hologram_dagster.gate.tags import PROFILE_TAG
from hologram_dagster.profiles import PROFILES, Profile, required_kinds

# What every gate run materializes around its evidence.
FRAME = ("revision", "verdict", "report", "badge", "job_summary", "attestation", "notification")


def gate_job(profile: Profile) -> UnresolvedAssetJobDefinition:
    """The job that runs the gate of `profile`.

    Raises:
        ValueError: the profile requires nothing; such a job would be green with 0 steps.
    """
    kinds = required_kinds(profile.name)
    if not kinds:
        raise ValueError(f"profile {profile.name} requires no evidence: its gate would pass on nothing")
    return dg.define_asset_job(
        profile.job,
        selection=dg.AssetSelection.assets(*kinds, *FRAME),
        tags={PROFILE_TAG: str(profile.name)},
        description=f"The {profile.name} gate: {profile.description}. Requires {', '.join(kinds)}.",
    )


def gate_jobs() -> list[UnresolvedAssetJobDefinition]:
    """The jobs of all profiles."""
    return [gate_job(profile) for profile in PROFILES.values()]
