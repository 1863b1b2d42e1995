"""A bare repository that others push to, and a clone to push from."""

from dataclasses import dataclass
from pathlib import Path

from hologram_dagster_tests.gate.bench import git


@dataclass
class Remote:
    """`url` is watched; `clone` is somebody's working copy."""

    bare: Path
    clone: Path

    @classmethod
    def make(cls, folder: Path) -> "Remote":
        """An empty one in `folder`."""
        bare, clone = folder / "remote.git", folder / "clone"
        for path in (bare, clone):
            path.mkdir(parents=True)
        git(bare, "init", "-q", "--bare", ".")
        git(clone, "init", "-q", ".")
        git(clone, "remote", "add", "origin", str(bare))
        return cls(bare, clone)

    @property
    def url(self) -> str:
        return str(self.bare)

    def commit(self, message: str, **files: str) -> str:
        """A commit in the clone; not pushed."""
        for name, content in files.items():
            (self.clone / name.replace("__", ".")).write_text(content)
        git(self.clone, "add", ".")
        git(self.clone, "commit", "-q", "--allow-empty", "-m", message)
        return self.head()

    def push(self, *messages: str, branch: str = "main") -> list[str]:
        """Commits of these messages, pushed at once."""
        commits = [self.commit(message) for message in messages]
        git(self.clone, "push", "-q", "--force", "origin", f"HEAD:refs/heads/{branch}")
        return commits

    def reset(self, commit: str) -> None:
        """Put the clone's branch to `commit`; not pushed."""
        git(self.clone, "reset", "-q", "--hard", commit)

    def merge(self, *side: str) -> str:
        """Commits of a side branch, merged into the clone's and pushed; the merge."""
        main = self.head()
        for message in side:
            self.commit(message)
        tip = self.head()
        self.reset(main)
        git(self.clone, "merge", "-q", "--no-ff", "-m", f"merge {side[-1]}", tip)
        self.push()
        return self.head()

    def head(self) -> str:
        return git(self.clone, "rev-parse", "HEAD")
