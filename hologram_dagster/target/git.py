"""Running `git` in a repository that is the user's: bounded, without prompts, without traces.

What belongs here: one call of git and the translation of its refusals. What does not:
what is asked of git (`revision`).
"""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from hologram_dagster.errors import HologramError
from hologram_dagster.processes import scrubbed_environment, start_child, stop_child

TIMEOUT_S = 120.0
# GIT_OPTIONAL_LOCKS: `status` must not rewrite the user's index to refresh it.
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LITERAL_PATHSPECS": "0",
    "LC_ALL": "C",
}
# A repository's own configuration must neither run its programs here (hooks, file system
# monitor) nor make git write beside the index it is given (split index).
_CONFIGURATION = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.splitIndex=false"),
    *("-c", "core.quotePath=false"),
    *("-c", "advice.addEmbeddedRepo=false"),
)


class GitRefusal(HologramError):  # noqa: N818 (git refused; nothing is wrong with us)
    """Git answered with an error; `stderr` is what it said."""

    def __init__(self, text: str, stderr: str):
        super().__init__(text)
        self.stderr = stderr


def git(
    repository: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout_s: float = TIMEOUT_S,
) -> bytes:
    """The standard output of `git ARGUMENTS` run in `repository`, within `timeout_s` seconds.

    Raises:
        GitRefusal: git failed; the text says what it said and, where known, the remedy.
        HologramError: git is not installed, or gave no answer in time.
    """
    process = start_child(
        ["git", "-C", str(repository), *_CONFIGURATION, *arguments],
        env=scrubbed_environment({**_ENVIRONMENT, **(env or {})}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        output, errors = process.communicate(stdin, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise HologramError(
            f"git {arguments[0]} in {repository} gave no answer within {timeout_s:g} s: "
            "see whether its disk hangs or another git holds a lock there."
        ) from None
    finally:
        stop_child(process)
    if process.returncode:
        raise _explain(repository, arguments, errors.decode(errors="replace"))
    return output


def _explain(repository: Path, arguments: Sequence[str], stderr: str) -> HologramError:
    if "cannot run git" in stderr:
        return HologramError("git is not installed: install git 2.30 or newer and put it on PATH.")
    if "dubious ownership" in stderr:
        return GitRefusal(
            f"git does not trust {repository}, since another user owns it: "
            f"run `git config --global --add safe.directory {repository.resolve()}` as this user.",
            stderr,
        )
    if "not a git repository" in stderr or "cannot change to" in stderr:
        return GitRefusal(
            f"{repository} is no git repository: name the target's in HOLOGRAM_REPOSITORY, "
            "or run `git init` there.",
            stderr,
        )
    if "must be run in a work tree" in stderr:
        return GitRefusal(
            f"{repository} is a bare repository without files: "
            "name a clone with a working tree in HOLOGRAM_REPOSITORY.",
            stderr,
        )
    lines = [line for line in stderr.splitlines() if line.strip()]
    said = next(
        (line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1] if lines else "nothing"
    )
    return GitRefusal(f"git {arguments[0]} failed in {repository}: it said {said!r}.", stderr)
