"""What one gate run is: settings, plan, policy, revision and evidence, opened together.

What belongs here: preflight and opening. What does not: the services (`services`), the
verdict (`conclusion`), the reports (`publishing`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from hologram_dagster.errors import HologramError
from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.evidence.green import nearest_green
from hologram_dagster.evidence.record import RunIdentity
from hologram_dagster.evidence.run import RecordedRun, record_run
from hologram_dagster.files import make_untracked
from hologram_dagster.gate.disruption import with_rule
from hologram_dagster.machine import this_machine
from hologram_dagster.policy import FILE_NAME, Policy, parse_policy
from hologram_dagster.profiles import Plan, Profile, ProfileName, apply_overrides, choose_profile
from hologram_dagster.protocol.signing import Signer, load_or_create_signer
from hologram_dagster.settings import Settings
from hologram_dagster.target.baseline import choose_baseline
from hologram_dagster.target.revision import Revision, is_shallow, read_revision, show_file, top_of

KEY_FILE = "keys/ed25519.pem"


@dataclass(frozen=True, slots=True)
class GateRun:
    """A run: what it was asked, what it judges, and where its evidence goes."""

    settings: Settings
    plan: Plan
    policy: Policy
    recorded: RecordedRun
    evidence: Evidence
    signer: Signer

    @property
    def key_id(self) -> str:
        """The key that signs the run's evidence."""
        return self.signer.key_id

    @property
    def identity(self) -> RunIdentity:
        """Which run this is, of which revision."""
        return self.recorded.identity


def preflight(settings: Settings, profile: Profile) -> Revision:
    """The revision, if `profile` may judge it.

    Raises:
        HologramError: no repository; for main and nightly a shallow clone or a dirty tree.
        SettingsError: its own `hologram.toml` is malformed.
    """
    revision = read_revision(settings.repository, exclude=[settings.state_dir, settings.reports_dir])
    if profile.clean_tree and revision.dirty:
        raise HologramError(
            f"the tree has uncommitted changes, and {profile.name} judges commits only: "
            "commit or stash them (git status), or use --profile dev."
        )
    if profile.clean_tree and is_shallow(settings.repository):
        raise HologramError(
            f"this clone is shallow, and {profile.name} needs the history: run `git fetch --unshallow` "
            "(in CI: full fetch depth), or use --profile dev."
        )
    _check_own_policy(settings.repository, revision)
    return revision


def _check_own_policy(repository: Path, revision: Revision) -> None:
    """Refuse a revision whose `hologram.toml` would stop every gate that has it as its baseline."""
    if not revision.dirty:
        policy_of(repository, revision.commit)
        return
    path = top_of(repository) / FILE_NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise HologramError(f"cannot read {path}: {error.strerror}. Make it a readable file.") from error
    parse_policy(content, where=str(path))


def open_gate_run(
    settings: Settings,
    *,
    run_id: str,
    profile_tag: str | None = None,
    profile_config: str | None = None,
    commit_tag: str | None = None,
    baseline_tag: str | None = None,
) -> GateRun:
    """Everything a step of the run `run_id` needs; reads the repository, starts nothing.

    Raises:
        HologramError: the profile, the repository, the policy or the key does not allow it.
    """
    profile = choose_profile(tag=profile_tag, config=profile_config, settings=settings)
    revision = preflight(settings, profile)
    if commit_tag and commit_tag != revision.commit:
        raise HologramError(
            f"the run is tagged for commit {commit_tag[:12]}, but {settings.repository} is at "
            f"{revision.commit[:12]}: check that commit out."
        )
    signer = open_signer(settings)
    identity = RunIdentity(
        run_id=run_id,
        profile=profile.name,
        environment=settings.environment,
        revision=revision,
        machine=this_machine(),
        started_at=datetime.now(UTC),
    )

    def nearest(ancestors: Sequence[str]) -> str | None:
        # The pins of the first parent: an older revision that trusts more keys must not be chosen by them.
        policy = policy_of(settings.repository, ancestors[0])
        return nearest_green(open_archive(settings, signer, policy), identity, ancestors)

    baseline = choose_baseline(
        settings.repository,
        revision,
        given=baseline_tag or settings.baseline,
        pull_request=profile.name is ProfileName.PR,
        nearest_green=nearest if profile.clean_tree else None,
    )
    identity = replace(identity, baseline_commit=baseline.commit, baseline_rule=str(baseline.rule))
    policy = policy_of(settings.repository, baseline.commit or revision.commit)
    profile = with_rule(_with_budgets(profile, policy), settings)
    plan = apply_overrides(profile, settings)
    evidence = open_archive(settings, signer, policy)
    recorded = record_run(identity, plan, deadline_s=settings.deadline_s)
    return GateRun(settings, plan, policy, recorded, evidence, signer)


def _with_budgets(profile: Profile, policy: Policy) -> Profile:
    """`profile` with the budgets that the baseline's `hologram.toml` states for it."""
    own = getattr(policy.budgets, profile.name).model_dump(exclude_none=True)
    return replace(profile, budgets_ms={**profile.budgets_ms, **own})


def open_archive(settings: Settings, signer: Signer, policy: Policy) -> Evidence:
    """The evidence of this place, read with the keys that `policy` names."""
    return Evidence(
        settings.state_dir / "evidence",
        signer=signer,
        trusted_keys=policy.trusted_keys,
        revoked_keys=policy.revoked_keys,
        store=settings.evidence_store,
    )


def open_signer(settings: Settings) -> Signer:
    """The key that signs evidence: `HOLOGRAM_SIGNING_KEY`, else one of our own making.

    Every way to a run leads here before anything is written, so the state folder (which holds
    the key) and the reports folder are kept out of the user's commits here.

    Raises:
        SettingsError: it is no Ed25519 key.
        HologramError: the folders cannot be made.
    """
    make_untracked(settings.state_dir)
    if not settings.reports_dir.exists():
        # One that is there may hold files that the user keeps in the repository.
        make_untracked(settings.reports_dir)
    return signer_of(settings)


def signer_of(settings: Settings) -> Signer:
    """The key of `open_signer`, and nothing else made but it.

    Raises:
        SettingsError: it is no Ed25519 key.
        HologramError: it cannot be written.
    """
    given = settings.signing_key.get_secret_value() if settings.signing_key else None
    return load_or_create_signer(settings.state_dir / KEY_FILE, given)


def policy_of(repository: Path, commit: str) -> Policy:
    """`hologram.toml` as it is at `commit`; an empty policy where there is none.

    Raises:
        SettingsError: it is malformed.
    """
    content = show_file(repository, commit, FILE_NAME)
    return Policy() if content is None else parse_policy(content, where=f"{FILE_NAME} at {commit[:12]}")
