"""The examples in the library's docstrings do what they say."""

import ast
import asyncio
import contextlib
import doctest
import inspect
import io

import pytest

import trunkline_client
from tests.clients.fake_gateway import Gateway
from trunkline_client import (
    admin,
    alerts,
    api_keys,
    client,
    completion_records,
    completions,
    limits,
    metrics,
    models,
    prices,
    tenants,
)

WRITTEN_TARGET = "127.0.0.1:50051"
OBJECTS = [
    member
    for module in (
        *(admin, alerts, api_keys, client, completion_records, completions),
        *(limits, metrics, models, prices, tenants),
    )
    for name, member in vars(module).items()
    if inspect.isclass(member) and member.__module__ == module.__name__ and ">>>" in (member.__doc__ or "")
]


async def run_example(example: doctest.Example, names: dict[str, object]) -> str:
    """Runs one example, `await` included, and returns what it prints."""
    code = compile(example.source, "<example>", "single", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        if code.co_flags & inspect.CO_COROUTINE:
            await eval(code, names)
        else:
            exec(code, names)
    return printed.getvalue()


async def run_examples(examples: list[doctest.Example]) -> None:
    names: dict[str, object] = {}
    for example in examples:
        assert await run_example(example, names) == example.want, example.source


@pytest.mark.parametrize("documented", OBJECTS, ids=lambda documented: documented.__name__)
async def test_the_examples_of_a_class_give_what_they_show(documented: type, gateway: Gateway) -> None:
    text = inspect.getdoc(documented) or ""
    examples = doctest.DocTestParser().get_examples(text.replace(WRITTEN_TARGET, gateway.target))
    if "await " in text or "async " in text:
        await run_examples(examples)
    else:
        await asyncio.to_thread(asyncio.run, run_examples(examples))


def test_every_public_name_exists() -> None:
    assert [name for name in trunkline_client.__all__ if not hasattr(trunkline_client, name)] == []
