"""What the tests of tasks share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from forked import Forks

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks() as made:
        yield made
