"""A running gateway for the tests of the front."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.gateway_http.serving import Running, running


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway with the provider `echo`; a test that makes it log a fault of its own fails."""
    async with running(tmp_path) as started:
        yield started
        assert started.errors_logged() == []
