"""Which handler takes a call: paths with named parts."""

from __future__ import annotations

import re
from typing import Callable, Optional

Handler = Callable[..., object]

_NAMED = re.compile(r"<([^<>/]*)>")


class Route:
    """A path such as ``/ivr/<lang>``: each name stands for one part, without a slash.

    Raises TypeError for a path that is no text, ValueError for one without a leading slash, and for names that are no
    identifiers or stand twice.
    """

    def __init__(self, path: str, handler: Handler) -> None:
        if not isinstance(path, str):
            raise TypeError(f"a path is a str, not {type(path).__name__}")
        if not path.startswith("/"):
            raise ValueError(f"a path begins with a slash, unlike {path!r}")
        names = _NAMED.findall(path)
        wrong = [name for name in names if not name.isidentifier() or names.count(name) > 1]
        if wrong:
            raise ValueError(f"<{wrong[0]}> in {path!r}: a part is named once, by an identifier")
        parts = _NAMED.split(path)
        pattern = "".join(f"(?P<{part}>[^/]+)" if number % 2 else re.escape(part) for number, part in enumerate(parts))
        self.path = path
        self.handler = handler
        self._match = re.compile(pattern).fullmatch

    def match(self, path: str) -> Optional[dict[str, str]]:
        """The named parts of a path; None if it is another one."""
        found = self._match(path)
        return None if found is None else found.groupdict()
