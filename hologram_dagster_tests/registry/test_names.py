"""A name is visible, unambiguous and no path trick; `secure/` cannot be disguised."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.registry.faults import Code, RefusedError
from hologram_dagster.registry.names import MAX_NAME_LENGTH, check_name, fault_of, is_protected

pytestmark = pytest.mark.phase7_security


@pytest.mark.parametrize(
    "name",
    [
        "demo/object/alpha",
        "demo/app/hello-0a1b2c3d",
        "docs/strict-01234567",
        "a",
        "größe/名前",
        "a b",
        "a..b/.c",
    ],
)
def test_ordinary_names_are_fine(name: str) -> None:
    assert fault_of(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a" * (MAX_NAME_LENGTH + 1),
        "a\x00b",
        "a\nb",
        "a\u202eb",  # right-to-left override
        "a\u200bb",  # zero-width space
        "a\u2066b",  # bidi isolate
        "a\ud800",  # half a surrogate pair
        "a\u00a0b",  # no-break space
        "e\u0301",  # decomposed
        "../etc/passwd",
        "a/../b",
        "a/./b",
        "a//b",
        "/a",
        "a/",
        "a\\b",
        " a",
        "a ",
    ],
)
def test_tricks_are_refused_with_a_reason(name: str) -> None:
    with pytest.raises(RefusedError) as refused:
        check_name(name)
    assert refused.value.code is Code.BAD_REQUEST
    assert str(refused.value).startswith("the name ")


def test_the_longest_name_is_fine() -> None:
    assert fault_of("a" * MAX_NAME_LENGTH) is None


@pytest.mark.parametrize(
    "name",
    [
        "secure/object/admin-only",
        "secure",
        "Secure/x",
        "SECURE/x",
        "ｓecure/x",
        "/secure/x",
        "./secure/x",
        " secure/x",
    ],
)
def test_protected_names_and_their_look_alikes(name: str) -> None:
    assert is_protected(name)


@pytest.mark.parametrize("name", ["demo/secure/x", "secured/x", "secure-notes/x", "security/does/not/exist"])
def test_names_that_only_resemble_are_open(name: str) -> None:
    assert not is_protected(name)


@given(st.text(max_size=20))
def test_a_good_name_is_encodable_and_printable(name: str) -> None:
    if fault_of(name) is None:
        assert name.encode().decode() == name
        assert name.isprintable()
