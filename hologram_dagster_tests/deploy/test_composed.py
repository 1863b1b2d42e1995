"""The services as composed, as processes with places of this machine in place of the composed ones."""

import json
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml

from hologram_dagster.processes import LOOPBACK, free_port, start_child, stop_child, wait_until
from hologram_dagster.stack.stack import Stack
from hologram_dagster_tests.deploy.recipes import DEPLOY, ROOT, SERVICES, commands, here
from hologram_dagster_tests.gate.bench import BIN, HANG_S, Bench, MakeBench, git
from hologram_dagster_tests.postgres import running_postgres
from hologram_dagster_tests.registry.conftest import ADMIN, write_tokens

JOBS = "{ repositoriesOrError { ... on RepositoryConnection { nodes { location { name } jobs { name } } } } }"
RUNS = "{ runsOrError { ... on Runs { results { jobName status } } } }"


def accepts(port: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, int(port))) == 0


def healthy(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, timeout=HANG_S, check=False).returncode == 0


@contextmanager
def running(bench: Bench, command: list[str], log: Path, **variables: str) -> Iterator[None]:
    with log.open("wb") as stream:
        environment = bench.environment(**variables)
        process = start_child(command, cwd=bench.folder, env=environment, stdout=stream, stderr=stream)
        try:
            yield
        finally:
            stop_child(process, grace_s=20)


def wait_for(port: str, check: list[str], log: Path) -> None:
    # Before each look at its health: that starts a process.
    assert wait_until(lambda: accepts(port), timeout_s=HANG_S), log.read_text()
    assert wait_until(lambda: healthy(check), timeout_s=HANG_S, every_s=1), log.read_text()


@contextmanager
def registry(bench: Bench, stack: Stack, folder: Path, database: str) -> Iterator[str]:
    """The registry as composed, found healthy as composed; its URL."""
    port = str(free_port())
    command = here(
        SERVICES["registry"]["command"],
        port=port,
        database=database,
        ipfs_api=stack.ipfs_api,
        tokens=str(write_tokens(folder / "tokens.json", mutations_need_token=True)),
        signing_key=str(folder / "key.pem"),
    )
    program, *check = commands()["registry is healthy"]
    check = [str(BIN / program), *(each.replace(":4000/", f":{port}/") for each in check)]
    assert not healthy(check)
    with running(bench, command, folder / "registry.log"):
        wait_for(port, check, folder / "registry.log")
        yield f"http://{LOOPBACK}:{port}/graphql"


@contextmanager
def pages(bench: Bench, folder: Path, *, daemon: bool, variables: Mapping[str, str]) -> Iterator[str]:
    """Code location and web server as composed, and the daemon if asked for; the GraphQL of the pages."""
    code_port, port = str(free_port()), str(free_port())
    workspace = yaml.safe_load((DEPLOY / "workspace.yaml").read_text())
    server = workspace["load_from"][0]["grpc_server"]
    assert server["host"] == "code"
    assert f"--port={server['port']}" in SERVICES["code"]["command"]
    server |= {"host": LOOPBACK, "port": int(code_port)}
    file = folder / "workspace.yaml"
    file.write_text(yaml.safe_dump(workspace))
    with ExitStack() as started:
        command = here(SERVICES["code"]["command"], host=LOOPBACK, port=code_port)
        started.enter_context(running(bench, command, folder / "code.log", **variables))
        wait_for(code_port, here(commands()["code is healthy"], port=code_port), folder / "code.log")
        command = here(SERVICES["webserver"]["command"], workspace=str(file), host=LOOPBACK, port=port)
        started.enter_context(running(bench, command, folder / "pages.log", **variables))
        if daemon:
            command = here(SERVICES["daemon"]["command"], workspace=str(file))
            started.enter_context(running(bench, command, folder / "daemon.log", **variables))
        assert wait_until(lambda: accepts(port), timeout_s=HANG_S), (folder / "pages.log").read_text()
        yield f"http://{LOOPBACK}:{port}/graphql"


def ask(address: str, question: str) -> Any:
    answer = httpx.post(address, json={"query": question}, trust_env=False, timeout=60)
    return answer.raise_for_status().json()["data"]


def test_the_registry_serves_as_composed_and_is_found_healthy(
    bench: Bench, stack: Stack, tmp_path: Path
) -> None:
    with registry(bench, stack, tmp_path, f"sqlite:///{tmp_path / 'registry.sqlite'}") as url:
        assert ask(url, "{ __typename }") == {"__typename": "Query"}


def test_pages_and_code_location_find_each_other_as_composed(make_bench: MakeBench, tmp_path: Path) -> None:
    bench = make_bench()
    home = str(bench.folder / ".hologram" / "dagster")
    with pages(bench, tmp_path, daemon=False, variables={"DAGSTER_HOME": home}) as address:
        (location,) = ask(address, JOBS)["repositoriesOrError"]["nodes"]
    own = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"][0]["python_module"]
    # Renamed, every cursor and run key would be lost.
    assert location["location"]["name"] == own["location_name"]
    assert "nightly" in {job["name"] for job in location["jobs"]}


@pytest.mark.study
@pytest.mark.system("postgresql")
@pytest.mark.timeout(900)
def test_all_of_it_gates_a_watched_commit(stack: Stack, tmp_path: Path) -> None:
    """Every service of the file but Docker's own parts: PostgreSQL under Dagster and registry, a token."""
    watched, host = Bench.make(tmp_path / "watched"), Bench.make(tmp_path / "host")
    with running_postgres(tmp_path) as url:
        with psycopg.connect(url, autocommit=True) as database:
            database.execute((DEPLOY / "registry.sql").read_text())
        with registry(host, stack, tmp_path, url.replace("/postgres?", "/registry?")) as graphql_url:
            variables = {
                "DAGSTER_PG_URL": url,
                "IPFS_API": stack.ipfs_api,
                "GRAPHQL_URL": graphql_url,
                "GRAPHQL_TOKEN": ADMIN,
                "HOLOGRAM_ALLOW_DISRUPTION": LOOPBACK,
                "HOLOGRAM_STATE_DIR": str(tmp_path / "state"),
                "HOLOGRAM_REPORTS_DIR": str(tmp_path / "reports"),
                "DAGSTER_HOME": str(tmp_path / "state" / "dagster"),
                "HOLOGRAM_WATCH": f"{watched.folder}#main",
                "HOLOGRAM_WATCH_PROFILE": "dev",
            }
            done = host.hologram(*SERVICES["setup"]["command"][1:], **variables)
            assert done.returncode == 0, done.stderr
            file = tmp_path / "reports" / "verdict.json"

            def final() -> bool:
                return file.exists() and json.loads(file.read_text())["state"] == "final"

            with pages(host, tmp_path, daemon=True, variables=variables) as address:
                assert wait_until(final, timeout_s=600, every_s=1), (tmp_path / "daemon.log").read_text()
                assert wait_until(
                    lambda: (
                        [run["status"] for run in ask(address, RUNS)["runsOrError"]["results"]] == ["SUCCESS"]
                    ),
                    timeout_s=HANG_S,
                    every_s=1,
                )
            verdict = json.loads(file.read_text())
            assert (verdict["verdict"], verdict["profile"]) == ("pass", "dev")
            assert verdict["revision"]["commit"] == git(watched.folder, "rev-parse", "HEAD")
