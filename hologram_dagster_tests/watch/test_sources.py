"""`HOLOGRAM_WATCH` is read strictly, and no credential of it is ever shown."""

import pytest

from hologram_dagster.errors import SettingsError
from hologram_dagster.watch.sources import MOST_SOURCES, Source, parse_sources

pytestmark = pytest.mark.phase0_ready


def test_branches_are_separated_by_spaces_and_main_is_the_default() -> None:
    assert parse_sources("https://host.example/a.git#main  /srv/b.git#release/1.x ssh://git@h.example/c") == (
        Source("https://host.example/a.git", "main"),
        Source("/srv/b.git", "release/1.x"),
        Source("ssh://git@h.example/c", "main"),
    )
    assert parse_sources(None) == parse_sources(" ") == ()


def test_the_label_has_no_credentials_and_the_key_does_not_depend_on_them() -> None:
    (one,) = parse_sources("https://bot:sesame@host.example/a.git#main")
    (two,) = parse_sources("https://host.example/a.git")
    assert one.label == "https://host.example/a.git#main"
    assert one.key == two.key
    assert one.url != two.url


@pytest.mark.parametrize(
    "text",
    [
        "#main",
        "--upload-pack=x#main",
        "https://h.example/a#-x",
        "https://bot:sesame@h.example/a#a:b",
        "https://h.example/a https://bot:sesame@h.example/a#main",
        " ".join(f"/srv/{number}" for number in range(MOST_SOURCES + 1)),
    ],
)
def test_what_is_malformed_is_refused_without_its_credentials(text: str) -> None:
    with pytest.raises(SettingsError, match="HOLOGRAM_WATCH") as caught:
        parse_sources(text)
    assert "sesame" not in str(caught.value)
