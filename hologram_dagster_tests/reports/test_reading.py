"""Numbers, times and texts as people read them, whatever the document holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.reports.reading import duration_text, number_of, number_text, text_of, time_text

pytestmark = pytest.mark.phase0_ready


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12.5, "12.5"),
        (100, "100"),
        (1234567.8914, "1,234,567.891"),
        (0, "0"),
        (0.0001, "0.0001"),
        (0.00012345, "0.000123"),
        ("3.140", "3.14"),
        (10**300, "1.000e+300"),
        (float("nan"), "nan"),
        (True, "True"),
        (None, ""),
        ("many", "many"),
        ([1], "[1]"),
    ],
)
def test_numbers(value: object, text: str) -> None:
    assert number_text(value) == text


def test_decimals_line_up() -> None:
    assert [number_text(value, decimals=3) for value in (1, 22.5, "3.1")] == ["1.000", "22.500", "3.100"]


@pytest.mark.parametrize("value", [True, "x", "nan", "inf", None, [], float("inf"), 10**400])
def test_what_is_no_finite_number(value: object) -> None:
    assert number_of(value) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1772330400, "2026-03-01 02:00:00 UTC"),
        ("2026-03-01T03:00:00+01:00", "2026-03-01 02:00:00 UTC"),
        ("2026-03-01T02:00:00", "2026-03-01 02:00:00 UTC"),
        (1e300, "1e+300"),
        ("soon", "soon"),
        (None, ""),
    ],
)
def test_times(value: object, text: str) -> None:
    assert time_text(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "under 1 s"), (59, "59 s"), (123, "2 min 3 s"), (3600, "1 h"), (-1, "")]
)
def test_durations(seconds: int, text: str) -> None:
    assert duration_text(1000, 1000 + seconds) == text


def test_long_texts_are_cut_and_secrets_at_the_cut_stay_out() -> None:
    text = text_of("x" * 50 + ' password="hunter2hunter2', longest=70)
    assert len(text) <= 70
    assert "hunter" not in text


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_any_text_can_be_written_and_keeps_to_its_length(value: str, longest: int) -> None:
    text = text_of(value, longest=longest)
    assert len(text) <= longest
    text.encode()
