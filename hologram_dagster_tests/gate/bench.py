"""A scratch repository in which tests run the installed commands, as a user would."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Variables that would point a gate at somebody's services or change what it judges.
SURPRISES = (
    *("IPFS_API", "GRAPHQL_URL", "GRAPHQL_TOKEN", "GRAPHQL_TEST_NAME", "E2E_APP_NAME"),
    *("SLO_VERIFY_P95_MS", "SLO_ENCODE_P95_MS", "SLO_GQL_P95_MS", "ENC_MB", "GQL_SAMPLES", "GQL_WARMUP"),
    *(f"E2E_LOAD_{name}" for name in ("DURATION", "WORKERS", "PAYLOAD", "OPS_PER_SEC")),
    *(f"E2E_STRESS_{name}" for name in ("DURATION", "WORKERS", "PAYLOAD", "OPS_PER_SEC")),
    *("DAGSTER_HOME", "GITHUB_STEP_SUMMARY", "GITHUB_REF", "REGRESSION_THRESHOLD_PCT"),
    # Nobody is to be told of the tests' gates.
    *("SLACK_WEBHOOK_URL", "TEAMS_WEBHOOK_URL", "GITHUB_TOKEN", "GITHUB_REPOSITORY", "GITHUB_API_URL"),
    *("GITHUB_SERVER_URL", "GITHUB_RUN_ID", "GITLAB_TOKEN", "CI_PROJECT_ID", "CI_API_V4_URL", "CI_JOB_URL"),
    # A CI machine must not make the tests' gates refuse.
    "CI",
)
BIN = Path(sys.executable).parent
HANG_S = 240


def git(repository: Path, *arguments: str) -> str:
    """Run git with an identity of the tests' own."""
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ["git", "-C", str(repository), *identity, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@dataclass
class Bench:
    """A repository with one commit, and the variables its commands run with."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path, home: Path | None = None, **variables: str) -> "Bench":
        """A new one in `folder`; `home` is a prepared Dagster home to start from, which saves seconds."""
        folder.mkdir(parents=True)
        git(folder, "init", "-q", ".")
        (folder / ".gitignore").write_text("/.hologram/\n/reports/\n")
        git(folder, "add", ".gitignore")
        git(folder, "commit", "-qm", "first")
        if home is not None:
            shutil.copytree(home, folder / ".hologram" / "dagster")
        return cls(folder, dict(variables))

    @property
    def reports(self) -> Path:
        return self.folder / "reports"

    @property
    def evidence(self) -> Path:
        return self.folder / ".hologram" / "evidence"

    def environment(self, **variables: str) -> dict[str, str]:
        # Fixtures of a whole module start before the environment of a test is cleaned.
        clean = {
            name: value
            for name, value in os.environ.items()
            if name not in SURPRISES and not name.startswith("HOLOGRAM_")
        }
        return {**clean, "COLUMNS": "200", **self.variables, **variables}

    def hologram(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """The `hologram` command in the repository."""
        return self._run([str(BIN / "hologram"), *arguments], variables)

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """The `hologram` command, running."""
        return subprocess.Popen(
            [str(BIN / "hologram"), *arguments],
            cwd=self.folder,
            env=self.environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def materialize(self, selection: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Dagster's own command, as CI calls it."""
        home = str(self.folder / ".hologram" / "dagster")
        command = [
            *(str(BIN / "dagster"), "asset", "materialize"),
            *("--select", selection, "-m", "hologram_dagster.definitions"),
        ]
        return self._run(command, {"DAGSTER_HOME": home, **variables})

    def _run(self, command: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(**variables),
            capture_output=True,
            text=True,
            timeout=HANG_S,
            check=False,
        )

    def verdict(self) -> dict[str, Any]:
        """`reports/verdict.json`."""
        document: dict[str, Any] = json.loads((self.reports / "verdict.json").read_text())
        return document

    def red(self) -> dict[tuple[str, str], str]:
        """The reasons of the verdict that are not green: (kind, check) -> message."""
        return {
            (reason["kind"], reason["check"]): reason["message"]
            for reason in self.verdict()["reasons"]
            if reason["status"] not in {"passed", "not_applicable"}
        }

    def record(self, kind: str) -> Path:
        """The newest evidence record of `kind`."""
        return max(self.evidence.rglob(f"{kind}*.json"), key=lambda path: path.stat().st_mtime_ns)


MakeBench = Callable[..., Bench]
