"""Whether an SQLite file changed, as SQLite counts it: for those who look again and again, and mostly in vain."""

import asyncio
import sqlite3
from pathlib import Path
from threading import Lock

Version = tuple[int, int]
"""Tells one state of the file from the next; the same connection's count only, so it begins with the connection's number."""


class DataVersion:
    """Keeps one connection, which reads nothing else. Who stops waiting for a reading does not end it.

    Args:
        file: the database.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None
        self._opened = 0
        self._closed = False
        self._turn = Lock()

    async def read(self) -> Version | None:
        """The version now, all that is committed included; None: it cannot be told."""
        return await asyncio.to_thread(self._read)

    async def close(self) -> None:
        """Closes the connection. Call it before the others are closed: the last one tidies up the file."""
        await asyncio.to_thread(self._close)

    def _read(self) -> Version | None:
        with self._turn:
            if self._closed:
                return None
            try:
                if self._connection is None:
                    self._connection = sqlite3.connect(self._file, timeout=0, isolation_level=None, check_same_thread=False)
                    self._opened += 1
                (count,) = self._connection.execute("PRAGMA data_version").fetchone()
                return self._opened, count
            except sqlite3.Error:
                self._drop()
                return None

    def _close(self) -> None:
        with self._turn:
            self._closed = True
            self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
