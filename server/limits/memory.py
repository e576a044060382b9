"""Counters in this process's memory: for one worker."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count

from server.clock import Clock
from server.limits.counters import ANY_MARK, LONGEST_SEED_S, NO_LIMIT, SLOTS, Change, Claim, Taken

_SWEEP_S = 60.0
_ROUNDING_S = 1e-6


class MemoryCounters:
    """Counters as objects. No method waits for anything.

    Args:
        clock: tells the time.
    """

    def __init__(self, clock: Clock) -> None:
        self.on_trouble: Callable[[bool], None] = lambda troubled: None
        self.failures = 0
        self.troubled = False
        self.remote = False
        self._clock = clock
        self._plain: dict[str, _Plain] = {}
        self._windows: dict[str, _Window] = {}
        self._seeding: dict[str, tuple[int, float]] = {}
        self._marks = count(1)
        self._sweep = clock.monotonic() + _SWEEP_S

    async def take(self, claims: Sequence[Claim]) -> Taken:
        """Claims all or nothing."""
        return self.take_at_once(claims)

    def take_at_once(self, claims: Sequence[Claim]) -> Taken:
        """What `take` does."""
        now = self._clock.monotonic()
        if now >= self._sweep:
            self._forget(now)
        cells: list[_Plain | _Window] = []
        refused: int | None = None
        for claim in claims:
            limit = claim.limit
            needed = claim.least
            cell: _Plain | _Window | None
            if claim.window_s:
                cell = self._window(claim, now)
                fits = cell.value + needed <= limit and (not claim.burst or cell.too_early_s(claim, now) <= 0.0)
            else:
                cell = self._plain.get(claim.key)
                if cell is None or now >= cell.expires:
                    cell = self._counter(claim, now)
                    if cell is None:
                        return self._absent(claims, now)
                fits = cell.value + needed <= limit or limit == NO_LIMIT
            if not fits and needed and refused is None:
                refused = len(cells)
            cells.append(cell)
        left: list[int] = []
        if refused is not None:
            for cell, claim in zip(cells, claims, strict=True):
                left.append(max(0, claim.limit - cell.value))
            return Taken(refused, (), tuple(left), (), cells[refused].wait_s(claims[refused], now))
        marks: list[int] = []
        for cell, claim in zip(cells, claims, strict=True):
            marks.append(cell.add(claim, now))
            rest = claim.limit - cell.value
            left.append(rest if rest > 0 else 0)
        return Taken(None, (), tuple(left), tuple(marks))

    async def change(self, changes: Sequence[Change]) -> tuple[int | None, ...]:
        """Corrects; gives of each plain counter how much of it is settled; None: it is in doubt, or a window."""
        return self.change_at_once(changes)

    def change_at_once(self, changes: Sequence[Change]) -> tuple[int | None, ...]:
        """What `change` does."""
        settled: list[int | None] = []
        for change in changes:
            known: int | None = None
            if change.window_s:
                window = self._windows.get(change.key)
                if window is not None:
                    window.change(change)
            elif (cell := self._plain.get(change.key)) is not None:
                cell.value += change.delta
                cell.settled += change.settled
                if change.mark in (ANY_MARK, cell.mark):
                    known = cell.settled
            settled.append(known)
        return tuple(settled)

    async def seed(
        self, key: str, value: int, settled: int = 0, mark: int = ANY_MARK, expires_s: float | None = None
    ) -> bool:
        """Sets a plain counter that is absent, unless it was dropped since `mark` was given."""
        now = self._clock.monotonic()
        cell = self._plain.get(key)
        if cell is not None and now < cell.expires:
            return mark in (ANY_MARK, cell.mark)
        given, until = self._seeding.pop(key, (ANY_MARK, 0.0))
        if mark != ANY_MARK and (mark != given or now >= until):
            return False
        self._plain[key] = _Plain(value, settled, mark or next(self._marks), _end(now, expires_s))
        return True

    async def value(self, key: str) -> int | None:
        """What a plain counter holds; None: it is absent."""
        cell = self._plain.get(key)
        return None if cell is None or self._clock.monotonic() >= cell.expires else cell.value

    async def drop(self, keys: Sequence[str]) -> None:
        """Forgets plain counters, whoever is seeding them."""
        for key in keys:
            self._plain.pop(key, None)
            self._seeding.pop(key, None)

    async def new_run(self) -> str:
        """Empty: they end with the process."""
        return ""

    async def know_run(self, run: str) -> None:
        """Does nothing."""

    async def close(self) -> None:
        """Does nothing."""

    def _absent(self, claims: Sequence[Claim], now: float) -> Taken:
        """Tells of which counters a seed is wanted."""
        absent = [index for index, claim in enumerate(claims) if not claim.window_s and self._counter(claim, now) is None]
        marks = [self._seed_mark(claim.key, now) if index in absent else 0 for index, claim in enumerate(claims)]
        return Taken(None, tuple(absent), (), tuple(marks))

    def _counter(self, claim: Claim, now: float) -> "_Plain | None":
        cell = self._plain.get(claim.key)
        if cell is not None and now < cell.expires:
            return cell
        if claim.seeded:
            return None
        cell = self._plain[claim.key] = _Plain(0, 0, next(self._marks), _end(now, claim.expires_s))
        return cell

    def _window(self, claim: Claim, now: float) -> "_Window":
        cell = self._windows.get(claim.key)
        if cell is None or cell.window_s != claim.window_s:
            cell = self._windows[claim.key] = _Window(claim.window_s)
        cell.turn(now)
        return cell

    def _seed_mark(self, key: str, now: float) -> int:
        mark, until = self._seeding.get(key, (ANY_MARK, 0.0))
        if now >= until:
            mark = next(self._marks)
            self._seeding[key] = mark, now + LONGEST_SEED_S
        return mark

    def _forget(self, now: float) -> None:
        self._sweep = now + _SWEEP_S
        self._plain = {key: cell for key, cell in self._plain.items() if now < cell.expires}
        self._seeding = {key: (mark, until) for key, (mark, until) in self._seeding.items() if now < until}
        self._windows = {key: cell for key, cell in self._windows.items() if now < cell.last + 2 * cell.window_s}


class _Plain:
    """A sum."""

    __slots__ = ("expires", "mark", "settled", "value")

    def __init__(self, value: int, settled: int, mark: int, expires: float) -> None:
        self.value = value
        self.settled = settled
        self.mark = mark
        self.expires = expires

    def wait_s(self, claim: Claim, now: float) -> float | None:
        return None

    def add(self, claim: Claim, now: float) -> int:
        self.value += claim.amount
        return self.mark


class _Window:
    """What was claimed in the last so many seconds, by slots; and when an even flow would have got as far as it is."""

    __slots__ = ("_even_time", "_slot_s", "_slots", "last", "value", "window_s")

    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self.last = 0.0
        self._slot_s = window_s / SLOTS
        self._slots: deque[list[int]] = deque()
        self.value = 0
        self._even_time = 0.0

    def turn(self, now: float) -> None:
        """Forgets what is too old."""
        self.last = now
        first = int(now / self._slot_s) - SLOTS
        while self._slots and self._slots[0][0] < first:
            self.value -= self._slots.popleft()[1]

    def wait_s(self, claim: Claim, now: float) -> float | None:
        over = self.value + claim.amount - claim.limit
        if claim.amount > claim.limit:
            return None
        wait_s = self.too_early_s(claim, now)
        for slot, amount in self._slots:
            if over <= 0:
                break
            over -= amount
            wait_s = max(wait_s, (slot + SLOTS + 1) * self._slot_s - now + _ROUNDING_S)
        return wait_s

    def add(self, claim: Claim, now: float) -> int:
        slot = int(now / self._slot_s)
        if self._slots and self._slots[-1][0] >= slot:
            self._slots[-1][1] += claim.amount
        else:
            self._slots.append([slot, claim.amount])
        self.value += claim.amount
        if claim.burst:
            self._even_time = max(self._even_time, now) + claim.amount * self.window_s / claim.limit
        return self._slots[-1][0]

    def change(self, change: Change) -> None:
        for counted in reversed(self._slots):
            if counted[0] == change.mark:
                counted[1] += change.delta
                self.value += change.delta
                return

    def too_early_s(self, claim: Claim, now: float) -> float:
        """How much sooner it comes than the burst allows."""
        if not claim.burst:
            return 0.0
        # A claim larger than the burst passes when the burst is whole.
        ahead = (max(claim.amount, claim.burst) - claim.amount) * self.window_s / claim.limit
        early_s = self._even_time - now - ahead
        return early_s if early_s > _ROUNDING_S else 0.0


def _end(now: float, expires_s: float | None) -> float:
    return math.inf if expires_s is None else now + expires_s
