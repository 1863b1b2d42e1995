"""A corpus of secrets and of what only looks like them: by kind, made anew from a seed, in mixed forms.

The values are random: none was ever issued by any service. Their forms follow what each
service documents, not our patterns: lengths and alphabets vary within what is documented.
Each item is a text; of a secret `value` is what must not be left of it.
"""

import base64
import json
import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hologram_dagster.secrets.kinds import CONTRACT, Kind

PER_KIND = 24
ALNUM = string.ascii_letters + string.digits
URLSAFE = ALNUM + "-_"
HEX = "0123456789abcdef"
UPPER = string.ascii_uppercase + string.digits


@dataclass(frozen=True, slots=True)
class Item:
    """One text; `value` is the secret in it, empty in a look-alike."""

    kind: Kind
    text: str
    value: str = ""


def corpus(seed: int = 96) -> list[Item]:
    """All items: `PER_KIND` secrets and as many look-alikes for each kind."""
    rng = random.Random(seed)
    return [*_named(rng), *_shaped(rng)]


def _pick(rng: random.Random, alphabet: str, length: int) -> str:
    value = "".join(rng.choices(alphabet, k=length))
    # A key of one alphabet has its letters and digits; one in a million draws has not.
    return value if any(c.isdigit() for c in value) else value[:-1] + "7"


# How a named secret is written: header, key=value, JSON, YAML, URL, quoted (contract 7.2).
FORMS: tuple[Callable[[str, str], str], ...] = (
    lambda n, v: f"GET / HTTP/1.1\n{n}: {v}\nAccept: */*",
    lambda n, v: f"12:00 INFO retry {n}={v} user=bob",
    lambda n, v: json.dumps({"user": "bob", n: v, "n": 1}),
    lambda n, v: json.dumps({"user": "bob", n: v}, indent=2),
    lambda n, v: f"user: bob\n{n}: {v}\nn: 1",
    lambda n, v: f"GET https://host.test/a?x=1&{n}={v}&y=2 HTTP/1.1",
    lambda n, v: f'{n} = "{v}"',
    lambda n, v: f"connect({n}='{v}', user='bob')",
    lambda n, v: f"export {n.upper()}={v}",
    lambda n, v: json.dumps({"body": json.dumps({n: v})}),
    lambda n, v: repr({"user": "bob", n: v}),
    lambda n, v: f"- {{name: x, {n}: '{v}'}}",
)

_NAMES: dict[Kind, tuple[str, ...]] = {
    Kind.API_KEY: ("api_key", "apiKey", "api-key"),
    Kind.SET_COOKIE: ("Set-Cookie", "set_cookie"),
    Kind.AUTHORIZATION: ("Authorization", "proxy-authorization"),
    Kind.TOKEN: ("token", "GITLAB_TOKEN", "authToken"),
    Kind.PASSWORD: ("password", "DB_PASSWORD", "passwd"),
    Kind.SECRET: ("secret", "client_secret", "SECRET_KEY"),
    Kind.PRIVATE_KEY: ("private_key", "privateKey"),
    Kind.ACCESS_TOKEN: ("access_token", "accessToken"),
    Kind.REFRESH_TOKEN: ("refresh_token", "refreshToken"),
    Kind.SESSION_ID: ("session_id", "sessionId"),
    Kind.COOKIE: ("cookie", "Cookie"),
    Kind.X_API_KEY: ("x-api-key", "X-Api-Key"),
    Kind.X_AUTH_TOKEN: ("x-auth-token", "X-Auth-Token"),
}


def _value_of(kind: Kind, rng: random.Random) -> tuple[str, str]:
    """A value as it is written, and the secret in it."""
    value = _pick(rng, rng.choice((ALNUM, URLSAFE, HEX)), rng.randrange(12, 44)).strip("-_") + "x7"
    match kind:
        case Kind.AUTHORIZATION:
            basic = base64.b64encode(f"bob:{value}".encode()).decode()
            return rng.choice(((f"Bearer {value}", value), (f"Basic {basic}", basic)))
        case Kind.SET_COOKIE:
            return f"sid={value}; Path=/; HttpOnly", value
        case Kind.COOKIE:
            return f"sid={value}", value
        case _:
            return value, value


def _named(rng: random.Random) -> Iterator[Item]:
    for kind in sorted(CONTRACT):
        for number in range(PER_KIND):
            written, value = _value_of(kind, rng)
            if kind is Kind.BEARER:
                text = _BEARER[number % len(_BEARER)](written)
            else:
                name = _NAMES[kind][number % len(_NAMES[kind])]
                text = FORMS[number % len(FORMS)](name, written)
            yield Item(kind, text, value)
        names = ("bearer",) if kind is Kind.BEARER else _NAMES[kind]
        yield from (Item(kind, _ALIKE[n % len(_ALIKE)](names[0], rng)) for n in range(PER_KIND))


_BEARER: tuple[Callable[[str], str], ...] = (
    lambda v: f"sent Bearer {v} to host",
    lambda v: json.dumps({"header": f"Bearer {v}", "n": 1}),
    lambda v: f"curl -H 'X-Forwarded: bearer {v}' http://host.test/",
    lambda v: f"credentials: BEARER {v}",
    lambda v: f"?h=Bearer%20{v}&n=1",
    lambda v: f'bearer="{v}"',
)

# What stands beside a name of that kind and is no secret: prose, code, placeholders, addresses.
_ALIKE: tuple[Callable[[str, random.Random], str], ...] = (
    lambda n, r: f"The {n} is read from the environment; see the manual.",
    lambda n, r: f"{n}_count: {r.randrange(100)}",
    lambda n, r: f"{n} = os.environ['{n.upper()}']",
    lambda n, r: f"{n}: ${{{{ secrets.{n.upper().replace('-', '_')} }}}}",
    lambda n, r: json.dumps({n: None, "n": 1}),
    lambda n, r: f"{n}_digest=sha256:{_pick(r, HEX, 64)}",
    lambda n, r: f"def read({n.replace('-', '_')}: str) -> None: ...",
    lambda n, r: f"{n}=<your {n}>",
    lambda n, r: f"has no {n}, cid bafybei{_pick(r, 'abcdefghijklmnopqrstuvwxyz234567', 52)}",
    lambda n, r: f"{n}: [REDACTED]",
    lambda n, r: f'"{n}": "",',
    lambda n, r: f"- {n}s\n- nonce 1700000000-{_pick(r, HEX, 16)}",
)


def _token(prefix: str, alphabet: str, *lengths: int, ending: str = "") -> Callable[[random.Random], str]:
    return lambda rng: prefix + _pick(rng, alphabet, rng.choice(lengths)) + ending


def _jwt(rng: random.Random) -> str:
    def part(content: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    claims: dict[str, object] = {"sub": _pick(rng, ALNUM, 8), "exp": rng.randrange(2**31)}
    header: dict[str, object] = {"alg": rng.choice(("HS256", "RS256", "EdDSA")), "typ": "JWT"}
    return f"{part(header)}.{part(claims)}.{_pick(rng, URLSAFE, rng.choice((43, 86)))}"


def _block(label: str) -> Callable[[random.Random], str]:
    def made(rng: random.Random) -> str:
        body = "\n".join(_pick(rng, ALNUM + "+/", 64) for _ in range(rng.randrange(3, 12)))
        return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----"

    return made


# Kind -> how its secrets look (what must go is all of it, but for what `_WHERE` says).
SHAPES: dict[Kind, tuple[Callable[[random.Random], str], ...]] = {
    Kind.JWT: (_jwt,),
    Kind.GITHUB: (
        *(_token(f"gh{letter}_", ALNUM, 36) for letter in "pousr"),
        lambda r: f"github_pat_{_pick(r, ALNUM, 22)}_{_pick(r, ALNUM, 59)}",
    ),
    Kind.GITLAB: (_token("glpat-", URLSAFE, 20), _token("glrt-", URLSAFE, 20), _token("gldt-", URLSAFE, 20)),
    Kind.ATLASSIAN: (_token("ATATT3", URLSAFE + "=", 186), _token("ATBB", ALNUM, 32)),
    Kind.AWS: (_token("AKIA", string.ascii_uppercase + "234567", 16), _token("ASIA", UPPER, 16)),
    Kind.GOOGLE: (
        _token("AIza", URLSAFE, 35),
        _token("GOCSPX-", URLSAFE, 28),
        _token("ya29.", URLSAFE, 80, 160),
    ),
    Kind.DIGITALOCEAN: (_token("dop_v1_", HEX, 64), _token("doo_v1_", HEX, 64)),
    Kind.DATABRICKS: (_token("dapi", HEX, 32),),
    Kind.SUPABASE: (_token("sbp_", HEX, 40),),
    Kind.NPM: (_token("npm_", ALNUM, 36),),
    Kind.PYPI: (_token("pypi-AgEIcHlwaS5vcmc", URLSAFE, 130, 160),),
    Kind.RUBYGEMS: (_token("rubygems_", HEX, 48),),
    Kind.DOCKER: (_token("dckr_pat_", URLSAFE, 27), _token("dckr_oat_", URLSAFE, 32)),
    Kind.SLACK: (
        lambda r: f"xoxb-{_pick(r, '0123456789', 12)}-{_pick(r, '0123456789', 13)}-{_pick(r, ALNUM, 24)}",
        lambda r: f"xoxp-{_pick(r, '0123456789', 12)}-{_pick(r, '0123456789', 12)}-{_pick(r, HEX, 32)}",
        lambda r: f"xapp-1-A{_pick(r, UPPER, 10)}-{_pick(r, '0123456789', 13)}-{_pick(r, HEX, 64)}",
    ),
    Kind.STRIPE: (
        _token("sk_live_", ALNUM, 24, 99),
        _token("rk_live_", ALNUM, 24, 99),
        _token("whsec_", ALNUM, 32),
    ),
    Kind.SQUARE: (_token("sq0atp-", URLSAFE, 22), _token("sq0csp-", URLSAFE, 43)),
    Kind.SHOPIFY: (_token("shpat_", HEX, 32), _token("shpss_", HEX, 32)),
    Kind.OPENAI: (
        lambda r: f"sk-{_pick(r, ALNUM, 20)}T3BlbkFJ{_pick(r, ALNUM, 20)}",
        _token("sk-proj-", URLSAFE, 120),
    ),
    Kind.ANTHROPIC: (_token("sk-ant-api03-", URLSAFE, 95), _token("sk-ant-admin01-", URLSAFE, 93)),
    Kind.HUGGINGFACE: (_token("hf_", string.ascii_letters, 34),),
    Kind.SENDGRID: (lambda r: f"SG.{_pick(r, URLSAFE, 22)}.{_pick(r, URLSAFE, 43)}",),
    Kind.TWILIO: (_token("SK", HEX, 32),),
    Kind.TELEGRAM: (lambda r: f"{r.randrange(10**8, 10**10)}:AA{_pick(r, URLSAFE, 33)}",),
    Kind.VAULT: (_token("hvs.", URLSAFE, 24, 90), _token("hvb.", URLSAFE, 140)),
    Kind.DOPPLER: (_token("dp.pt.", ALNUM, 43), lambda r: f"dp.st.prd.{_pick(r, ALNUM, 40)}"),
    Kind.GRAFANA: (lambda r: f"glsa_{_pick(r, ALNUM, 32)}_{_pick(r, HEX, 8)}", _token("glc_", ALNUM, 64)),
    Kind.NEW_RELIC: (_token("NRAK-", UPPER, 27),),
    Kind.SENTRY: (_token("sntryu_", HEX, 64), _token("sntrys_", ALNUM, 120)),
    Kind.LINEAR: (_token("lin_api_", ALNUM, 40),),
    Kind.POSTMAN: (lambda r: f"PMAK-{_pick(r, HEX, 24)}-{_pick(r, HEX, 34)}",),
    Kind.FIGMA: (_token("figd_", URLSAFE, 40),),
    Kind.AGE_KEY: (_token("AGE-SECRET-KEY-1", "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),),
    Kind.SSH_KEY: (_block("OPENSSH PRIVATE KEY"),),
    Kind.PASSWORD_HASH: (
        lambda r: f"$2b$12${_pick(r, './' + ALNUM, 53)}",
        lambda r: f"$6${_pick(r, ALNUM, 16)}${_pick(r, './' + ALNUM, 86)}",
        lambda r: f"$argon2id$v=19$m=65536,t=3,p=4${_pick(r, ALNUM, 22)}${_pick(r, ALNUM, 43)}",
    ),
}

# Kinds that are only part of what they stand in: the text around the value.
PLACES: dict[Kind, tuple[Callable[[random.Random], tuple[str, str]], ...]] = {
    Kind.URL_PASSWORD: (
        lambda r: _around("postgresql://app:{}@db.test:5432/x", _pick(r, ALNUM + "$*!-_.", 16)),
        lambda r: _around("git clone https://bot:{}@host.test/a.git", _pick(r, ALNUM, 24)),
        lambda r: _around('REDIS = "redis://:{}@cache.test:6379/0"', _pick(r, ALNUM, 20)),
        lambda r: _around('{{"url": "amqp://user:{}@mq.test/v"}}', _pick(r, ALNUM, 12)),
    ),
    Kind.CONNECTION_STRING: (
        lambda r: _around("Server=db.test;Uid=app;Pwd={};Encrypt=yes", _pick(r, ALNUM + "!$", 16)),
        lambda r: _around('"Driver={{ODBC}};SERVER=db;UID=sa;PWD={}"', _pick(r, ALNUM, 14)),
    ),
    Kind.NETRC: (
        lambda r: _around("machine host.test login bob password {}", _pick(r, ALNUM, 16)),
        lambda r: _around("machine host.test\n  login bob\n  password {}\n", _pick(r, ALNUM, 20)),
    ),
    Kind.AZURE: (
        lambda r: _around(
            "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=core.windows.net",
            _pick(r, ALNUM + "+/", 86) + "==",
        ),
        lambda r: _around(
            "Endpoint=sb://a.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={}",
            _pick(r, ALNUM + "+/", 43) + "=",
        ),
        lambda r: _around(
            "https://a.blob.core.windows.net/c?sv=2022-11-02&sp=r&sig={}", _pick(r, ALNUM, 43) + "%3D"
        ),
    ),
    Kind.SLACK_WEBHOOK: (
        lambda r: _around(
            "https://hooks.slack.com/services/{}",
            f"T{_pick(r, UPPER, 10)}/B{_pick(r, UPPER, 10)}/{_pick(r, ALNUM, 24)}",
        ),
        lambda r: _around(
            "https://hooks.slack.com/workflows/{}",
            f"T{_pick(r, UPPER, 8)}/A{_pick(r, UPPER, 8)}/{_pick(r, ALNUM, 24)}",
        ),
    ),
    Kind.TEAMS_WEBHOOK: (
        lambda r: _around(
            "https://acme.webhook.office.com/webhookb2/{}",
            f"{_uuid(r)}@{_uuid(r)}/IncomingWebhook/{_pick(r, HEX, 32)}/{_uuid(r)}",
        ),
    ),
    Kind.DISCORD_WEBHOOK: (
        lambda r: _around(
            "https://discord.com/api/webhooks/{}", f"{r.randrange(10**17, 10**18)}/{_pick(r, URLSAFE, 68)}"
        ),
    ),
}


def _around(text: str, value: str) -> tuple[str, str]:
    return text.format(value), value


def _uuid(rng: random.Random) -> str:
    return "-".join(_pick(rng, HEX, length) for length in (8, 4, 4, 4, 12))


# Where a token stands without a name that gives it away.
_PLAIN: tuple[Callable[[str], str], ...] = (
    lambda v: f"12:00 ERROR refused {v} for bob",
    lambda v: json.dumps({"user": "bob", "value": v, "n": 1}),
    lambda v: f'client = Client("{v}", user="bob")',
    lambda v: f"user: bob\nvalue: {v}\nn: 1",
    lambda v: f"GET https://host.test/a?x={v}&n=1 HTTP/1.1",
    lambda v: f"X-Custom: {v}",
    lambda v: f"export CREDENTIAL={v}",
    lambda v: json.dumps({"body": json.dumps({"value": v})}),
    lambda v: f"login with `{v}` worked",
    lambda v: f"<td>{v}</td>",
)


def _shaped(rng: random.Random) -> Iterator[Item]:
    for kind in SHAPES:
        for number in range(PER_KIND):
            value = SHAPES[kind][number % len(SHAPES[kind])](rng)
            if kind is Kind.SSH_KEY:
                yield _block_item(kind, value, number)
                continue
            # Of a hash the name of its method stays.
            secret = value.split("$", 2)[2] if kind is Kind.PASSWORD_HASH else value
            yield Item(kind, _PLAIN[number % len(_PLAIN)](value), secret)
        for number in range(PER_KIND):
            value = SHAPES[kind][number % len(SHAPES[kind])](rng)
            yield Item(kind, _spoiled(value, number, rng))
    for kind, places in PLACES.items():
        for number in range(PER_KIND):
            text, value = places[number % len(places)](rng)
            yield Item(kind, text, value)
        for number in range(PER_KIND):
            text, value = places[number % len(places)](rng)
            yield Item(kind, text.replace(value, _PLACEHOLDERS[number % len(_PLACEHOLDERS)]))


def _block_item(kind: Kind, block: str, number: int) -> Item:
    body = block.split("\n", 1)[1].rsplit("\n", 1)[0]
    if number % 3 == 0:
        return Item(kind, f"# key\n{block}\n", body)
    if number % 3 == 1:
        return Item(kind, json.dumps({"key": block}), json.dumps(body)[1:-1])
    indented = block.replace("\n", "\n    ")
    return Item(kind, f"deploy:\n  key: |\n    {indented}\n  n: 1\n", body.replace("\n", "\n    "))


_PLACEHOLDERS = ("${SECRET}", "<value>", "****", "[REDACTED]", "{{ value }}", "$VALUE")


def _spoiled(value: str, number: int, rng: random.Random) -> str:
    """What looks like `value` and is none: too short, without its beginning, a name, an address."""
    match number % 4:
        case 0:
            return f"see {value[: min(len(value) // 3, 8)]} in the manual"
        case 1:
            return f"{value[:4].lower()}-{rng.choice(('manager', 'settings', 'publish-action'))}: 2.1.3"
        case 2:
            # In the middle of a word nothing begins.
            return f"sha256:{_pick(rng, HEX, 64)} and n{_pick(rng, HEX, 39)}"
        case _:
            cid = "bafybei" + _pick(rng, "abcdefghijklmnopqrstuvwxyz234567", 52)
            return json.dumps({"cid": cid, "did": f"did:key:z6Mk{_pick(rng, ALNUM, 44)}", "id": _uuid(rng)})
