"""How turns, calls of functions and their results must follow each other in Gemini's contents.

In come contents whose parts are well formed, out comes nothing or a `Refused`.
"""

from collections.abc import Sequence

from tests.fakes.dialect import Refused
from tests.fakes.http1_request import JsonObject
from tests.fakes.plan import VendorError


def check_turns(contents: Sequence[JsonObject], *, signed: bool) -> None:
    """Refuses turns that do not alternate, and calls and results that do not belong together.

    Args:
        contents: the turns.
        signed: whether the first call of a turn must have its signature.
    """
    called: list[JsonObject] = []
    for index, content in enumerate(contents):
        if content.get("role") != ("user", "model")[index % 2]:
            raise _refuse("Please ensure that multiturn requests alternate between user and model.")
        parts = content["parts"]
        results = [part["functionResponse"] for part in parts if "functionResponse" in part]
        calls = [part for part in parts if "functionCall" in part]
        if results and content["role"] == "model":
            raise _refuse("Please use a valid role: function responses are the user's.")
        if calls and content["role"] == "user":
            raise _refuse("Please use a valid role: function calls are the model's.")
        _check_results(called, results)
        if calls and signed and "thoughtSignature" not in calls[0]:
            raise _refuse("Function call is missing a thought_signature in functionCall parts.")
        called = [part["functionCall"] for part in calls]
    if called:
        raise _refuse("Please ensure that a function call turn is followed by its function responses.")


def _check_results(called: list[JsonObject], results: list[JsonObject]) -> None:
    if results and not called:
        raise _refuse("Please ensure that function response turn comes immediately after a function call turn.")
    if len(called) != len(results):
        raise _refuse(
            "Please ensure that the number of function response parts is equal to the number of function call parts"
            " of the function call turn."
        )
    for call, result in zip(called, results, strict=True):
        if call["name"] != result.get("name") or call.get("id") != result.get("id"):
            raise _refuse(f"The function response {result.get('name')} does not match the function call {call['name']}.")


def _refuse(message: str) -> Refused:
    return Refused(VendorError(400, message, "INVALID_ARGUMENT"))
