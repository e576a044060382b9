"""Libraries that others load where they are there: a part of the command can be told that they are not."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def absent(libraries: Sequence[str]) -> Iterator[None]:
    """Within the block, libraries that nobody has loaded yet cannot be. Whoever does without them then goes on to do so.

    Args:
        libraries: the names that are imported.
    """
    kept_out = [name for name in libraries if name not in sys.modules]
    # What is None here is not looked for. Source: https://docs.python.org/3/reference/import.html#the-module-cache (2026-11)
    sys.modules.update(dict.fromkeys(kept_out))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in kept_out:
            del sys.modules[name]
