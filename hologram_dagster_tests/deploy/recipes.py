"""What the container recipes say, read once for all their tests."""

from pathlib import Path
from typing import Any

import yaml
from dockerfile_parse import DockerfileParser

from hologram_dagster_tests.gate.bench import BIN

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
VALUES = DEPLOY / "kubernetes" / "values.yaml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
OURS = [name for name, service in SERVICES.items() if service["image"].startswith("hologram-gate:")]


def commands() -> dict[str, list[str]]:
    """Every command that the recipes run in our image."""
    of_services = {name: SERVICES[name]["command"] for name in OURS}
    checks = {
        f"{name} is healthy": SERVICES[name]["healthcheck"]["test"][1:]
        for name in OURS
        if "healthcheck" in SERVICES[name]
    }
    parsed = DockerfileParser(str(DEPLOY))
    values = yaml.safe_load(VALUES.read_text())
    (deployment,) = values["dagster-user-deployments"]["deployments"]
    # What Dagster's chart makes of them.
    pod = ["dagster", "api", "grpc", "--port=4266", *deployment["dagsterApiGrpcArgs"]]
    return {**of_services, **checks, "image": yaml.safe_load(parsed.cmd), "kubernetes": pod}


def here(command: list[str], **places: str) -> list[str]:
    """`command` with this environment's programs; each of `places` stands for what it is composed with."""
    program, *options = command
    for old, new in places.items():
        option = f"--{old.replace('_', '-')}="
        assert any(each.startswith(option) for each in options), (option, command)
        options = [option + new if each.startswith(option) else each for each in options]
    return [str(BIN / program), *options]
