"""A gateway in the loop of the test, whole or split in two, as the command composes it.

In comes a configuration as a mapping; it goes through a YAML file, as everybody's does. Out come the addresses.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias, cast

import yaml

from server.config import load
from server.providers.loader import provider_kinds
from tests.fakes.vendor import ScriptedVendor
from trunkline_cli.addresses import Addresses
from trunkline_cli.gateway import Gateway

Topology: TypeAlias = Literal["whole", "split", "socket"]
Config: TypeAlias = Mapping[str, object]

KEY = "sk-test-everything"
COMPLETION_KEY = "sk-test-completions-only"
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that answers.

    Attributes:
        url: the front's, without a path.
        target: of the gRPC server.
        gateways: the processes that it would be: one, or the core and the front.
    """

    url: str
    target: str
    gateways: Sequence[Gateway]

    async def calls_ended(self) -> None:
        """Returns once no call between front and core runs; where there is a wire between them, none are seen."""
        core = self.gateways[0]._core
        assert core is not None
        while core.channel.calls:
            ended = asyncio.Event()
            next(iter(core.channel.calls)).add_done_callback(lambda _, ended=ended: ended.set())  # type: ignore[misc]
            await ended.wait()


def row(name: str, vendor: ScriptedVendor, models: Sequence[str], **fields: object) -> dict[str, object]:
    """A provider row for a scripted vendor, which is asked once unless the fields say so."""
    address = {"type": "openai", "base_url": f"{vendor.url}/v1", "api_key": vendor.key}
    return {"name": name, **address, "models": list(models), "max_retries": 0, **fields}


def config(rows: Sequence[Config], server: Config | None = None, **sections: object) -> dict[str, object]:
    """A configuration with two keys, one for everything, one for completions alone; broken streams stay broken."""
    keys = [{"name": "all", "key": KEY}, {"name": "some", "key": COMPLETION_KEY, "roles": ["completion"]}]
    return {
        "server": {"host": HOST, **(server or {})},
        "auth": {"api_keys": keys},
        "providers": list(rows),
        "logging": {"level": "ERROR"},
        "routing": {"on_broken_stream": "error"},
        **sections,
    }


def write_config(folder: Path, document: Config) -> Path:
    """Writes a configuration to a file of its own."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(dict(document)), encoding="utf-8")
    return path


@asynccontextmanager
async def run_gateway(
    folder: Path,
    document: Config,
    topology: Topology,
    data_dir: Path | None = None,
    env: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[Running]:
    """Runs a gateway. Afterwards nothing of it is left in the loop.

    Args:
        folder: for its file, and its socket where it has one.
        document: the configuration.
        topology: one process (`whole`), or two with a port (`split`) or a Unix socket (`socket`) between them.
        data_dir: where it keeps what must last; None: nothing does.
        env: the environment that its file may name.
    """
    before = asyncio.all_tasks()
    if topology == "socket":
        server = cast(Config, document["server"])
        document = {**document, "server": {**server, "unix_socket": str(folder / "core.sock")}}
    loaded = load(write_config(folder, document), env, provider_kinds())
    gateways: list[Gateway] = []
    try:
        core = await Gateway.start(loaded, None, Addresses(HOST, 0 if topology == "whole" else None, 0), data_dir=data_dir)
        gateways.append(core)
        target = f"{HOST}:{core.addresses.grpc_port}"
        if topology != "whole":
            between = target if topology == "split" else f"unix:{folder / 'core.sock'}"
            gateways.append(await Gateway.start(loaded, None, Addresses(HOST, 0, None), core=between))
        yield Running(f"http://{HOST}:{gateways[-1].addresses.port}", target, gateways)
    finally:
        for gateway in reversed(gateways):
            await gateway.stop(0)
    left = {task for task in asyncio.all_tasks() - before - {asyncio.current_task()} if not task.done()}
    assert not left, f"the gateway left tasks behind: {left}"
