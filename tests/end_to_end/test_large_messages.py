"""Bodies and answers larger than gRPC takes by itself: what the configuration allows passes, what it does not is told."""

from io import BytesIO
from pathlib import Path

import aiohttp
import grpc
import orjson
import pytest

from server.config import load
from server.providers.loader import provider_kinds
from tests.end_to_end.refused import Told, check
from tests.end_to_end.running import HOST, KEY, config, run_gateway, write_config
from trunkline.v1.chat_pb2 import ChatCompletionRequest, Message
from trunkline_cli.addresses import Addresses
from trunkline_cli.gateway import Gateway
from trunkline_client import AsyncClient, InvalidRequestError

CHAT = "/v1/chat/completions"
ECHO = [{"name": "echo", "type": "echo", "models": ["echo"]}]
TOO_LARGE = Told(413, "invalid_request_error", "body_too_large", grpc.StatusCode.OK, "")
LONG = "x" * (65 << 20)


def body(text: str) -> BytesIO:
    return BytesIO(orjson.dumps({"model": "echo", "messages": [{"role": "user", "content": text}]}))


async def test_what_the_configuration_allows_passes_between_front_and_core(tmp_path: Path) -> None:
    async with (
        run_gateway(tmp_path, config(ECHO, server={"max_body_mb": 66}), "split") as running,
        aiohttp.ClientSession(running.url, headers={"X-API-Key": KEY}) as session,
        session.post(CHAT, data=body(LONG), headers={"Content-Type": "application/json"}) as response,
    ):
        answer = await response.json()
    assert answer["choices"][0]["message"]["content"] == LONG


async def test_what_the_core_does_not_take_is_told_as_what_the_front_does_not(tmp_path: Path) -> None:
    async with run_gateway(tmp_path, config(ECHO, server={"max_body_mb": 1}), "split") as running:
        generous = load(write_config(tmp_path, config(ECHO, server={"max_body_mb": 3})), {}, provider_kinds())
        front = await Gateway.start(generous, None, Addresses(HOST, 0, None), core=running.target)
        try:
            async with (
                aiohttp.ClientSession(f"http://{HOST}:{front.addresses.port}", headers={"X-API-Key": KEY}) as session,
                session.post(CHAT, data=body("x" * (2 << 20)), headers={"Content-Type": "application/json"}) as response,
            ):
                error = await check(response, TOO_LARGE)
        finally:
            await front.stop(0)
    assert error["message"] == "The request is larger than this gateway takes."


async def test_grpc_callers_are_told_by_the_server_alone(tmp_path: Path) -> None:
    chat = ChatCompletionRequest(model="echo", messages=[Message(role="user", content=LONG)])
    for allowed_mb in (66, 64):
        async with (
            run_gateway(tmp_path, config(ECHO, server={"max_body_mb": allowed_mb}), "split") as running,
            AsyncClient(running.target, api_key=KEY) as client,
        ):
            if allowed_mb == 66:
                answer = await client.completions.create_chat_completion(chat)
                assert answer.value.choices[0].message.content == LONG
            else:
                with pytest.raises(InvalidRequestError, match="SERVER: Received message larger than max"):
                    await client.completions.create_chat_completion(chat)
