"""Channels: targets, TLS, limits."""

import asyncio
from pathlib import Path

import grpc
import pytest
import trustme

from tests.clients.fake_gateway import run_gateway
from tests.clients.requests import chat
from trunkline_client import (
    AsyncClient,
    Client,
    Retries,
    Tls,
    TrunklineError,
    UnavailableError,
    open_channel,
)


@pytest.mark.parametrize(
    "target",
    ["", "localhost", "http://127.0.0.1:50051", "https://example.com", "127.0.0.1:", "host:port", "host:99999", "unix:"],
)
async def test_what_is_no_target_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match="host:port or unix:/path"):
        AsyncClient(target)


@pytest.mark.parametrize(
    "target",
    ["127.0.0.1:1", "[::1]:1", "gateway.example:443", "unix:/run/t.sock", "unix:t.sock", "dns:///h:1", "ipv4:127.0.0.1:1"],
)
async def test_what_grpc_resolves_is_a_target(target: str) -> None:
    await AsyncClient(target).close()


async def test_a_unix_socket_works_for_both_clients(tmp_path: Path) -> None:
    async with run_gateway(f"unix:{tmp_path}/gateway.sock") as gateway:
        async with AsyncClient(gateway.target) as client:
            assert (await client.metrics.get_health()).status == "healthy"

        def work() -> str:
            with Client(gateway.target) as client:
                return client.metrics.get_health().status

        assert await asyncio.to_thread(work) == "healthy"


async def test_tls_works_for_those_who_trust_the_server() -> None:
    authority, certificate = issue()
    credentials = grpc.ssl_server_credentials([(certificate.private_key_pem.bytes(), chain(certificate))])
    tls = Tls(authority.cert_pem.bytes())
    async with run_gateway(credentials=credentials) as gateway:
        async with AsyncClient(gateway.target, tls=tls) as client:
            assert (await client.metrics.get_health()).status == "healthy"

        def work() -> str:
            with Client(gateway.target, tls=tls) as client:
                return client.metrics.get_health().status

        assert await asyncio.to_thread(work) == "healthy"


async def test_a_server_that_nobody_vouches_for_is_refused() -> None:
    _, certificate = issue()
    stranger = trustme.CA()
    credentials = grpc.ssl_server_credentials([(certificate.private_key_pem.bytes(), chain(certificate))])
    async with run_gateway(credentials=credentials) as gateway:
        async with AsyncClient(gateway.target, tls=Tls(stranger.cert_pem.bytes())) as client:
            with pytest.raises(UnavailableError):
                await client.metrics.get_health()
        async with AsyncClient(gateway.target) as client:
            with pytest.raises(UnavailableError):
                await client.metrics.get_health()


async def test_a_client_proves_who_it_is_where_the_server_asks() -> None:
    authority, certificate = issue()
    root = authority.cert_pem.bytes()
    own = authority.issue_cert("client")
    pair = [(certificate.private_key_pem.bytes(), chain(certificate))]
    credentials = grpc.ssl_server_credentials(pair, root_certificates=root, require_client_auth=True)
    async with run_gateway(credentials=credentials) as gateway:
        async with AsyncClient(gateway.target, tls=Tls(root, own.private_key_pem.bytes(), chain(own))) as client:
            assert (await client.metrics.get_health()).status == "healthy"
        async with AsyncClient(gateway.target, tls=Tls(root)) as client:
            with pytest.raises(UnavailableError):
                await client.metrics.get_health()


@pytest.mark.parametrize(
    "wrong", [{"max_attempts": 1}, {"max_attempts": 6}, {"initial_backoff_s": 0}, {"max_backoff_s": 0}], ids=str
)
def test_retries_that_grpc_would_not_make_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="is"):
        Retries(**wrong)


def test_a_private_key_is_not_shown() -> None:
    assert "SECRET" not in repr(Tls(None, b"SECRET", b"chain"))


async def test_tls_for_a_channel_that_is_open_is_refused() -> None:
    async with open_channel("127.0.0.1:1") as channel:
        with pytest.raises(ValueError, match="open"):
            AsyncClient(channel, tls=Tls())


@pytest.mark.parametrize("key", ["llm_key\n", "llm_k\u00e9y", "llm_\0key"])
@pytest.mark.parametrize("opened", [AsyncClient, Client])
async def test_a_key_that_cannot_be_sent_is_refused_before_any_call(opened: type[AsyncClient | Client], key: str) -> None:
    with pytest.raises(ValueError, match="visible ASCII") as raised:
        opened("127.0.0.1:50051", api_key=key)
    assert key not in str(raised.value)


async def test_messages_may_be_larger_than_grpc_allows_by_itself() -> None:
    text = "x" * (8 << 20)
    async with (
        run_gateway(options=[("grpc.max_receive_message_length", -1)]) as gateway,
        AsyncClient(gateway.target) as client,
    ):
        answer = await client.completions.create_chat_completion(chat(text=text))

    assert answer.value.choices[0].message.content == text


async def test_options_come_before_the_librarys_own() -> None:
    limit = [("grpc.max_receive_message_length", 64)]
    async with run_gateway() as gateway, open_channel(gateway.target, options=limit) as channel:
        with pytest.raises(TrunklineError) as raised:
            await AsyncClient(channel).completions.create_chat_completion(chat(text="x" * 1000))

    assert raised.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED


def issue() -> tuple[trustme.CA, trustme.LeafCert]:
    """An authority and a server's certificate."""
    authority = trustme.CA()
    return authority, authority.issue_cert("127.0.0.1", "localhost")


def chain(certificate: trustme.LeafCert) -> bytes:
    """The certificate as PEM."""
    return b"".join(pem.bytes() for pem in certificate.cert_chain_pems)
