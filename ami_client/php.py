"""PHP names: every public method also has its phpDaemon name.

``conn.getSipPeers(cb)`` is ``conn.get_sip_peers(cb)``, so ported code can keep its names. Type checkers know only the
Python names.
"""

from __future__ import annotations

import re
from typing import Optional

# phpDaemon names that are not the camel case of our names.
OTHER_NAMES = {
    "addEventHandler": "bind",
    "removeEventHandler": "unbind",
    "getConfigJSON": "get_config_json",
}


class _Alias:
    """Looks up the Python name at each access, so subclasses can override the method."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: Optional[object], owner: type[object]) -> object:
        return getattr(owner if instance is None else instance, self._name)


class PHPNames:
    """Gives each subclass the PHP names of all its public methods, including inherited ones."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # hasattr and getattr would run descriptors.
        defined = {name: value for base in reversed(cls.__mro__) for name, value in vars(base).items()}
        others = (property, _Alias)
        methods = [name for name, one in defined.items() if name[0] != "_" and not isinstance(one, others)]
        names = {camel_case(name): name for name in methods}
        names.update({php: name for php, name in OTHER_NAMES.items() if name in methods})
        for php, name in names.items():
            if defined.get(php) is None:
                setattr(cls, php, _Alias(name))


def camel_case(name: str) -> str:
    """Convert ``get_sip_peers`` to ``getSipPeers``."""
    return re.sub(r"_([a-z])", lambda match: match.group(1).upper(), name)
