"""``python -m ami_client``: the command ``ami-client``, and :mod:`ami_client.demo` without what that needs."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
