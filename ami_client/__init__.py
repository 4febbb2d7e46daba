"""A callback-style, event-loop client library for the Asterisk Manager Interface (AMI)."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from ._version import __version__ as __version__

if TYPE_CHECKING:
    from ._public import *  # noqa: F403
    from ._public import __all__ as __all__
else:  # where type checkers see it, any name would pass
    # Imported on first use: the command line, the catalogue and the plugin of pytest start without most of this.
    def __getattr__(name: str) -> object:
        package = vars(sys.modules[__name__])
        if not name.startswith("_") or name == "__all__":
            try:
                public = import_module("._public", __name__)
            except ImportError as error:  # most likely another distribution has overwritten a file of ours
                from ._clash import told

                if not told(error):
                    raise
                raise ImportError(told(error), name=error.name, path=error.path) from error
            package.update({one: getattr(public, one) for one in ("__all__", *public.__all__)})
        try:
            return package[name]  # a public name, or a module that is loaded now
        except KeyError:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None

    def __dir__() -> list[str]:
        return sorted({*globals(), *__getattr__("__all__")})
