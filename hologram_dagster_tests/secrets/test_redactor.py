"""Nothing of a secret survives, whatever its kind, the form it stands in, and its value."""

import json
import re
import shlex
from collections.abc import Callable
from urllib.parse import quote, urlencode

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from hologram_dagster.secrets.kinds import CONTRACT, Kind
from hologram_dagster.secrets.redactor import MARKER, redact, redact_tree

pytestmark = pytest.mark.phase7_security

HEADERS = {
    Kind.SET_COOKIE: "Set-Cookie",
    Kind.AUTHORIZATION: "Authorization",
    Kind.COOKIE: "Cookie",
    Kind.X_API_KEY: "X-Api-Key",
    Kind.X_AUTH_TOKEN: "X-Auth-Token",
}
NAMES = sorted(
    {*(kind.value for kind in CONTRACT), *HEADERS.values(), "apiKey", "DB_PASSWORD", "GRAPHQL_TOKEN"}
)
NAME = st.sampled_from(NAMES).flatmap(
    lambda name: st.sampled_from([name, name.upper(), name.title(), name.lower()])
)

PRINTABLE = st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="\x85")
# Unquoted, a value ends where its form says that it does.
LINE = st.text(PRINTABLE, min_size=4).filter(lambda v: v.strip() == v and v[-1] != "\\")
WORD = st.text(st.characters(exclude_categories=("Cs", "C", "Z"), exclude_characters="\x85\"'`"), min_size=4)
ANY = st.text(st.characters(exclude_categories=["Cs"]), min_size=4)


def _yaml(name: str, value: object) -> str:
    document = {"first": 1, name: value, "last": {"a": "b"}}
    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))


# form -> the values it can carry, how it is written, what must still be there afterwards
FORMS: dict[str, tuple[st.SearchStrategy[str], Callable[[str, str], str], tuple[str, ...]]] = {
    "header": (
        LINE,
        lambda n, v: f"GET / HTTP/1.1\nHost: x\n{n}: {v}\nAccept: all\n",
        ("Host: x", "Accept: all"),
    ),
    "header in a log line": (
        LINE,
        lambda n, v: f"12:00 INFO sent {n}: {v}\n12:01 next",
        ("12:00 INFO sent", "next"),
    ),
    "header option": (
        LINE.map(lambda v: re.sub(r'["\\]', "-", v)),
        lambda n, v: f'curl -H "{n}: {v}" http://x/y',
        ("curl -H ", "http://x/y"),
    ),
    "key=value": (WORD, lambda n, v: f"12:00 {n}={v} user=bob", ("12:00", "user=bob")),
    "key = value first in line": (LINE, lambda n, v: f"[s]\n{n} = {v}\nuser = bob", ("[s]", "user = bob")),
    "export": (
        WORD.filter(lambda v: v[-1] != "\\"),
        lambda n, v: f"export {n}={v}\necho done",
        ("export", "echo done"),
    ),
    "shell quoted": (LINE, lambda n, v: f"run {n}={shlex.quote(v + ' ')} user=bob", ("run ",)),
    "option": (
        WORD.filter(lambda v: v[0] not in "-:=!%,"),
        lambda n, v: f"tool --{n} {v} --port 1",
        ("tool --", "--port 1"),
    ),
    "json": (ANY, lambda n, v: json.dumps({"a": 1, n: v, "b": [2]}), ('"a": 1', '"b": [2]')),
    "json, compact": (
        ANY,
        lambda n, v: json.dumps({"a": 1, n: v, "b": [2]}, separators=(",", ":"), ensure_ascii=False),
        ('"a":1', '"b":[2]'),
    ),
    "json, indented": (
        ANY,
        lambda n, v: json.dumps({"a": 1, n: v, "b": [2]}, indent=2),
        ('"a": 1', '"b": ['),
    ),
    "json in json": (
        ANY,
        lambda n, v: json.dumps({"body": json.dumps({n: v, "b": 2}), "c": 3}),
        ('"body"', '"c": 3'),
    ),
    "json list": (ANY, lambda n, v: json.dumps({"a": 1, n: [v, v], "b": 2}, indent=1), ('"a": 1', '"b": 2')),
    "json name and value": (
        ANY,
        lambda n, v: json.dumps([{"name": n, "value": v}, {"n": 1}]),
        ('"name"', '"value"', '{"n": 1}'),
    ),
    "json name and value, indented": (
        ANY,
        lambda n, v: json.dumps({"key": n, "enabled": True, "type": "text", "value": v, "b": [2]}, indent=2),
        ('"key"', '"enabled": true', '"value"', '"b": ['),
    ),
    "json name and value in json": (
        ANY,
        lambda n, v: json.dumps({"body": json.dumps({"name": n, "value": v, "b": 2}), "c": 3}),
        ('"body"', "value", '"c": 3'),
    ),
    "python name and value": (ANY, lambda n, v: repr({"name": n, "value": v, "b": 2}), ("'value'", "'b': 2")),
    "yaml name and value": (
        LINE,
        lambda n, v: f"env:\n  - name: {n}\n    value: {json.dumps(v)}\n  - name: last\n    value: 2",
        ("env:", "value: ", "- name: last\n    value: 2"),
    ),
    "xml element": (
        st.text(PRINTABLE.filter(lambda c: c not in "<"), min_size=4),
        lambda n, v: f"<a><{n}>{v}</{n}><b>2</b></a>",
        ("<a><", "<b>2</b></a>"),
    ),
    "xml attribute": (
        st.text(PRINTABLE.filter(lambda c: c not in '<"\\'), min_size=4),
        lambda n, v: f'<property type="x" name="{n}" class="c" value="{v}"/><b/>',
        ("<property", 'class="c" value="', "<b/>"),
    ),
    "python dict": (ANY, lambda n, v: repr({"a": 1, n: v, "b": 2}), ("'a': 1", "'b': 2")),
    "python pairs": (ANY, lambda n, v: repr([("host", "x"), (n, v), ("b", "2")]), ("'host'", "('b', '2')")),
    "python bytes": (
        ANY,
        lambda n, v: repr([(n.encode(), v.encode()), (b"b", b"2")]),
        ("(b'b', b'2')",),
    ),
    "yaml": (LINE, lambda n, v: _yaml(n, v), ("first: 1", "last:")),
    "yaml, any text": (ANY, lambda n, v: _yaml(n, v), ("first: 1", "last:")),
    "yaml, literal block": (
        LINE,
        lambda n, v: f"first: 1\n{n}: |\n  {v}\n\n  {v}\nlast: 2",
        ("first: 1", "last: 2"),
    ),
    "yaml, next line": (
        LINE,
        lambda n, v: f"first: 1\nx:\n  {n}:\n    - {v}\nlast: 2",
        ("first: 1", "last: 2"),
    ),
    "yaml list": (LINE, lambda n, v: _yaml(n, [v, "x"]), ("first: 1", "last:")),
    "url query": (
        ANY,
        lambda n, v: f"GET https://x/y?a=1&{urlencode({n: v})}&b=2 HTTP/1.1",
        ("https://x/y?a=1&", "&b=2 HTTP/1.1"),
    ),
    "url first in query": (
        ANY,
        lambda n, v: f'"https://x/y?{urlencode({n: v})}&b=2"',
        ('"https://x/y?', '&b=2"'),
    ),
    "url in url": (
        ANY,
        lambda n, v: "https://x/y?to=" + quote(f"https://z/?{urlencode({n: v})}&b=2", safe=""),
        ("https://x/y?to=", "%26b%3D2"),
    ),
    "single quotes": (
        st.text(PRINTABLE.filter(lambda c: c not in "'\\"), min_size=4),
        lambda n, v: f"f({n}='{v}', user='bob')",
        ("f(", "user='bob'"),
    ),
    "subscript": (
        st.text(PRINTABLE.filter(lambda c: c not in '"\\'), min_size=4),
        lambda n, v: f'headers["{n}"] = "{v}"; other = 1',
        ("headers", "; other = 1"),
    ),
    "bearer": (
        WORD.filter(lambda v: v[0] not in "-:=!%,"),
        lambda n, v: f"sent Bearer {v} to x",
        ("sent Bearer", "to x"),
    ),
    "bearer json": (
        WORD.filter(lambda v: v[0] not in "-:=!%,"),
        lambda n, v: json.dumps({"h": f"Bearer {v}", "b": 2}),
        ('"h": "Bearer', '"b": 2'),
    ),
    "key block": (
        st.text("ABCabc0189+/=\n", min_size=4),
        lambda n, v: f"{n}: -----BEGIN RSA PRIVATE KEY-----\n{v}\n-----END RSA PRIVATE KEY-----\nlast: 1",
        ("last: 1",),
    ),
    "user and password in a url": (
        st.text("abcXYZ0189!$*()~.-_@:", min_size=4),
        lambda n, v: f"cannot reach http://user:{v}@host:1/path now",
        ("http://user:", "@host:1/path now"),
    ),
}


# An authorization or a cookie takes the rest of its line even so.
ENDS_WITH_ITS_WORD = {"key=value"}
NAMES_OF_LINES = re.compile("authorization|cookie", re.IGNORECASE)


def _pieces(value: str) -> set[str]:
    # A value is also written escaped; look for what the reader of any of these would see.
    written = {value, json.dumps(value)[1:-1], repr(value)[1:-1], quote(value), repr(value.encode())[2:-1]}
    return {text[at : at + 4] for text in written for at in range(len(text) - 3)}


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
def test_no_four_characters_of_a_value_remain(form: str, data: st.DataObject) -> None:
    values, write, kept = FORMS[form]
    name, value = data.draw(NAME), data.draw(values)
    # Only what the value alone brought counts: not the text around it, nor the marker.
    around = write(name, "") + MARKER + json.dumps(write(name, "")) + write(name, "\n") + write(name, ":")
    pieces = {piece for piece in _pieces(value) if piece not in around}
    assume(pieces)
    assume(value not in {"null", "None", "true", "false", "True", "False"})
    assume(not (form.startswith("bearer") and value.lower().startswith(("token", "auth"))))
    clean = redact(write(name, value))
    assert [piece for piece in pieces if piece in clean] == []
    assert MARKER in clean
    if not (form in ENDS_WITH_ITS_WORD and NAMES_OF_LINES.search(name)):
        for text in kept:
            assert text in clean
    if form not in {"bearer", "bearer json", "user and password in a url"}:
        assert name in clean
    assert redact(clean) == clean


@pytest.mark.parametrize("kind", sorted(CONTRACT))
def test_every_kind_in_its_own_form(kind: Kind) -> None:
    text = "Bearer abcd1234" if kind is Kind.BEARER else f"{HEADERS.get(kind, kind)}=abcd1234"
    assert "abcd1234" not in redact(text)
    assert redact(text).startswith(text[: -len("abcd1234")])


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Basic abc==", "Authorization: [REDACTED]"),
        ("authorization=Basic abc== x", "authorization=[REDACTED]"),
        ("Set-Cookie: a=b; Path=/", "Set-Cookie: [REDACTED]"),
        ("Set-Cookie: session_id=abc;\n Path=/\nHost: x", "Set-Cookie: [REDACTED]\nHost: x"),
        ('Cookie: "a"; b="c"', "Cookie: [REDACTED]"),
        ('password="it is secret"', 'password="[REDACTED]"'),
        ('{"token": 12345, "n": 1}', '{"token": "[REDACTED]", "n": 1}'),
        ('{"name": "token", "value": null, "n": 1}', '{"name": "token", "value": null, "n": 1}'),
        ('{"name": "token", "value": 123, "n": 1}', '{"name": "token", "value": "[REDACTED]", "n": 1}'),
        ('{"name": "token", "label": "T", "n": 1}', '{"name": "token", "label": "T", "n": 1}'),
        ("<Token>abc</Token><n>1</n>", "<Token>[REDACTED]</Token><n>1</n>"),
        ('{"token": null, "secret": "", "n": 1}', '{"token": null, "secret": "", "n": 1}'),
        ("?token=abc&x=1", "?token=[REDACTED]&x=1"),
        ("run(token='a', n=1)", "run(token='[REDACTED]', n=1)"),
        ("password='abc", "password='[REDACTED]"),
        ("BEARER abcdef", "BEARER [REDACTED]"),
        ("İİ token=abc x", "İİ token=[REDACTED] x"),
    ],
)
def test_shape_stays_readable(text: str, clean: str) -> None:
    assert redact(text) == clean


PUBLIC = (
    "cid QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPQKM\n"
    "cid: bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi\n"
    "sha256 15ad55d681663e68a08467982d85f890ac6bd56a3333166398083e90fa141351\n"
    "nonce=1700000000-a1b2c3d4e5f60718 commit 8db0977f2c\n"
    "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK 123e4567-e89b-12d3-a456-426614174000\n"
    '{"key_id": "a1b2c3d4e5f60718", "public_key": "d75a980182b10ab7", "tokens": 3, "ledger_head": "00ff"}\n'
    "http://127.0.0.1:5001/api/v0/add?pin=true needs a Bearer token.\n"
)


@given(
    LINE.map(lambda v: v + "'\"\\ "),
    st.sampled_from([shlex.quote, lambda v: "'" + v.replace("'", "'\\''") + "'"]),
)
def test_a_shell_s_ways_to_quote_an_apostrophe(value: str, quoted: Callable[[str], str]) -> None:
    assert redact(f"run password={quoted(value)} user=bob") == f"run password='{MARKER}' user=bob"


def test_csv_in_quotes() -> None:
    clean = redact('"x","password=""abc, ""def"" ghi""","y"')
    assert not re.search("abc|def|ghi", clean)
    assert clean.endswith('","y"')


def test_content_addresses_are_no_secrets() -> None:
    assert redact(PUBLIC) == PUBLIC


@given(
    st.lists(
        st.sampled_from(
            [
                *(
                    "token",
                    "password",
                    "Authorization",
                    "Set-Cookie",
                    "Bearer",
                    "-----BEGIN PRIVATE KEY-----",
                ),
                *(
                    "=",
                    ":",
                    '"',
                    "'",
                    "\\",
                    "&",
                    "?",
                    " ",
                    "\n",
                    "  ",
                    ",",
                    "{",
                    "}",
                    "[",
                    "|",
                    "- ",
                    "http://",
                    "@",
                ),
                *("a", "1", "%3D", MARKER, "null"),
            ]
        ),
        max_size=14,
    )
)
def test_redacting_twice_changes_nothing_more(parts: list[str]) -> None:
    once = redact("".join(parts))
    assert redact(once) == once


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        "token" * 200_000,
        'token="' * 100_000,
        "token='a\n" * 50_000,
        "token=" + "\\" * 1_000_000,
        ("token:\n" + "\n" * 5) * 50_000,
        "a" * 1_000_000 + "token=x",
        "Bearer " * 100_000,
        "Bearer" + " " * 1_000_000,
        '"token",' * 100_000,
        "-----BEGIN PRIVATE KEY-----" * 30_000,
        "".join("token=" + "\\" * n + '"' for n in range(1000)),
        "://" + "a:" * 500_000,
        '"token"' + " " * 1_000_000,
        '"token","a":"b",' * 50_000,
        "<token>" * 100_000,
        "name: token\n" * 50_000,
        '"token" a="b" ' * 50_000,
    ],
)
def test_hostile_text_cannot_stall_it(text: str) -> None:
    # A quadratic reading of any of these would take hours.
    redact(text)


def test_a_tree_loses_what_stands_under_secret_names() -> None:
    tree = {
        "Authorization": "Basic abcd",
        "GRAPHQL_TOKEN": ["abcd", {"x": "abcd"}],
        "password": None,
        "secret": "",
        "session_id": 1234,
        "url": "http://x/?token=abcd",
        "headers": [["authorization", "Basic abcd"], ("x-api-key", "abcd"), ["accept", "abc"]],
        "note token=abcd": (1, "Bearer abcd"),
        "sha256": "15ad55d6",
        3: True,
    }
    assert redact_tree(tree) == {
        "Authorization": MARKER,
        "GRAPHQL_TOKEN": MARKER,
        "password": None,
        "secret": "",
        "session_id": MARKER,
        "url": f"http://x/?token={MARKER}",
        "headers": [["authorization", MARKER], ("x-api-key", MARKER), ["accept", "abc"]],
        f"note token={MARKER}": (1, f"Bearer {MARKER}"),
        "sha256": "15ad55d6",
        3: True,
    }


def test_a_tree_keeps_entries_whose_keys_become_equal() -> None:
    clean = redact_tree({"?token=abcd": 1, "?token=efgh": 2, "?token=ijkl": 3})
    assert clean == {f"?token={MARKER}": 1, f"?token={MARKER} (2)": 2, f"?token={MARKER} (3)": 3}


SCALARS = st.none() | st.booleans() | st.integers() | st.text()


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text() | NAME, inner)))
def test_a_redacted_tree_is_stable_and_holds_no_secret_value(tree: object) -> None:
    clean = redact_tree(tree)
    assert redact_tree(clean) == clean
