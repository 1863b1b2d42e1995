"""What this process knows to be secret goes wherever it stands, however it is written."""

import base64
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from hologram_dagster.secrets.known import remember, remember_address, remember_url
from hologram_dagster.secrets.redactor import MARKER, redact, redact_tree
from hologram_dagster.settings import load_settings

pytestmark = pytest.mark.phase7_security

VALUE = 'Qw3 "é/+sesame\\'
BODY = "MC4CAQAwBQYDK2VwBCIEI" + "q7Rt" * 10
PEM = f"-----BEGIN PRIVATE KEY-----\n{BODY}\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "write",
    [
        str,
        json.dumps,
        repr,
        quote,
        lambda value: quote(value, safe=""),
        lambda value: base64.b64encode(value.encode()).decode(),
        lambda value: base64.urlsafe_b64encode(value.encode()).decode().rstrip("="),
    ],
)
def test_in_every_writing(write: Callable[[str], str]) -> None:
    text = f"the caller with {write(VALUE)} was refused"
    assert redact(text) == text
    remember(VALUE)
    clean = redact(text)
    assert MARKER in clean
    assert clean.startswith("the caller with ")
    assert clean.endswith(" was refused")
    assert "sesame" not in clean
    assert redact_tree({"a": [text]}) == {"a": [clean]}


def test_one_that_could_be_any_word_is_not_looked_for() -> None:
    remember("short1", "password", "")
    assert redact("the password, short1") == "the password, short1"


def test_a_key_is_found_by_its_lines() -> None:
    remember(PEM)
    assert redact(f"see {BODY} there") == f"see {MARKER} there"


def test_of_an_address_its_password_and_of_a_webhook_its_path() -> None:
    remember_url("postgresql://bob:Hun%24ter-2@db.test/x")
    remember_address("https://chat.test/services/T0/B0/AbCdEf0123456789xyz")
    basic = base64.b64encode(b"bob:Hun$ter-2").decode()
    clean = redact(f"Hun$ter-2, Hun%24ter-2, {basic} at db.test; not sent to AbCdEf0123456789xyz, T0")
    assert clean == f"{MARKER}, {MARKER}, {MARKER} at db.test; not sent to {MARKER}, T0"


@pytest.mark.parametrize(
    ("variable", "value", "secret"),
    [
        ("GRAPHQL_TOKEN", "Qwerty-0-sesame", "Qwerty-0-sesame"),
        ("GITHUB_TOKEN", "Qwerty-0-sesame", "Qwerty-0-sesame"),
        ("GITLAB_TOKEN", "Qwerty-0-sesame", "Qwerty-0-sesame"),
        ("SLACK_WEBHOOK_URL", "https://h.test/s/Qwerty-0-sesame-7", "Qwerty-0-sesame-7"),
        ("TEAMS_WEBHOOK_URL", "https://h.test/s/Qwerty-0-sesame-7", "Qwerty-0-sesame-7"),
        ("HOLOGRAM_APPRISE_URLS", "slack://a/Qwerty-0-sesame-7 json://b", "Qwerty-0-sesame-7"),
        ("HOLOGRAM_WATCH", "https://u:Qwerty-0-sesame@h.test/a.git#main", "Qwerty-0-sesame"),
        ("DAGSTER_PG_URL", "postgresql://u:Qwerty-0-sesame@h.test/a", "Qwerty-0-sesame"),
        ("IPFS_API", "http://u:Qwerty-0-sesame@h.test", "Qwerty-0-sesame"),
        ("GRAPHQL_URL", "http://u:Qwerty-0-sesame@h.test", "Qwerty-0-sesame"),
        ("HOLOGRAM_SIGNING_KEY", PEM, BODY),
    ],
)
def test_every_secret_of_the_settings_is_known(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, secret: str
) -> None:
    monkeypatch.setenv(variable, value)
    load_settings()
    assert redact(f"bare {secret} here") == f"bare {MARKER} here"


def test_a_path_to_a_key_is_no_secret() -> None:
    load_settings(signing_key="/etc/hologram/key.pem")
    assert redact("cannot read /etc/hologram/key.pem") == "cannot read /etc/hologram/key.pem"
