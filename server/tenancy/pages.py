"""Pages of rows in the order of their making, each beginning where the one before ended, whatever came or went since."""

import re
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Table, and_, or_

from server.errors import invalid_request

_TOKEN = re.compile(r"([0-9a-f]{1,15})\.([a-z0-9-]{1,64})")
_DEFAULT, _MOST = 100, 1000


@dataclass(frozen=True, slots=True)
class Page:
    """Which page is asked for.

    Attributes:
        size: the most rows.
        after: the time and the id of the last row of the page before; None: this is the first.
    """

    size: int
    after: tuple[int, str] | None

    @classmethod
    def read(cls, page_size: int, page_token: str) -> "Page":
        """Reads what a request says.

        Raises:
            GatewayError: INVALID_REQUEST for a token or a size that makes no sense.
        """
        if page_size < 0:
            raise invalid_request("`page_size` must not be negative.", "page_size")
        size = min(page_size or _DEFAULT, _MOST)
        if not page_token:
            return cls(size, None)
        token = _TOKEN.fullmatch(page_token)
        if token is None:
            raise invalid_request("`page_token` is not one that this server gave.", "page_token")
        return cls(size, (int(token[1], 16), token[2]))

    def rows(self, table: Table, newest_first: bool = False) -> list[ColumnElement[bool]]:
        """Which rows come after the page before."""
        if self.after is None:
            return []
        time, id_ = self.after
        made, own = table.c.create_time, table.c.id
        if newest_first:
            return [or_(made < time, and_(made == time, own < id_))]
        return [or_(made > time, and_(made == time, own > id_))]


def token_of(create_time: int, id_: str) -> str:
    """The token of the page that comes after this row."""
    return f"{create_time:x}.{id_}"
