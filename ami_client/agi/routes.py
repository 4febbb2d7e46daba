"""Selects the handler of a call by its path, which may have named parts."""

from __future__ import annotations

import re
from typing import Callable, Optional

Handler = Callable[..., object]

_NAMED = re.compile(r"<([^<>/]*)>")


class Route:
    """A path such as ``/ivr/<lang>``. Each name stands for one part, without a slash.

    Raises TypeError for a path that is not a str. Raises ValueError for one without a leading slash, and for names that
    are not identifiers or occur twice.
    """

    def __init__(self, path: str, handler: Handler) -> None:
        if not isinstance(path, str):
            raise TypeError(f"a path must be a str, not {type(path).__name__}")
        if not path.startswith("/"):
            raise ValueError(f"a path must begin with a slash, unlike {path!r}")
        names = _NAMED.findall(path)
        wrong = [name for name in names if not name.isidentifier() or names.count(name) > 1]
        if wrong:
            raise ValueError(f"<{wrong[0]}> in {path!r}: a part is named by an identifier, and only once")
        parts = _NAMED.split(path)
        pattern = "".join(f"(?P<{part}>[^/]+)" if number % 2 else re.escape(part) for number, part in enumerate(parts))
        self.path = path
        self.handler = handler
        self._match = re.compile(pattern).fullmatch

    def match(self, path: str) -> Optional[dict[str, str]]:
        """Return the named parts of a path, or None if it does not match."""
        found = self._match(path)
        return None if found is None else found.groupdict()
