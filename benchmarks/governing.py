"""The governed lane's caller: a key from the database, whose tenant has a quota and an enforced budget.

In: the port of a gateway that answers. Out: the key. Both limits are so high that nothing is refused.
"""

import asyncio

import aiohttp

from benchmarks.load_rest import API_KEY

_TOKENS = 10**12
_MICROS = 10**15
# A new limit is in force within two seconds.
_IN_FORCE_S = 2.5


async def govern(port: int) -> str:
    """Makes a tenant, a user, a key, a quota and a budget, waits until they are in force, and returns the key.

    Raises: OSError when the gateway refuses one of them.
    """
    headers = {"Authorization": f"Bearer {API_KEY}"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as session:
        tenant = await _create(session, "tenants", {"display_name": "Bench"})
        user = await _create(session, "users", {"tenant": tenant["name"], "display_name": "Bench"})
        made = await _create(
            session, "api_keys", {"user": user["name"], "display_name": "Bench", "permissions": ["completion"]}
        )
        await _create(session, "quotas", {"subject": tenant["name"], "token_limit": _TOKENS, "period": "daily"})
        budget = {"display_name": "Bench", "subject": tenant["name"], "limit_usd_micros": _MICROS, "period": "monthly"}
        await _create(session, "budgets", {**budget, "enforced": True})
    await asyncio.sleep(_IN_FORCE_S)
    return str(made["key"])


async def _create(session: aiohttp.ClientSession, collection: str, value: dict[str, object]) -> dict[str, object]:
    async with session.post(f"/v1/{collection}", json=value) as response:
        if response.status != 200:
            raise OSError(f"the gateway refuses one of its {collection}: {await response.text()}")
        created: dict[str, object] = await response.json()
        return created
