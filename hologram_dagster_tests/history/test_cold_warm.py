"""`cache_profiles.json` as the contract has it, merged into what is there."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hologram_dagster.errors import FormatError
from hologram_dagster.history.cold_warm import FILE_NAME, Cache, CacheProfile, merge, ratio, read

pytestmark = pytest.mark.phase6_perf

AT = datetime(2026, 3, 4, 5, 6, 7, 500_000, tzinfo=UTC)
COLD = CacheProfile("verify", Cache.COLD, 12.5, AT, {"bytes": 65_536})
WARM = CacheProfile("verify", Cache.WARM, 5.0, AT)


def test_the_form_is_the_contracts(tmp_path: Path) -> None:
    path = tmp_path / "perf" / FILE_NAME
    failed = CacheProfile("encode", Cache.COLD, 1.0, AT, error="the worker died")
    assert merge(path, [COLD, WARM, failed]) == ()
    assert json.loads(path.read_text()) == {
        "verify_cold": {
            "test_name": "verify",
            "cache_type": "cold",
            "duration_ms": 12.5,
            "timestamp": AT.timestamp(),
            "bytes": 65_536,
        },
        "verify_warm": {
            "test_name": "verify",
            "cache_type": "warm",
            "duration_ms": 5.0,
            "timestamp": AT.timestamp(),
        },
        "encode_cold": {
            "test_name": "encode",
            "cache_type": "cold",
            "duration_ms": 1.0,
            "timestamp": AT.timestamp(),
            "error": "the worker died",
        },
    }
    assert ratio(read(path), "verify") == 2.5
    assert ratio(read(path), "encode") is None


def test_others_profiles_stay_and_ours_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_text('{"other_cold": {"duration_ms": 1, "mine": [1, 2]}, "verify_cold": {"old": true}}')
    merge(path, [COLD])
    content = read(path)
    assert content["other_cold"] == {"duration_ms": 1, "mine": [1, 2]}
    assert content["verify_cold"] == COLD.to_json()


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"verify_cold": 3}', b"\xff"])
def test_a_malformed_file_is_named_and_kept(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / FILE_NAME
    for number in (1, 2):
        path.write_bytes(data)
        with pytest.raises(FormatError, match=FILE_NAME):
            read(path)
        (note,) = merge(path, [WARM])
        assert f"{FILE_NAME}.malformed-{number}" in note
        assert (tmp_path / f"{FILE_NAME}.malformed-{number}").read_bytes() == data
        assert list(read(path)) == ["verify_warm"]


def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    profiles = [CacheProfile(f"test{number}", Cache.COLD, number, AT) for number in range(20)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda profile: merge(path, [profile]), profiles))
    assert set(read(path)) == {profile.key for profile in profiles}


def test_no_file_has_no_profiles(tmp_path: Path) -> None:
    assert read(tmp_path / FILE_NAME) == {}


@pytest.mark.parametrize(
    ("cold", "warm"),
    [
        (None, {"duration_ms": 1}),
        ({"duration_ms": 1}, None),
        ({"duration_ms": 1}, {"duration_ms": 0}),
        ({"duration_ms": 1}, {}),
        ({"duration_ms": "1"}, {"duration_ms": 1}),
        ({"duration_ms": True}, {"duration_ms": 1}),
        ({"duration_ms": 1, "error": "x"}, {"duration_ms": 1}),
    ],
)
def test_there_is_no_ratio_without_two_times(cold: object, warm: object) -> None:
    assert ratio({"verify_cold": cold, "verify_warm": warm}, "verify") is None


@given(st.floats(0, 1e9), st.floats(1e-3, 1e9))
def test_the_ratio_is_cold_over_warm(cold: float, warm: float) -> None:
    content = {"t_cold": {"duration_ms": cold}, "t_warm": {"duration_ms": warm}}
    assert ratio(content, "t") == cold / warm


@pytest.mark.parametrize("name", ["duration_ms", "error", "timestamp"])
def test_a_metric_cannot_take_a_fields_place(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        CacheProfile("verify", Cache.COLD, 1, AT, {name: 1.0})


@pytest.mark.parametrize("duration", [-1.0, float("nan"), float("inf")])
def test_a_duration_is_a_time(duration: float) -> None:
    with pytest.raises(ValueError, match="verify_cold"):
        CacheProfile("verify", Cache.COLD, duration, AT)
