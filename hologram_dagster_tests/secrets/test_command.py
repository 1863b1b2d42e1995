"""The installed command: `hologram secrets`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hologram_dagster.secrets.redactor import MARKER

pytestmark = pytest.mark.phase7_security

HOLOGRAM = str(Path(sys.executable).parent / "hologram")
TOKEN = "ghp_" + "q7Rt" * 9


def hologram(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HOLOGRAM, "secrets", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with a secret of its own form in one file, a named one in another, and a clean file."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "app.py").write_text(f"# app\nclient = Client('{TOKEN}')\n")
    (tmp_path / "tests" / "sample.yaml").write_text("user: bob\npassword: hunter2-24\n")
    (tmp_path / "clean.txt").write_text("cid bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi\n")
    return tmp_path


def redacted(data: bytes) -> bytes:
    done = subprocess.run([HOLOGRAM, "secrets", "redact"], input=data, capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout


def test_standard_input_is_redacted_and_every_other_byte_kept() -> None:
    data = b"caf\xc3\xa9 \xff\xfe\x00 token=abcdef x\r\npassword: |\n  a\n  b\nnext" + b"\ny" * 100_000
    marker = MARKER.encode()
    assert redacted(data) == (
        b"caf\xc3\xa9 \xff\xfe\x00 token="
        + marker
        + b" x\r\npassword: "
        + marker
        + b"\nnext"
        + b"\ny" * 100_000
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf16_stays_utf16(encoding: str) -> None:
    text = "\N{BYTE ORDER MARK}" * (encoding == "utf-16-be") + f"é 🔑 sent {TOKEN}\n"
    out = redacted(text.encode(encoding))
    assert out.decode("utf-16") == f"é 🔑 sent {MARKER}\n"


def test_a_line_is_given_out_before_the_next_one_comes() -> None:
    with subprocess.Popen(
        [HOLOGRAM, "secrets", "redact"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"a {TOKEN}\n".encode())
        process.stdin.flush()
        assert process.stdout.readline() == f"a {MARKER}\n".encode()
        process.stdin.close()
    assert process.returncode == 0


def test_a_reader_that_leaves_early_is_no_error() -> None:
    done = subprocess.run(
        f"yes token=abc | '{HOLOGRAM}' secrets redact | head -2",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (f"token={MARKER}\n" * 2, "")


def test_a_finding_is_told_with_file_line_and_kind_and_never_its_value(tree: Path) -> None:
    done = hologram("scan", ".", cwd=tree)
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["app.py:2: github", "tests/sample.yaml:2: password"]
    assert "3 files, 2 secrets, 0 accepted" in done.stderr
    assert "q7Rt" not in done.stdout + done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_a_clean_tree_is_green(tree: Path) -> None:
    done = hologram("scan", "clean.txt", cwd=tree)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_file_that_cannot_be_read_is_never_clean(tree: Path) -> None:
    done = hologram("scan", "clean.txt", "missing.txt", "app.py", cwd=tree)
    assert done.returncode == 2
    assert "cannot read missing.txt" in done.stderr
    # What could be read is told all the same.
    assert done.stdout == "app.py:2: github\n"
    assert hologram("scan", "--pre-commit", "tests", cwd=tree).returncode == 2


def test_in_a_repository_what_git_ignores_is_left_out(tree: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tree, check=True)
    (tree / ".gitignore").write_text("app.py\n")
    (tree / "link").symlink_to("tests/sample.yaml")
    assert hologram("scan", ".", cwd=tree).stdout == "tests/sample.yaml:2: password\n"


def test_what_is_accepted_is_green_until_value_or_place_changes(tree: Path) -> None:
    file = ".hologram-secrets.json"
    assert hologram("scan", ".", "--write-baseline", file, cwd=tree).returncode == 0
    assert "q7Rt" not in (tree / file).read_text()
    assert hologram("scan", ".", cwd=tree).returncode == 0
    # Another line, the same value.
    (tree / "app.py").write_text("\n\n" + (tree / "app.py").read_text())
    assert hologram("scan", ".", cwd=tree).returncode == 0
    other = f"client = Client('{TOKEN[::-1].replace('_phg', '')}')"
    (tree / "app.py").write_text(f"client = Client('ghp_{'Zz9y' * 9}')\n# {other}\n")
    assert hologram("scan", ".", cwd=tree).stdout == "app.py:1: github\n"
    (tree / "copy.yaml").write_text((tree / "tests" / "sample.yaml").read_text())
    assert hologram("scan", "copy.yaml", cwd=tree).returncode == 1


def test_in_a_folder_of_samples_only_what_has_its_own_form_is_found(tree: Path) -> None:
    file = tree / ".hologram-secrets.json"
    assert hologram("scan", "clean.txt", "--write-baseline", str(file), cwd=tree).returncode == 0
    file.write_text(json.dumps({**json.loads(file.read_text()), "samples": ["tests"]}))
    (tree / "tests" / "more.py").write_text(f'token = "{TOKEN}"\npassword = "hunter2"\n')
    done = hologram("scan", ".", cwd=tree)
    assert done.stdout.splitlines() == ["app.py:2: github", "tests/more.py:1: github"]
    assert "2 accepted" in done.stderr


@pytest.mark.parametrize("content", ["", "{}", '{"schema_version": 2, "salt": "00"}', "[1]"])
def test_a_damaged_baseline_file_is_an_error_that_names_it(tree: Path, content: str) -> None:
    (tree / "accepted.json").write_text(content)
    done = hologram("scan", "clean.txt", "--baseline", "accepted.json", cwd=tree)
    assert done.returncode == 2
    assert done.stderr.startswith("hologram: accepted.json: ")
    assert "Traceback" not in done.stderr
    assert hologram("scan", "clean.txt", "--baseline", "nowhere.json", cwd=tree).returncode == 2


def test_json(tree: Path) -> None:
    done = hologram("scan", ".", "nowhere", "--json", cwd=tree)
    told = json.loads(done.stdout)
    assert told["findings"] == [
        {"path": "app.py", "line": 2, "kind": "github"},
        {"path": "tests/sample.yaml", "line": 2, "kind": "password"},
    ]
    assert (told["files"], told["accepted"], len(told["unreadable"]), done.returncode) == (3, 0, 1, 2)


def test_sarif_is_valid_and_names_every_place(tree: Path) -> None:
    (tree / "a b.py").write_text(f"x = '{TOKEN}'\n")
    log = json.loads(hologram("scan", ".", "--format", "sarif", cwd=tree).stdout)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert log["version"] == "2.1.0"
    places = []
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        where = result["locations"][0]["physicalLocation"]
        places.append((where["artifactLocation"]["uri"], where["region"]["startLine"], result["ruleId"]))
    assert places == [
        ("a%20b.py", 1, "secret/github"),
        ("app.py", 2, "secret/github"),
        ("tests/sample.yaml", 2, "secret/password"),
    ]


def test_github_annotations_escape_what_would_end_them(tree: Path) -> None:
    (tree / "a,b:c%.py").write_text(f"x = '{TOKEN}'\n")
    done = hologram("scan", "a,b:c%.py", "--format", "github", cwd=tree)
    assert done.stdout.startswith(
        "::error file=a%2Cb%3Ac%25.py,line=1,title=Secret::A secret of kind github "
    )


def test_this_project_holds_no_secret() -> None:
    done = hologram("scan", ".", cwd=Path(__file__).resolve().parents[2])
    assert (done.stdout, done.returncode) == ("", 0)
