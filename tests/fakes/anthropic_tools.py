"""How calls of tools and their results must stand in Anthropic's messages.

In come messages whose blocks are well formed, out comes nothing or a `Refused`.
"""

import re
from collections.abc import Sequence

from tests.fakes.dialect import Refused
from tests.fakes.http1_request import JsonObject
from tests.fakes.plan import VendorError

TOOL_USE_ID = re.compile(r"[a-zA-Z0-9_-]+")


def check_tool_use(messages: Sequence[JsonObject]) -> None:
    """Refuses a call without its result in the next turn, a result without its call, and results behind anything else."""
    called: list[str] = []
    for index, turn in _turns(messages):
        place = f"messages.{index}"
        results = [block for block in turn if block["type"] == "tool_result"]
        _check_results(place, called, [str(block["tool_use_id"]) for block in results])
        if any(block["type"] != "tool_result" for block in turn[: len(results)]):
            raise _refuse(f"{place}: `tool_result` blocks must come before any other content of the message")
        called = []
        for block in turn:
            if block["type"] == "tool_use":
                _check_call(place, block, called)
                called.append(block["id"])
    if called:
        raise _refuse(_unanswered(f"messages.{len(messages) - 1}", called))


def _turns(messages: Sequence[JsonObject]) -> list[tuple[int, list[JsonObject]]]:
    """Returns the blocks of each turn, neighbours of one role merged, with the index of the turn's first message."""
    turns: list[tuple[int, list[JsonObject]]] = []
    role = None
    for index, message in enumerate(messages):
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if message["role"] == role:
            turns[-1] = (turns[-1][0], [*turns[-1][1], *blocks])
        else:
            turns.append((index, blocks))
        role = message["role"]
    return turns


def _check_results(place: str, called: list[str], answered: list[str]) -> None:
    for tool_use_id in answered:
        if answered.count(tool_use_id) > 1:
            raise _refuse(f"{place}: each tool_use must have a single result. Found several with id: {tool_use_id}")
        if tool_use_id not in called:
            message = f"unexpected `tool_use_id` found in `tool_result` blocks: {tool_use_id}."
            raise _refuse(f"{place}: {message} Each must have a corresponding `tool_use` block in the previous message.")
    missing = [tool_use_id for tool_use_id in called if tool_use_id not in answered]
    if missing:
        raise _refuse(_unanswered(place, missing))


def _check_call(place: str, block: JsonObject, called: list[str]) -> None:
    if not isinstance(block["id"], str) or not TOOL_USE_ID.fullmatch(block["id"]):
        raise _refuse(f"{place}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
    if block["id"] in called:
        raise _refuse(f"{place}: `tool_use` ids must be unique")
    if not isinstance(block["input"], dict):
        raise _refuse(f"{place}.tool_use.input: Input should be a valid dictionary")


def _unanswered(place: str, ids: list[str]) -> str:
    return f"{place}: `tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(ids)}."


def _refuse(message: str) -> Refused:
    return Refused(VendorError(400, message, "invalid_request_error"))
