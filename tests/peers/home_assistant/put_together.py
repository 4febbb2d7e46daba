"""Puts the integration of the examples together, as its page says: ``put_together.py FOLDER``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def put_together(configuration: Path) -> Path:
    """The integration's folder, in the folder of a configuration."""
    folder = configuration / "custom_components" / "asterisk_ami"
    shutil.copytree(EXAMPLES / "custom_components" / "asterisk_ami", folder, dirs_exist_ok=True)
    shutil.copy(EXAMPLES / "home_assistant.py", folder)
    return folder


if __name__ == "__main__":
    put_together(Path(sys.argv[1]))
