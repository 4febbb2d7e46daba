"""``python -m ami_client``: the command ``ami-client``. Without its extra, only :mod:`ami_client.demo`."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
