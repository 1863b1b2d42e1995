"""The container recipes: well-formed, pinned, without root, and made of commands that there are."""

import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml
from dockerfile_parse import DockerfileParser

from hologram_dagster.processes import LOOPBACK
from hologram_dagster.settings import Settings
from hologram_dagster_tests.deploy.recipes import COMPOSE, DEPLOY, OURS, ROOT, SERVICES, VALUES, commands

# Of a whole version: `3.11` moves.
PINNED = re.compile(r"^[a-z/-]+:v?\d+\.\d+(\.\d+)?(-[a-z-]+)?$")


def test_the_compose_file_fits_the_compose_specification(tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt.yaml"
    spoilt.write_text(COMPOSE.read_text().replace("cap_drop: [ALL]", "cap_dropped: [ALL]"))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, COMPOSE, spoilt], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "spoilt.yaml" in done.stdout
    assert str(COMPOSE) not in done.stdout, done.stdout


def test_what_the_compose_file_waits_for_mounts_and_reads_is_there() -> None:
    whole = yaml.safe_load(COMPOSE.read_text())
    for name, service in SERVICES.items():
        for other, wanted in service.get("depends_on", {}).items():
            healthy = "healthcheck" in SERVICES[other]
            assert healthy == (wanted["condition"] == "service_healthy"), (name, other)
        for mount in service["volumes"]:
            source = mount.partition(":")[0]
            assert (DEPLOY / source).is_file() if source.startswith("./") else source in whole["volumes"]
        assert set(service.get("secrets", [])) <= set(whole["secrets"])
        # Only the pages are to be had from outside, and from this host alone.
        assert all(port.startswith(f"{LOOPBACK}:") for port in service.get("ports", [])), name


def test_every_variable_of_the_gate_is_a_setting() -> None:
    known = {str(field.validation_alias.choices[0]) for field in Settings.model_fields.values()}  # type: ignore[union-attr]
    given = {name for service in OURS for name in SERVICES[service]["environment"]}
    assert given - known == {"PGPASSWORD"}
    assert set(DockerfileParser(str(DEPLOY)).envs) - known == {"PYTHONUNBUFFERED"}


def test_every_image_is_pinned_and_kubo_is_the_one_that_the_tests_build() -> None:
    bases = DockerfileParser(str(DEPLOY)).parent_images
    assert len(bases) == 2
    for image in [*bases, *(service["image"] for service in SERVICES.values())]:
        assert PINNED.match(image), image
    assert not PINNED.match("python:3")
    assert not PINNED.match("postgres:latest")
    built = re.search(r"^version=(.+)$", (ROOT / "tools" / "build_kubo.sh").read_text(), re.MULTILINE)
    assert built is not None
    assert SERVICES["kubo"]["image"] == f"ipfs/kubo:{built.group(1)}"


def test_the_image_is_not_roots_and_installs_only_what_has_a_hash() -> None:
    lines = [(line["instruction"], line["value"]) for line in DockerfileParser(str(DEPLOY)).structure]
    users = [value for instruction, value in lines if instruction == "USER"]
    assert users == ["10001"]
    assert [each for each, _ in lines][-2:] == ["USER", "CMD"]
    installed = [
        step.strip()
        for instruction, value in lines
        if instruction == "RUN"
        for step in value.split("&&")
        if "pip" in step
    ]
    assert len(installed) == 4
    # From the lock, or from the files that came from it.
    assert all("--require-hashes" in step or "--no-index" in step for step in installed)
    pinned = re.findall(r"^([a-z0-9][\w.-]*)==.*\\\n {4}--hash=sha256:", lock(), re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^[a-z0-9]", lock(), re.MULTILINE)) > 100
    assert "hatchling" in pinned


def lock() -> str:
    return (ROOT / "requirements.lock").read_text()


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    kept = {line[1:] for line in ignored if line.startswith("!")}
    copied = [
        source
        for line in DockerfileParser(str(DEPLOY)).structure
        if line["instruction"] == "COPY"
        for source in line["value"].split()[:-1]
    ]
    assert set(copied) == kept
    assert all((ROOT / source).exists() for source in copied)


def test_the_values_for_kubernetes_run_the_same_image_one_run_at_a_time() -> None:
    values = yaml.safe_load(VALUES.read_text())
    (deployment,) = values["dagster-user-deployments"]["deployments"]
    assert deployment["image"]["repository"].endswith("/hologram-gate")
    assert f"hologram-gate:{deployment['image']['tag']}" == SERVICES["code"]["image"]
    queued = values["dagsterDaemon"]["runCoordinator"]["config"]["queuedRunCoordinator"]
    assert queued == {"maxConcurrentRuns": 1}
    known = {str(field.validation_alias.choices[0]) for field in Settings.model_fields.values()}  # type: ignore[union-attr]
    assert {each["name"] for each in deployment["env"]} < known
    run = values["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]
    assert run["containerConfig"]["resources"]["requests"] == run["containerConfig"]["resources"]["limits"]
    assert run["jobSpecConfig"]["backoffLimit"] == 0
    version = re.search(r"^dagster==(\S+)", lock(), re.MULTILINE)
    assert version is not None
    assert f"--version {version.group(1)} " in VALUES.read_text()


@pytest.mark.parametrize("name", [name for name, command in commands().items() if "-c" not in command])
def test_every_command_is_one_that_exists_with_these_options(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code_of([*commands()[name], "--help"], monkeypatch) == 0, capsys.readouterr()
    assert exit_code_of([*commands()[name], "--absent=1"], monkeypatch) == 2


def exit_code_of(command: list[str], monkeypatch: pytest.MonkeyPatch) -> object:
    """What the program's own entry ends with, called in this process: starting one takes seconds."""
    program, *options = command
    if program == "python":
        _, module, *options = options
        call: Callable[[], object] = partial(import_module(module).main, options)
    else:
        (entry,) = entry_points(group="console_scripts", name=program)
        monkeypatch.setattr(sys, "argv", [program, *options])
        call = entry.load()
    with pytest.raises(SystemExit) as ended:
        call()
    return ended.value.code


@pytest.mark.study
@pytest.mark.timeout(1200)
def test_the_images_steps_of_pip_install_the_gate_and_no_more(tmp_path: Path) -> None:
    """The Dockerfile's own lines, each stage in an environment of its own; minutes, and the network."""
    stage = 0
    for line in DockerfileParser(str(DEPLOY)).structure:
        if line["instruction"] == "FROM":
            stage += 1
            subprocess.run([sys.executable, "-m", "venv", str(tmp_path / str(stage))], check=True)
            # The base image of this Python has both.
            with_tools = ["pip", "install", "--quiet", "setuptools<80", "wheel"]
            subprocess.run([tmp_path / str(stage) / "bin" / with_tools[0], *with_tools[1:]], check=True)
        steps = re.findall(r"pip (?:install|wheel) .*?(?=&&|$)", line["value"])
        for step in steps if line["instruction"] == "RUN" else []:
            here_step = step.replace("/wheels", str(tmp_path / "wheels"))
            program = tmp_path / str(stage) / "bin" / here_step.split()[0]
            done = subprocess.run(
                ["sh", "-ec", f"{program} {here_step.partition(' ')[2]}"], cwd=ROOT, check=False
            )
            assert done.returncode == 0, step
    assert stage == 2
    installed = tmp_path / "2" / "bin"
    assert subprocess.run([installed / "hologram", "--help"], check=False).returncode == 0
    listed = subprocess.run([installed / "pip", "list"], capture_output=True, text=True, check=True).stdout
    names = {row.split()[0].lower() for row in listed.splitlines()[2:]}
    assert {"hologram_dagster", "dagster-k8s", "dagster-postgres", "s3fs"} <= names
    assert not {"moto", "playwright", "hypothesis", "mypy"} & names
