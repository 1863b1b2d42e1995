"""What the gate makes in a user's repository does not get into the user's commits."""

from pathlib import Path

import pytest

from hologram_dagster.cli.home import prepare_home
from hologram_dagster.gate.run import KEY_FILE, open_gate_run, open_signer
from hologram_dagster.settings import Settings, load_settings
from hologram_dagster_tests.gate.bench import git

pytestmark = pytest.mark.phase0_ready


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit and no `.gitignore`."""
    folder = tmp_path / "user"
    folder.mkdir()
    git(folder, "init", "-q", ".")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    return folder


def settings_in(folder: Path) -> Settings:
    return load_settings(
        repository=folder, state_dir=folder / ".hologram", reports_dir=folder / "reports", dagster_home=None
    )


def test_the_signing_key_and_the_reports_are_not_committed(repository: Path) -> None:
    settings = settings_in(repository)
    open_gate_run(settings, run_id="run")
    (settings.reports_dir / "verdict.json").write_text("{}")
    assert (settings.state_dir / KEY_FILE).exists()
    git(repository, "add", "-A")
    assert git(repository, "status", "--porcelain") == ""


def test_a_state_folder_from_before_is_kept_out_too(repository: Path) -> None:
    settings = settings_in(repository)
    (settings.state_dir / "dagster").mkdir(parents=True)
    (settings.state_dir / "dagster" / "history.db").write_text("")
    open_signer(settings)
    git(repository, "add", "-A")
    assert git(repository, "status", "--porcelain") == ""


def test_the_dagster_home_alone_is_kept_out(repository: Path, dagster_home: Path) -> None:
    settings = settings_in(repository).model_copy(update={"dagster_home": dagster_home})
    prepare_home(settings)
    assert (settings.state_dir / ".gitignore").read_text() == "*\n"


def test_what_the_user_wrote_stays(repository: Path) -> None:
    settings = settings_in(repository)
    settings.state_dir.mkdir()
    (settings.state_dir / ".gitignore").write_text("keys/\n")
    settings.reports_dir.mkdir()
    open_signer(settings)
    assert (settings.state_dir / ".gitignore").read_text() == "keys/\n"
    assert list(settings.reports_dir.iterdir()) == []


def test_a_repository_that_is_the_state_folder_is_not_hidden(repository: Path) -> None:
    open_signer(load_settings(repository=repository, state_dir=repository, reports_dir=repository))
    assert not (repository / ".gitignore").exists()
