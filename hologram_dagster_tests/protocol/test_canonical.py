"""One JSON value has one text, the one that JavaScript prints (contract section 6.6)."""

import json
import random
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError
from hologram_dagster.protocol.canonical import ccm, ccm_ordered, js_number, stable, stable_ordered
from hologram_dagster_tests.protocol.json_values import keys, objects, values

pytestmark = pytest.mark.phase1_core

# The contract's form, said in JavaScript itself.
REFERENCE = """
const form = sorting => function normal(value) {
  if (Array.isArray(value)) {
    const items = value.map(normal);
    return sorting ? items.sort() : items;
  }
  if (value === null || typeof value !== "object") return value;
  const out = {};
  for (const key of Object.keys(value).sort()) if (key !== "$comment") out[key] = normal(value[key]);
  return out;
};
const values = JSON.parse(require("fs").readFileSync(0, "utf8"));
const texts = sorting => values.map(form(sorting)).map(value => JSON.stringify(value));
console.log(JSON.stringify([texts(true), texts(false)]));
"""


def test_contract_vector() -> None:
    expected = "3a7d3587b5a9ad18aa4949784eb742520f235d077978dd70658cce22aeb152b3"
    assert ccm({"b": 2, "a": [3, 1]}, "ccm") == expected


def test_domains_separate() -> None:
    assert ccm({"a": 1}, "one") != ccm({"a": 1}, "two")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        (123456789012345680000.0, "123456789012345680000"),
        (float(2**60), "1152921504606847000"),
        (1e-6, "0.000001"),
        (0.000001234, "0.000001234"),
        (1e-7, "1e-7"),
        (1.5e-7, "1.5e-7"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (0.1 + 0.2, "0.30000000000000004"),
        (100.0, "100"),
        (-1.25e25, "-1.25e+25"),
        (2.0**53, "9007199254740992"),
        (12.5, "12.5"),
    ],
)
def test_numbers_as_javascript_prints_them(number: float, text: str) -> None:
    assert js_number(number) == text
    assert stable({"x": number}) == f'{{"x":{text}}}'


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_printed_numbers_read_back(number: float) -> None:
    assert float(js_number(number)) == number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([10, 9, 2], "[10,2,9]"),
        # As `[...].sort()` orders them in V8: by String(item), in UTF-16 code units.
        (
            [
                [2, 1],
                [10],
                None,
                "null",
                {"a": 1},
                {"b": 2},
                True,
                "\U0001f600",
                "\ue000",
                1.5,
                -1,
                [None, [3]],
                [],
            ],
            '[[],-1,[1,2],1.5,[10],[[3],null],{"a":1},{"b":2},null,"null",true,"\U0001f600","\ue000"]',
        ),
    ],
)
def test_arrays_sort_by_string_form(value: object, text: str) -> None:
    assert stable(value) == text


def test_ordered_form_keeps_arrays() -> None:
    assert stable_ordered({"b": [10, 9, 2], "a": (2, 1)}) == '{"a":[2,1],"b":[10,9,2]}'
    assert stable([1, 2]) == stable([2, 1])
    assert ccm_ordered([1, 2], "x") != ccm_ordered([2, 1], "x")


def test_array_indices_come_first_numerically() -> None:
    names = ["4294967295", "4294967294", "10", "9", "b", "01", "-1", "1.5", "0", "a", "\U0001f600", "\ue000"]
    expected = [
        "0",
        "9",
        "10",
        "4294967294",
        "-1",
        "01",
        "1.5",
        "4294967295",
        "a",
        "b",
        "\U0001f600",
        "\ue000",
    ]
    assert list(json.loads(stable(dict.fromkeys(names, 1)))) == expected


def test_comments_are_dropped_at_every_depth() -> None:
    assert stable({"$comment": "x", "a": [{"$comment": 1, "b": 2}]}) == '{"a":[{"b":2}]}'


def test_texts_are_escaped_as_javascript_does() -> None:
    lone, paired = "\ud800", "\ud83d\ude00"
    assert stable('\u2028\x7f\x01\b\f\v"\\/é') == '"\u2028\x7f\\u0001\\b\\f\\u000b\\"\\\\/é"'
    assert stable(lone) == '"\\ud800"'
    assert stable(paired) == '"\U0001f600"'


@pytest.mark.parametrize(
    "value",
    [
        *(float("nan"), float("inf"), -float("inf")),
        *(2**53 + 1, -(2**53) - 1, 2**60, 10**21, 10**400),
        *(b"bytes", {1, 2}, object(), {1: "x"}, {None: 1}),
    ],
    # Not `repr`: an address in it would differ between two processes that share the tests.
    ids=lambda value: type(value).__name__,
)
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    for form in (stable, stable_ordered):
        with pytest.raises(FormatError):
            form([{"a": value}])


def test_large_integers_only_as_javascript_prints_them() -> None:
    assert stable(10**20) == "100000000000000000000"
    assert stable(json.loads(stable(float(2**60)))) == "1152921504606847000"


def test_endless_nesting_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(FormatError, match="nested too deeply"):
        stable(endless)


@given(values)
def test_canonical_text_is_json_and_a_fixed_point(value: object) -> None:
    for form in (stable, stable_ordered):
        text = form(value)
        assert form(json.loads(text)) == text
    # JavaScript prints large floats without an exponent, so Python reads them as integers.
    assert json.loads(stable_ordered(value), parse_int=float) == value


@given(objects, st.randoms(use_true_random=False))
def test_key_order_does_not_matter(value: dict[str, Any], chance: random.Random) -> None:
    names = list(value)
    chance.shuffle(names)
    assert stable_ordered({name: value[name] for name in names}) == stable_ordered(value)


@given(values, keys)
def test_added_key_changes_the_hash(value: object, key: str) -> None:
    assert ccm({"a": value}, "x") != ccm({"a": value, f"a{key}": 1}, "x")


def _number(chance: random.Random) -> float:
    while True:
        number = float(struct.unpack("d", chance.randbytes(8))[0])
        if number - number == 0:
            return number


def _value(chance: random.Random, depth: int) -> Any:
    letters = ["a", "é", "\U0001f600", "\ue000", "\u2028", "\x7f", "\x01", '"', "\\", "/", "\ud800", "0", "7"]
    text = "".join(chance.choices(letters, k=chance.randint(0, 3)))
    scalars: list[Any] = [
        None,
        True,
        False,
        text,
        chance.randint(-30, 30),
        chance.randint(-(2**53) + 1, 2**53 - 1),
    ]
    scalars += [_number(chance), round(chance.uniform(-1, 1) * 10 ** chance.randint(-12, 25), 3)]
    if depth == 0 or chance.random() < 0.5:
        return chance.choice(scalars)
    inner = [_value(chance, depth - 1) for _ in range(chance.randint(0, 5))]
    if chance.random() < 0.5:
        return inner
    names = [text, "$comment", "01", "-1", "4294967294", "4294967295", "12", "3", "b"]
    return {chance.choice(names): item for item in inner}


@pytest.mark.system("node")
def test_same_texts_as_javascript(tmp_path: Path) -> None:
    chance = random.Random(96)
    made = json.dumps([_value(chance, 4) for _ in range(3000)])
    script = tmp_path / "reference.js"
    script.write_text(REFERENCE)
    answer = subprocess.run(["node", str(script)], input=made.encode(), capture_output=True, check=True)
    in_javascript = json.loads(answer.stdout)
    read = json.loads(made)
    assert [stable(value) for value in read] == in_javascript[0]
    assert [stable_ordered(value) for value in read] == in_javascript[1]
