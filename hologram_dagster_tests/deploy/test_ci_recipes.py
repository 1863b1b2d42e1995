"""The CI recipes: valid for their service, and every shell line in them does what it says."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from hologram_dagster_tests.gate.bench import Bench, git

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "deploy" / "ci"
GITHUB = RECIPES / "github" / "hologram-gate.yml"
GITLAB = RECIPES / "gitlab-ci.yml"
SHELL = RECIPES / "gate.sh"


@pytest.mark.parametrize(
    ("schema", "recipe"), [("vendor.github-workflows", GITHUB), ("vendor.gitlab-ci", GITLAB)]
)
def test_a_recipe_is_valid_for_its_service(schema: str, recipe: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(recipe)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def github_steps() -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = yaml.safe_load(GITHUB.read_text())["jobs"]["gate"]["steps"]
    return steps


def shell_lines(recipe: str) -> list[str]:
    """What the recipe's service would hand to a shell, one entry a step."""
    if recipe == "github":
        return [step["run"] for step in github_steps() if "run" in step]
    if recipe == "gitlab":
        job = yaml.safe_load(GITLAB.read_text())["hologram-gate"]
        return [*job["before_script"], *job["script"]]
    return [f"sh {SHELL} pr"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as a wheel: what a recipe is told to install."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture
def runner(tmp_path: Path, bench: Bench, wheel: Path) -> Bench:
    """A clone as a CI machine has it, whose new environment finds the dependencies already here."""
    here = Path(sysconfig.get_path("purelib"))
    packages = bench.folder / ".venv" / here.relative_to(sys.prefix)
    packages.mkdir(parents=True)
    (packages / "dependencies.pth").write_text(f"import site; site.addsitedir({str(here)!r})\n")
    bench.variables |= {
        "CI": "true",
        "PIP_NO_DEPS": "1",
        "HOLOGRAM_DAGSTER": str(wheel),
        "HOLOGRAM_PROFILE": "pr",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        # `python3` is to be the Python that these dependencies were installed for.
        "PATH": f"{Path(sys.executable).resolve().parent}:{os.environ['PATH']}",
    }
    (bench.folder / ".gitignore").unlink()
    git(bench.folder, "commit", "-qam", "without rules of its own")
    return bench


def run(bench: Bench, lines: list[str], **variables: str) -> list[int]:
    """The exit codes of `lines`, run one after the other as CI does."""
    return [
        subprocess.run(
            ["sh", "-e", "-c", line],
            cwd=bench.folder,
            env=bench.environment(**variables),
            check=False,
            timeout=240,
        ).returncode
        for line in lines
    ]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("recipe", ["github", "gitlab", "shell"])
def test_the_lines_of_a_recipe_end_in_a_verdict(recipe: str, runner: Bench) -> None:
    lines = shell_lines(recipe)
    assert run(runner, lines) == [0] * len(lines)
    verdict = runner.verdict()
    assert (verdict["verdict"], verdict["profile"]) == ("pass", "pr")
    # The environment beside the files under judgement is not one of them.
    assert verdict["revision"]["dirty"] is False
    assert (runner.folder / ".venv" / "bin" / "hologram").exists()
    gate = next(number for number, line in enumerate(lines) if "gate" in line.split("/")[-1])
    # The same machine, and a budget that no machine meets.
    assert run(runner, lines[gate : gate + 1], SLO_ENCODE_P95_MS="0.0001") == [1]
    if recipe != "shell":
        # The shell recipe runs the gate first, and that rotates such a log away.
        log = runner.reports / "e2e" / "events.jsonl"
        log.write_bytes(log.read_bytes() + b"\n" * 5_242_880)
        assert run(runner, lines[-1:]) == [1]


def test_reports_are_kept_for_14_days_and_a_fork_gets_no_state_of_main() -> None:
    upload = next(step for step in github_steps() if "upload-artifact" in step.get("uses", ""))
    assert upload["with"]["retention-days"] == 14
    assert yaml.safe_load(GITLAB.read_text())["hologram-gate"]["artifacts"]["expire_in"] == "14 days"
    workflow = yaml.safe_load(GITHUB.read_text())
    # `pull_request_target` would run a fork's code with the secrets.
    assert "pull_request_target" not in workflow[True]
    assert workflow["permissions"] == {"contents": "read"}
