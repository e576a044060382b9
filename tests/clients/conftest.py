"""A fake gateway and a client that speaks to it."""

from collections.abc import AsyncIterator

import pytest

from tests.clients.fake_gateway import Gateway, run_gateway
from trunkline_client import AsyncClient, Retries, open_channel


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with run_gateway() as running:
        yield running


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[AsyncClient]:
    """A client whose retries follow almost at once."""
    retries = Retries(initial_backoff_s=0.01, max_backoff_s=0.01)
    async with open_channel(gateway.target, retries=retries) as channel:
        yield AsyncClient(channel)
