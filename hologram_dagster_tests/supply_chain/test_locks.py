"""Lock files of each form give the same packages and hashes; what is malformed is told with its place."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError
from hologram_dagster.supply_chain.locks import Locked, is_lock, merged, read_lock

pytestmark = pytest.mark.phase7_security

ROOT = Path(__file__).resolve().parents[2]
A, B = "a" * 64, "b" * 64
INTEGRITY = "sha512-" + base64.b64encode(bytes(64)).decode()
SHA512 = "sha512:" + "0" * 128

REQUIREMENTS = f"""\
# a comment
--index-url https://example.com/simple
Flask_Login==0.6.3 \\
    --hash=sha256:{B} \\
    --hash=sha256:{A}
colorama==0.4.6 ; sys_platform == "win32" --hash=sha256:{A}
unpinned>=1
"""
UV = f"""\
version = 1
[[package]]
name = "own"
version = "1"
source = {{ virtual = "." }}
[[package]]
name = "flask-login"
version = "0.6.3"
source = {{ registry = "https://example.com/simple" }}
sdist = {{ url = "https://example.com/x.tar.gz", hash = "sha256:{A}" }}
wheels = [{{ url = "https://example.com/x.whl", hash = "sha256:{B}" }}]
"""
POETRY = f"""\
[[package]]
name = "Flask-Login"
version = "0.6.3"
files = [{{file = "x.whl", hash = "sha256:{A}"}}, {{file = "x.tar.gz", hash = "sha256:{B}"}}]
"""
PYLOCK = f"""\
lock-version = "1.0"
[[packages]]
name = "flask-login"
version = "0.6.3"
sdist = {{name = "x.tar.gz", hashes = {{sha256 = "{A}"}}}}
[[packages.wheels]]
name = "x.whl"
hashes = {{sha256 = "{B}"}}
"""
FLASK_LOGIN = Locked("pypi", "flask-login", "0.6.3", (f"sha256:{A}", f"sha256:{B}"))
NPM = json.dumps(
    {
        "lockfileVersion": 3,
        "packages": {
            "": {"name": "own", "version": "1.0.0"},
            "node_modules/@scope/a": {"version": "1.2.3", "integrity": INTEGRITY},
            "node_modules/b/node_modules/c": {"version": "2.0.0"},
            "node_modules/linked": {"link": True, "resolved": "packages/linked"},
        },
    }
)
PNPM = f"""\
lockfileVersion: '9.0'
packages:
  '@scope/a@1.2.3':
    resolution: {{integrity: {INTEGRITY}}}
  /c@2.0.0(peer@1.0.0):
    resolution: {{tarball: https://example.com/c.tgz}}
"""


def test_hashed_requirements_keep_every_artifact_and_what_is_not_pinned_has_no_version() -> None:
    assert read_lock("requirements.lock", REQUIREMENTS.encode()) == (
        Locked("pypi", "colorama", "0.4.6", (f"sha256:{A}",)),
        FLASK_LOGIN,
        Locked("pypi", "unpinned", ""),
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [("uv.lock", UV), ("poetry.lock", POETRY), ("pylock.toml", PYLOCK), ("pylock.ci.toml", PYLOCK)],
)
def test_the_locks_of_other_tools_say_the_same(name: str, text: str) -> None:
    assert read_lock(name, text.encode()) == (FLASK_LOGIN,)


@pytest.mark.parametrize(
    ("name", "text"),
    [("package-lock.json", NPM), ("web/npm-shrinkwrap.json", NPM), ("pnpm-lock.yaml", PNPM)],
)
def test_npm_packages_have_the_digest_of_their_integrity(name: str, text: str) -> None:
    assert read_lock(name, text.encode()) == (
        Locked("npm", "@scope/a", "1.2.3", (SHA512,)),
        Locked("npm", "c", "2.0.0"),
    )
    assert Locked("npm", "@scope/a", "1.2.3").purl == "pkg:npm/%40scope/a@1.2.3"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("requirements.txt", "a==1\n=== b\n", r"requirements.txt line 2"),
        ("package-lock.json", "{", r"package-lock.json line 1 column 2"),
        ("package-lock.json", '{"dependencies": {}}', "npm 7"),
        ("package-lock.json", '{"packages": {"x": {"version": "1", "integrity": "sha512-!"}}}', "integrity"),
        ("package-lock.json", '{"packages": []}', "not in the form"),
        ("uv.lock", "[[package]\n", "uv.lock"),
        ("uv.lock", "[[package]]\nversion = '1'\n", "uv.lock is not in the form"),
        ("pnpm-lock.yaml", "a: [", "pnpm-lock.yaml"),
        ("pnpm-lock.yaml", "- a", "pnpm-lock.yaml is not in the form"),
        ("poetry.lock", "\udcff", "poetry.lock"),
    ],
)
def test_a_malformed_lock_is_refused_with_its_name(name: str, text: str, told: str) -> None:
    with pytest.raises(FormatError, match=told):
        read_lock(name, text.encode(errors="surrogateescape"))


def test_only_names_of_lock_files_are_read() -> None:
    assert is_lock("requirements-dev.txt")
    assert is_lock("sub/pnpm-lock.yaml")
    assert not is_lock("pyproject.toml")
    assert not is_lock("requirements.md")
    with pytest.raises(KeyError):
        read_lock("pyproject.toml", b"")


HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
PACKAGES = st.dictionaries(
    st.tuples(
        st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True),
        st.from_regex(r"[0-9]\.[0-9]{1,3}", fullmatch=True),
    ),
    st.sets(HEX, min_size=1, max_size=3),
    max_size=4,
)


@settings(max_examples=25)
@given(PACKAGES)
def test_whatever_is_written_as_hashed_requirements_is_read_back(
    packages: dict[tuple[str, str], set[str]],
) -> None:
    lines = [
        " ".join([f"{name}=={version}", *(f"--hash=sha256:{value}" for value in hashes)])
        for (name, version), hashes in packages.items()
    ]
    wanted = [
        Locked("pypi", name, version, tuple(sorted(f"sha256:{value}" for value in hashes)))
        for (name, version), hashes in sorted(packages.items())
    ]
    assert read_lock("requirements.txt", "\n".join(lines).encode()) == tuple(wanted)


def test_a_version_in_two_files_is_one_with_the_hashes_of_both() -> None:
    one, other = Locked("pypi", "a", "1", (f"sha256:{A}",)), Locked("pypi", "a", "1", (f"sha256:{B}",))
    assert merged([one, other, one]) == (Locked("pypi", "a", "1", (f"sha256:{A}", f"sha256:{B}")),)


def test_the_projects_own_lock_pins_what_it_needs_with_hashes_and_names_no_host() -> None:
    import tomllib

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    locked = read_lock("requirements.lock", text.encode())
    assert all(item.version and item.hashes for item in locked)
    versions: dict[str, list[str]] = {}
    for item in locked:
        versions.setdefault(item.name, []).append(item.version)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    for requirement in map(Requirement, wanted):
        pinned = versions.get(canonicalize_name(requirement.name), [])
        # `make lock` brings it up to date.
        assert any(requirement.specifier.contains(version, prereleases=True) for version in pinned), (
            requirement
        )
