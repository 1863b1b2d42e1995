"""What every verb has in common: help with an example, JSON where it only reads, completion in each shell."""

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from hologram_dagster.cli.app import app
from hologram_dagster_tests.gate.bench import BIN

pytestmark = pytest.mark.phase0_ready

# These do something, or write in a form of their own (badge and export have JSON forms).
WRITERS = {
    *("gate", "regate", "waive", "unwaive", "setup", "ui", "badge", "attestation", "bridge", "stack up"),
    *("baseline backup", "baseline roll-forward", "baseline roll-back", "secrets redact", "flakes run"),
    *("flakes quarantine", "flakes unquarantine", "history export", "history rebuild", "chaos export"),
}


def verbs(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, inner in command.commands.items():
        yield from verbs(inner, f"{path} {name}".strip())


VERBS = dict(verbs(get_command(app)))


@pytest.mark.parametrize("name", sorted(VERBS))
def test_a_verb_has_an_example_and_one_that_reads_answers_in_json(name: str) -> None:
    verb = VERBS[name]
    _, _, example = " ".join((verb.help or "").split()).partition("Example: ")
    assert f"hologram {name}" in example
    options = {option for parameter in verb.params for option in parameter.opts}
    assert ("--json" in options) != (name in WRITERS)


@pytest.mark.parametrize(
    ("shell", "form"),
    [
        ("bash", "complete -o default -F"),
        ("zsh", "compdef _hologram_completion"),
        ("fish", "complete --command hologram"),
        ("pwsh", "Register-ArgumentCompleter"),
    ],
)
def test_completion_is_shown_for_each_shell(shell: str, form: str) -> None:
    # The shell is named, so that the one that started the tests does not matter.
    env = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = subprocess.run(
        [str(BIN / "hologram"), "--show-completion", shell],
        capture_output=True,
        text=True,
        check=False,
        env=env,
    )
    assert done.returncode == 0, done.stderr
    assert form in done.stdout
    assert "_HOLOGRAM_COMPLETE" in done.stdout
