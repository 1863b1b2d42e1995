"""The page of settings is what the settings class says, and what it says of defaults is so."""

import re
from pathlib import Path

import pytest

from hologram_dagster.profiles import PROFILES, ProfileName, apply_overrides
from hologram_dagster.reports.settings_page import DOCUMENT, settings_markdown
from hologram_dagster.settings import Settings, load_settings

pytestmark = pytest.mark.phase0_ready

ROOT = Path(__file__).resolve().parents[2]
ROWS = dict(re.findall(r"^\| `([A-Z0-9_]+)` \| (.+) \|$", (ROOT / DOCUMENT).read_text(), re.MULTILINE))


def test_the_document_is_what_the_class_says() -> None:
    assert (ROOT / DOCUMENT).read_text() == settings_markdown(), "write it again from settings_markdown()"


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_has_a_row_with_default_and_meaning(field: str) -> None:
    stated = Settings.model_fields[field]
    variable = str(stated.validation_alias.choices[0])  # type: ignore[union-attr]
    _, default, meaning = ROWS[variable].split(" | ")
    assert meaning == stated.description
    value = getattr(load_settings(), field)
    shown = f"{value:g}" if isinstance(value, float) else "false" if value is False else str(value)
    assert default == ("" if value is None else f"`{shown}`")


def test_the_page_names_no_setting_that_does_not_exist() -> None:
    assert len(ROWS) == len(Settings.model_fields)


def test_the_limits_on_the_page_are_those_that_hold() -> None:
    assert ROWS["E2E_LOAD_WORKERS"].startswith("whole number from 1 to 256 |")
    assert ROWS["SLO_GQL_P95_MS"].startswith("number above 0 |")
    assert ROWS["GRAPHQL_TOKEN"].startswith("secret |")
    assert ROWS["HOLOGRAM_WATCH_PROFILE"].startswith("`pr`, `main`, `nightly`, `dev` |")


def test_a_number_that_a_meaning_gives_as_default_is_the_plans() -> None:
    """What the profile decides has no default of its own: the text tells the figure, and must not drift."""
    plan = apply_overrides(PROFILES[ProfileName.NIGHTLY], load_settings())
    load, stress = plan.traffic["e2e_load"], plan.traffic["e2e_stress"]
    figures = {
        "REGRESSION_THRESHOLD_PCT": plan.threshold_pct,
        "HOLOGRAM_LOAD_RATE_PER_S": plan.load.rate_per_s,
        "HOLOGRAM_LOAD_DURATION_S": plan.load.duration_s,
        **{
            f"E2E_{name}_{figure}": value
            for name, traffic in (("LOAD", load), ("STRESS", stress))
            for figure, value in (
                ("DURATION", traffic.duration_s),
                ("WORKERS", traffic.workers),
                ("PAYLOAD", traffic.payload_bytes),
                ("OPS_PER_SEC", traffic.ops_per_s),
            )
        },
    }
    told = {
        variable: float(found.group(1))
        for variable, row in ROWS.items()
        if (found := re.search(r"\(default ([\d.]+)\)", row))
    }
    assert told == {variable: float(value) for variable, value in figures.items()}
