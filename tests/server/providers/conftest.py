"""The vendor that the providers of these tests ask."""

from collections.abc import AsyncIterator

import pytest

from tests.fakes.vendor import ScriptedVendor


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor() as vendor:
        yield vendor
