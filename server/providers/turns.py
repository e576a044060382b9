"""A conversation for vendors that want its turns to alternate: the system's words stand beside it, the user begins."""

from collections.abc import Callable

from server.providers.unsupported import no_words, unsupported

Json = dict[str, object]

_OPENING = "(The conversation begins.)"
"""Said for the user where a conversation begins with the assistant, which the vendors do not allow."""


class Turns:
    """The turns so far, `user` and `assistant`, each of parts in the vendor's form. What is empty is left out.

    Attributes:
        system: the parts of the system's words.
    """

    def __init__(self) -> None:
        self.system: list[Json] = []
        self._spoken: list[tuple[str, list[Json]]] = []
        self._silent = False
        """Whether the user was the last to speak and said nothing."""

    def say(self, role: str, parts: list[Json]) -> None:
        """Adds what somebody says, to the last turn where it is the same one's."""
        if not parts:
            self._silent = self._silent or role == "user"
            return
        self._silent = False
        if self._spoken and self._spoken[-1][0] == role:
            self._spoken[-1][1].extend(parts)
        else:
            self._spoken.append((role, parts))

    def settle(self, text_part: Callable[[str], Json], prefix: str = "") -> None:
        """Lets the user begin when all has been said; where only the system spoke, its words become the user's.

        Args:
            text_part: writes a text as a part.
            prefix: the beginning of the answer that the model is to go on from; empty for a whole answer.

        Raises:
            ProviderError: UNSUPPORTED where nobody said anything, and where the user said nothing to the assistant's last
                words: without that message the model would go on from them.
        """
        if not self._spoken and self.system:
            self._spoken, self.system = [("user", self.system)], []
        if not self._spoken:
            raise no_words()
        if self._silent and self.prefilled:
            raise unsupported("The provider needs a last message of the user that is not empty.", "messages")
        if self._spoken[0][0] == "assistant":
            self._spoken.insert(0, ("user", [text_part(_OPENING)]))
        if prefix.strip():
            self.say("assistant", [text_part(prefix)])

    @property
    def prefilled(self) -> bool:
        """Whether the last words are the assistant's, so that the answer goes on from them."""
        return self._spoken[-1][0] == "assistant"

    def spoken(self) -> list[tuple[str, list[Json]]]:
        """The turns, each with who speaks."""
        return self._spoken

    def calls_open(self, is_result: Callable[[Json], bool]) -> list[Json]:
        """What the assistant said and called since the user last spoke, where the conversation ends with results of tools.

        Args:
            is_result: whether a part is such a result.
        """
        said: list[Json] = []
        for place in range(len(self._spoken) - 1, 0, -2):
            role, parts = self._spoken[place]
            if role != "user" or not any(map(is_result, parts)):
                break
            said.extend(self._spoken[place - 1][1])
        return said

    def strip_end(self) -> None:
        """Takes the blanks from the end of the assistant's last words, where vendors refuse them."""
        last = self._spoken[-1][1][-1]
        text = last.get("text")
        if self.prefilled and isinstance(text, str):
            last["text"] = text.rstrip()
