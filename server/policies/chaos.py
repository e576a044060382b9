"""Trouble made on purpose: which attempts a fault hits, and which faults there are.

Each attempt to ask a provider is hit by one fault at most: the first that matches and whose draw hits, configured faults in
the file's order, then those made while running, oldest first. Known to this process alone, and gone with it.
"""

from asyncio import sleep as asyncio_sleep
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from server.clock import Clock
from server.config.schema import ChaosEngineeringSettings, FaultSettings
from server.errors import GatewayError, invalid_request
from server.policies.chaos_stream import Begin, Sleep, Time, with_fault
from server.providers.base import Ask, Batch
from trunkline.v1.error_reason_pb2 import ErrorReason

CONFIGURED = "configured-"
"""The ids of configured faults: this, and their place in the file, from 1."""

_MOST_FAULTS = 100


@dataclass(slots=True)
class Fault:
    """A fault that attempts may run into.

    Attributes:
        place: where it stands among the others; none had it before.
        id: what it is called.
        settings: what it does, to which attempts.
        create_time: since when it is known, epoch seconds.
        expire_time: until when, epoch seconds; None: for good.
        configured: whether the configuration has it; else it was made while running.
        active: whether it hits anything; configured ones don't while `chaos_engineering.enabled` is off.
        match_count: how many attempts the names of its match fitted.
        hit_count: how many attempts it hit.
    """

    place: tuple[int, int]
    id: str
    settings: FaultSettings
    create_time: float
    expire_time: float | None
    configured: bool
    active: bool
    match_count: int = 0
    hit_count: int = 0

    @property
    def told(self) -> str:
        """The fault as answers tell it: `delay-1;type=delay;severity=low`, an Item of RFC 9651."""
        return f"{self.id};type={self.settings.type};severity={self.settings.severity}"

    def hits(self, provider: str, model: str, caller: str, random: Callable[[], float]) -> bool:
        """Counts an attempt, and tells whether the fault hits it."""
        match = self.settings.match
        if not (_fits(match.provider, provider) and _fits(match.model, model) and _fits(match.key, caller)):
            return False
        before = self.match_count * match.percentage // 100
        self.match_count += 1
        if self.match_count * match.percentage // 100 == before or random() >= self.settings.probability:
            return False
        self.hit_count += 1
        return True


def _fits(pattern: str | None, name: str) -> bool:
    return pattern is None or fnmatchcase(name, pattern)


class Chaos:
    """The faults of this process.

    Args:
        clock: tells the time.
        random: draws a number, at least 0 and less than 1.
        sleep: waits for some seconds.
    """

    def __init__(self, clock: Clock, random: Callable[[], float], sleep: Sleep = asyncio_sleep) -> None:
        self.armed = False
        """Whether any fault may hit: asking costs nothing where this is false."""
        self._time = Time(clock, sleep)
        self._random = random
        self._faults: dict[str, Fault] = {}
        self._added = 0
        self._created = 0

    def configure(self, settings: ChaosEngineeringSettings | None) -> None:
        """Puts a configuration's faults in the place of the former configuration's. Those made while running stay."""
        made = [fault for fault in self._faults.values() if not fault.configured]
        configured = [] if settings is None else settings.faults
        active = settings is not None and settings.enabled
        self._faults = {}
        for place, fault in enumerate(configured, 1):
            self._add(f"{CONFIGURED}{place}", fault, configured=True, active=active)
        self._faults.update({fault.id: fault for fault in made})
        self._forget_expired()

    def stream(self, provider: str, ask: Ask, caller: str, begin: Begin) -> tuple[AsyncGenerator[Batch, None], str]:
        """Asks a provider, with the fault that hits this attempt, if one does.

        Args:
            provider: the provider's name.
            ask: what it is asked, with its own name of the model.
            caller: the id of the caller's key; the name of one that the configuration has.
            begin: its `stream`.

        Returns:
            What `begin` would have given, with the fault in it; and the fault as answers tell it, empty where none hit.
        """
        self._forget_expired()
        for fault in self._faults.values():
            if fault.active and fault.hits(provider, ask.model, caller, self._random):
                return with_fault(fault.settings, ask, begin, self._time), fault.told
        return begin(ask), ""

    def faults(self) -> Sequence[Fault]:
        """The faults that have not expired, in the order in which they are tried."""
        self._forget_expired()
        return tuple(self._faults.values())

    def create(self, settings: FaultSettings, fault_id: str = "") -> Fault:
        """Adds a fault, which is active at once.

        Args:
            fault_id: what to call it; empty: its type and a number.

        Raises:
            GatewayError: ALREADY_EXISTS for an id that is taken; INVALID_REQUEST for one that only configured faults have,
                for a time that has passed, or when there are a hundred faults.
        """
        self._forget_expired()
        if fault_id.startswith(CONFIGURED):
            raise invalid_request(f"`fault_id` must not begin with `{CONFIGURED}`.", "fault_id")
        if fault_id in self._faults:
            raise GatewayError(
                ErrorReason.ERROR_REASON_ALREADY_EXISTS,
                f"There is a fault `{fault_id}` already.",
                metadata={"name": f"faults/{fault_id}", "param": "fault_id"},
            )
        if settings.expire_time is not None and settings.expire_time.timestamp() <= self._time.clock.now():
            raise invalid_request("`expire_time` must not have passed.", "expire_time")
        if len(self._faults) >= _MOST_FAULTS:
            raise invalid_request(f"There are {_MOST_FAULTS} faults; delete some first.")
        fault = self._add(fault_id or self._new_id(settings), settings, configured=False, active=True)
        self._arm()
        return fault

    def delete(self, fault_id: str) -> Fault:
        """Ends a fault; answers that it hit already go on with it. A configured one comes back with its configuration.

        Raises:
            GatewayError: RESOURCE_NOT_FOUND.
        """
        self._forget_expired()
        ended = self._faults.pop(fault_id, None)
        if ended is None:
            name = f"faults/{fault_id}"
            raise GatewayError(
                ErrorReason.ERROR_REASON_RESOURCE_NOT_FOUND, f"There is no `{name}`.", metadata={"name": name}
            )
        self._arm()
        return ended

    def restore(self, ended: Fault) -> None:
        """Takes a deletion back."""
        self._faults = {fault.id: fault for fault in sorted((*self._faults.values(), ended), key=lambda fault: fault.place)}
        self._arm()

    def _add(self, fault_id: str, settings: FaultSettings, *, configured: bool, active: bool) -> Fault:
        now = self._time.clock.now()
        expire_time = None if settings.expire_time is None else settings.expire_time.timestamp()
        if settings.expire_after is not None:
            expire_time = now + settings.expire_after
        self._added += 1
        place = (not configured, self._added)
        self._faults[fault_id] = fault = Fault(place, fault_id, settings, now, expire_time, configured, active)
        return fault

    def _new_id(self, settings: FaultSettings) -> str:
        while True:
            self._created += 1
            fault_id = f"{settings.type.replace('_', '-')}-{self._created}"
            if fault_id not in self._faults:
                return fault_id

    def _forget_expired(self) -> None:
        now = self._time.clock.now()
        for fault in [*self._faults.values()]:
            if fault.expire_time is not None and fault.expire_time <= now:
                del self._faults[fault.id]
        self._arm()

    def _arm(self) -> None:
        self.armed = any(fault.active for fault in self._faults.values())
