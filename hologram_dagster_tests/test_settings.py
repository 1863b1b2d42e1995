"""Settings and policy: names the variable, the line and the key; never shows a value."""

import pytest

from hologram_dagster.errors import SettingsError
from hologram_dagster.policy import Policy, parse_policy
from hologram_dagster.settings import Environment, Settings, load_settings

pytestmark = pytest.mark.phase0_ready


def test_a_malformed_value_names_every_variable_and_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLO_GQL_P95_MS", "hunter2")
    monkeypatch.setenv("GQL_SAMPLES", "-3")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "SLO_GQL_P95_MS" in str(caught.value)
    assert "GQL_SAMPLES" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "environment"),
    [
        ("dev", Environment.LOCAL),
        ("stage", Environment.STAGING),
        ("prod", Environment.PRODUCTION),
        ("production", Environment.PRODUCTION),
    ],
)
def test_environment_aliases(monkeypatch: pytest.MonkeyPatch, value: str, environment: Environment) -> None:
    monkeypatch.setenv("HOLOGRAM_ENVIRONMENT", value)
    assert load_settings().environment is environment


@pytest.mark.parametrize(
    ("value", "ci"), [("true", True), ("1", True), ("woodpecker", True), ("false", False)]
)
def test_ci_systems_say_ci_in_their_own_words(monkeypatch: pytest.MonkeyPatch, value: str, ci: bool) -> None:
    monkeypatch.setenv("CI", value)
    assert load_settings().ci is ci


def test_an_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPFS_API", "")
    assert load_settings().ipfs_api is None


def test_secrets_do_not_show_in_text() -> None:
    settings = load_settings(graphql_token="sesame", signing_key="pem")
    assert "sesame" not in repr(settings)
    assert "pem" not in repr(settings)


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_policy_reads_keys_and_budgets() -> None:
    policy = parse_policy(
        b'trusted_keys = ["0123456789abcdef"]\n[budgets.main]\ngql = 70\n', where="hologram.toml"
    )
    assert policy.trusted_keys == ("0123456789abcdef",)
    assert policy.budgets.main.gql == 70


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"trusted_keys = [", "not valid TOML"),
        (b"\n\ntrusted_keys = ['short']\n", r"line 3: trusted_keys\.0"),
        (b"[budgets.main]\ngql = -1\n", r"line 2: budgets\.main\.gql"),
        (b"[budgets.weekly]\ngql = 1\n", r"line 1: budgets\.weekly"),
        (b"trusted = []\n", r"line 1: trusted"),
        (b"\xff", "not valid TOML"),
        (
            b"# gql = 1\n[budgets.pr]\ngql = 9\n[budgets.main] # gql\n\n# gql\ngql = -1\n",
            "line 7: budgets.main.gql",
        ),
        (b"[budgets]\npr = {gql = 1}\nmain = {gql = -1}\n", "line 3: budgets.main.gql"),
        (b"[target]\r\nname = 's'\r\nworker = [\r\n'a',\r\n7,\r\n]\r\n", "line 3: target.worker.1"),
        (b"[target]\n[target.server]\nready = '/'\n", "line 2: target.server.command"),
        (b"[budgets.main]\ngql = inf\n", "line 2: budgets.main.gql: .*finite"),
        (b"[budgets.main]\ngql = nan\n", "line 2: budgets.main.gql"),
        (
            b"[target]\nworker = ['node', '{tre}/w.mjs']\n",
            r"line 2: target.worker.1: \{tre\} .*\{tree\}, \{env\}",
        ),
        (b"[target]\nsetup = [['a', '{port}']]\n", r"line 2: target.setup.0.1: \{port\} is no placeholder"),
        (b"[target.server]\ncommand = ['{prt}']\n", r"\{prt\} .*\{port\}, \{data\}, \{ipfs\}"),
    ],
)
def test_a_broken_policy_names_line_and_key(content: bytes, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        parse_policy(content, where="hologram.toml")


def test_no_file_means_no_policy() -> None:
    assert Policy().trusted_keys == ()


def test_other_braces_of_a_command_are_its_own() -> None:
    policy = parse_policy(b"[target]\nworker = ['sh', '-c', 'echo ${home} {} {1} {{']\n", where="x")
    assert policy.target is not None
    assert policy.target.worker[2] == "echo ${home} {} {1} {{"


@pytest.mark.parametrize("variable", ["SLO_GQL_P95_MS", "REGRESSION_THRESHOLD_PCT", "HOLOGRAM_WATTS"])
@pytest.mark.parametrize("value", ["inf", "nan", "-inf", "0"])
def test_a_number_that_is_no_limit_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=variable):
        load_settings()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("HOLOGRAM_NOTIFY", "foo"), ("HOLOGRAM_NOTIFY", "main, foo"), ("HOLOGRAM_WATCH_PROFILE", "foo")],
)
def test_an_unknown_profile_is_refused_by_the_variables_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=variable) as refused:
        load_settings()
    assert "foo" not in str(refused.value)
    assert "nightly" in str(refused.value)


@pytest.mark.parametrize("value", ["none", "pr, dev", "main,nightly,", ""])
def test_who_is_told_is_profiles_or_nobody(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HOLOGRAM_NOTIFY", value)
    assert load_settings().notify == (value or "main,nightly")
