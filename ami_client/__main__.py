"""``python -m ami_client``: see :mod:`ami_client.demo`."""

from __future__ import annotations

import sys

from .demo import main

if __name__ == "__main__":
    sys.exit(main())
