"""What the command line answers of a revision, without running anything."""

from datetime import UTC, datetime

from hologram_dagster.evidence.answer import answer, answer_of_run
from hologram_dagster.evidence.archive import Evidence
from hologram_dagster.evidence.document import ExitCode, Verdict
from hologram_dagster.gate.origin import commit_of, where_known
from hologram_dagster.gate.run import open_archive, open_signer, policy_of
from hologram_dagster.profiles import ProfileName
from hologram_dagster.settings import Settings
from hologram_dagster.target.baseline import choose_baseline
from hologram_dagster.target.revision import Revision, is_shallow, read_revision


def answer_for(
    settings: Settings, ref: str | None, profile: ProfileName | None
) -> tuple[Verdict | None, ExitCode]:
    """The verdict of `ref`'s newest gate run, verified again, and the exit code; (None, 4) without one.

    `ref` None asks for the files as they are now, changed or not.

    Raises:
        HologramError: no such revision, or the ledger cannot be read.
    """
    tree = None
    if ref is None:
        revision = read_revision(settings.repository, exclude=[settings.state_dir, settings.reports_dir])
        commit, tree = revision.commit, revision.tree
    else:
        commit = commit_of(settings, ref)
    return answer(open_evidence(settings, commit), commit, tree=tree, profile=profile, now=datetime.now(UTC))


def answer_for_run(settings: Settings, run_id: str) -> Verdict | None:
    """The verdict of the gate run `run_id`, verified again; None if no such run is known here.

    Raises:
        HologramError: the ledger cannot be read.
    """
    evidence = Evidence(
        settings.state_dir / "evidence", signer=open_signer(settings), store=settings.evidence_store
    )
    started = evidence.started_run(run_id)
    if started is None:
        return None
    trusted = open_evidence(settings, started.identity.revision.commit)
    return answer_of_run(trusted, run_id, now=datetime.now(UTC))


def open_evidence(settings: Settings, commit: str) -> Evidence:
    """The evidence of this place, read with the keys that what `commit` is based on trusts.

    Not its own: a commit must not decide whose word on it counts.

    Raises:
        HologramError: the key or the policy cannot be read.
    """
    repository = where_known(settings, commit).repository
    revision = Revision(commit=commit, tree="", dirty=False, ref=None)
    # A shallow clone has no merge base to ask; its first parent, if any, must do.
    on_branch = not is_shallow(repository)
    base = choose_baseline(repository, revision, given=None, pull_request=on_branch).commit
    policy = policy_of(repository, base or commit)
    return open_archive(settings, open_signer(settings), policy)
