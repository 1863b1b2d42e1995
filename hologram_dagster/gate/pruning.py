"""The evidence of this place, opened by a key whose word on what was pruned will be believed."""

from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.gate.run import open_archive, open_signer, policy_of
from hologram_dagster.profiles import ProfileName
from hologram_dagster.settings import Settings
from hologram_dagster.target.revision import resolve_ref


def open_for_pruning(settings: Settings) -> Evidence:
    """The evidence, for removing what has expired of it.

    Raises:
        HologramError: `trusted_keys` does not name the key in use: what it removed would look
            as if a stranger had.
    """
    signer = open_signer(settings)
    policy = policy_of(settings.repository, resolve_ref(settings.repository, "HEAD"))
    evidence = open_archive(settings, signer, policy)
    if why := evidence.trust.fault(signer.public_hex, ProfileName.MAIN):
        raise HologramError(f"what was pruned would be {why}: prune with the gate's own key.")
    return evidence
