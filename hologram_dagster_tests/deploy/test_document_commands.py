"""Every command that a document tells is one that exists: verbs with their options, targets, programs."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hologram_dagster.cli.app import app
from hologram_dagster.protocol import bridge

pytestmark = pytest.mark.phase0_ready

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TARGETS = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
_ASSIGNMENT = re.compile(r"^[A-Z_]+=")
_PATH = re.compile(r"^(benchmarks|tools|deploy/ci)/[\w./-]+\.\w+$")


def told(text: str) -> Iterator[list[str]]:
    """The words of each command in `text`: lines of its shell blocks, and code within a line."""
    blocks = re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for line in (*lines, *inline):
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue
        while words and _ASSIGNMENT.match(words[0]):
            words = words[1:]
        if words:
            words[0] = words[0].removeprefix(".venv/bin/")
            yield words


def fault(words: list[str]) -> str | None:
    """What is wrong with a command of ours; None also for what is none of ours."""
    program, *rest = words
    if program == "make":
        wrong = [word for word in rest if "=" not in word and word not in TARGETS]
        return f"no target {wrong}" if wrong else None
    if program == "hologram":
        return _fault_of_verb(rest)
    # `python benchmarks/x.py`, `sh deploy/x.sh`, `tools/x.sh`: what runs must be there.
    script = rest[0] if program in {"python", "sh"} and rest else program
    return f"no {script}" if _PATH.match(script) and not (ROOT / script).exists() else None


def _fault_of_verb(rest: list[str]) -> str | None:
    words = []
    for word in rest:
        if word in {"|", ">", "&&", ";"} or word.startswith(("$", "<", "…", "...", "[")):
            break
        words.append(word)
    if words[:1] == ["bridge"]:
        # It takes all of its words for itself.
        return None if set(words[1:2]) <= {*bridge.COMMANDS, "COMMAND"} else f"no call {words[1]}"
    shown = CliRunner().invoke(app, [*words, "--help"])
    return shown.output[-300:] if shown.exit_code != 0 else None


COMMANDS = sorted(
    {(document.name, shlex.join(words)) for document in DOCUMENTS for words in told(document.read_text())}
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_of_a_document_exists(document: Path) -> None:
    commands = [shlex.split(command) for name, command in COMMANDS if name == document.name]
    faults = {shlex.join(words): said for words in commands if (said := fault(words))}
    assert faults == {}


@pytest.mark.parametrize(
    "line",
    [
        "hologram gates --profile dev",
        "hologram gate --profil dev",
        "hologram baseline forward",
        "make gates",
        "python benchmarks/absent.py",
    ],
)
def test_a_command_that_does_not_exist_is_found(line: str) -> None:
    (words,) = told(f"Type `{line}` now.")
    assert fault(words)
    (words,) = told(f"```sh\n{line}  # now\n```")
    assert fault(words)


def test_the_commands_are_found_at_all() -> None:
    """At least one of each kind, and the two of the first page."""
    first = {command for name, command in COMMANDS if name == "README.md"}
    assert {"make gate", "make test"} <= first
    assert sum(command.startswith("hologram ") for _, command in COMMANDS) > 60
