from collections.abc import Iterator

import pytest

from hologram_dagster_tests.notify.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running
