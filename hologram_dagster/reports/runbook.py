"""What to do when a check is red: one family of evidence after the other.

The one source of `docs/red_build_runbook.md` and of what `hologram triage` says. What
belongs here: meaning, first commands, likely causes. What does not: when a check is red
(`evidence.judge`), whose descriptions are used as they are.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from hologram_dagster.evidence.judge import CHECKS

DOCUMENT = "docs/red_build_runbook.md"
_HEAD = """# When a build is red

Begin with `hologram triage`: it names what failed, the section below, and the command that shows it again.
A check is `failed` (the revision is at fault until shown otherwise), `error` or `inconclusive` (the gate
could not tell: mostly machine, network or service; run it again once the cause is gone). Both stop a release.
"""


@dataclass(frozen=True, slots=True)
class Family:
    """Evidence that fails alike: all kinds that begin with one of `prefixes`.

    `commands` are the first three to type; `causes` begin with the likeliest.
    """

    title: str
    prefixes: tuple[str, ...]
    meaning: str
    commands: tuple[str, str, str]
    causes: tuple[str, ...]

    @property
    def anchor(self) -> str:
        """Where its section is, as `docs/red_build_runbook.md#…`."""
        return f"{DOCUMENT}#{self.title.lower().replace(',', '').replace(' ', '-')}"


ANY = Family(
    "Evidence and ledger",
    ("",),
    "Evidence that the profile requires is missing, was changed, is of another revision or is signed by a "
    "key that nobody trusts; or the run did not come to its end.",
    ("hologram triage", "hologram verdict HEAD", "hologram gate --profile dev"),
    (
        "the run was killed or ran out of its deadline: run the gate again",
        "a record or the ledger was edited or removed: the message names the file; do not delete it",
        "another machine signed it: name its key in trusted_keys of hologram.toml",
        "the disk is full",
    ),
)
FAMILIES = (
    Family(
        "Budgets",
        ("perf_verify", "perf_encode", "perf_gql"),
        "The 95th percentile of the operation was over its budget in each of three launches, an answer was "
        "wrong, or figures are missing.",
        ("hologram triage", "hologram toggles", "hologram gate --profile dev"),
        (
            "the revision is slower: then its `no_regression` is red, too (dev compares nothing)",
            "the machine is slower than the one the budget was made for, or busy: see its load in the report",
            "another budget is in force than you think: `hologram triage` names what was overridden",
            "the service answers with errors: see the finding of the launch",
        ),
    ),
    Family(
        "Regressions",
        ("regression_", "drift_"),
        "Candidate and baseline ran now, side by side, and the candidate was slower by more than the margin "
        "in three launches; for `drift_` against the baseline that was set last.",
        ("hologram triage", "hologram baseline show", "hologram history export figures.csv"),
        (
            "the change makes the operation slower: compare the two commits that the verdict names",
            "slow calls are more frequent (`tail_*`), or times scatter more (`spread`): cache, lock, pause",
            "it is wanted: a person sets a new baseline with `hologram baseline roll-forward --reason ...`",
            "`error`: one of the two could not be set up or run; its last lines are in the message",
        ),
    ),
    Family(
        "Load",
        ("perf_load", "e2e_load", "e2e_stress"),
        "Requests that fell due at a fixed rate came late, failed, or got wrong bytes.",
        ("hologram triage", "hologram verdict HEAD", "hologram gate --profile nightly"),
        (
            "the service stalls or queues: see p99, and latency over time in the report",
            "`send_lag`: our own requests went out late, as the machine was busy; run again",
            "the service refuses (429, 503) by design: rate or limits do not fit together",
        ),
    ),
    Family(
        "Measuring itself",
        ("perf_cold_warm", "perf_self_test"),
        "The comparison was tried on an unchanged and on a slowed worker and erred, or cold calls gave no "
        "time.",
        ("hologram triage", "hologram verdict HEAD", "hologram gate --profile nightly"),
        (
            "the machine is so busy that nothing can be measured: no perf evidence of the run counts",
            "other builds run on the measuring host",
        ),
    ),
    Family(
        "End to end",
        ("e2e_",),
        "A step of publishing, installing and using an app failed, was skipped, or gave another content than "
        "was published.",
        ("hologram triage", "hologram stack status", "hologram gate --profile dev"),
        (
            "the registry or the IPFS node does not answer: the step's cause says which",
            "the content is not pinned or not the one published: compare the two CIDs in the finding",
            "a token is missing or wrong (401, 403) for a protected name",
        ),
    ),
    Family(
        "Attacks",
        ("ctp96_",),
        "The registry did what it must refuse, or refused what is genuine: the finding names each attack.",
        ("hologram triage", "hologram stack status", "hologram gate --profile dev"),
        (
            "the registry's clock differs by more than its window: compare `operationSecurity { time }`",
            "registries of one service do not share one database, and so no nonces",
            "the run's key is not active in the registry's file of keys (untrusted_key everywhere)",
        ),
    ),
    Family(
        "Secrets",
        ("secrets_",),
        "The revision, its new commits or what the run wrote holds something that looks like a secret.",
        ("hologram triage", "hologram secrets scan .", "hologram verdict HEAD"),
        (
            "a real secret: revoke it first, then remove it: the repository's history keeps its value",
            "a look-alike: accept it in the baseline file, with a reason",
        ),
    ),
    Family(
        "Flakes and quarantine",
        ("flake", "quarantine", "test_"),
        "A test passed and failed on one revision, or the quarantine is too long, has an expired entry or "
        "one without an owner.",
        ("hologram triage", "hologram flakes report", "hologram verdict HEAD"),
        (
            "a race or a dependence on the order of tests: repeat the test alone",
            "an entry of the quarantine has run out: mend the test, or extend it with a reason",
        ),
    ),
    Family(
        "Chaos",
        ("chaos_",),
        "An experiment broke something on purpose, and the system did not keep what it promises, or the "
        "fault was not seen to take hold.",
        ("hologram triage", "hologram verdict HEAD", "hologram gate --profile nightly"),
        (
            "acknowledged data was lost or recovery took too long: see the experiment's journal",
            "`inconclusive`: no witness of the fault, or our own load stalled; run it again",
        ),
    ),
    Family(
        "Supply chain",
        ("sbom", "vulnerabilities", "provenance", "attestation"),
        "What the revision is made of, or the statement on it, is incomplete, unsound, or known to be "
        "vulnerable.",
        ("hologram triage", "hologram verdict HEAD", "hologram gate --profile main"),
        (
            "a dependency without a hash in the lock file, or an advisory on one: update the lock file",
            "the source of advisories does not answer",
        ),
    ),
    Family(
        "Protocol and access",
        ("ctp96_", "proof_", "access_"),
        "An attack on the registry was not refused as it has to be.",
        ("hologram triage", "hologram verdict HEAD", "hologram gate --profile main"),
        ("the table of attacks in the evidence names the cell that is wrong",),
    ),
    ANY,
)


def family_of(kind: str) -> Family:
    """The first family that `kind` belongs to."""
    return next(family for family in FAMILIES if kind.startswith(family.prefixes))


def runbook_markdown() -> str:
    """The whole runbook, `docs/red_build_runbook.md`."""
    return "\n".join((_HEAD, *(line for family in FAMILIES for line in _section(family))))


def _section(family: Family) -> Iterator[str]:
    yield f"## {family.title}\n"
    yield f"{family.meaning}\n"
    kinds = [kind for kind in CHECKS if family_of(kind) is family]
    if kinds:
        yield "| check | of | holds when |\n|---|---|---|"
        rows: dict[tuple[str, str], list[str]] = {}
        for kind in kinds:
            for check in CHECKS[kind]:
                rows.setdefault((check.name, check.description), []).append(f"`{kind}`")
        yield from (f"| `{name}` | {', '.join(of)} | {text} |" for (name, text), of in rows.items())
        yield ""
    yield "First:\n"
    yield "```sh"
    yield from family.commands
    yield "```\n"
    yield "Likely causes, the likeliest first:\n"
    yield from (f"- {cause}" for cause in family.causes)
    yield ""
