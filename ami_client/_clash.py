"""Another distribution that installs a package ``ami_client`` too: which, and what to do about it.

Two of one name write over each other's files. Nothing here runs before something is amiss: an import that fails, or
somebody who asks for the version.
"""

from __future__ import annotations

import re

_OURS = "ami-client"


def others() -> list[str]:
    """The distributions, but for ours, that have files in a package or a module ``ami_client``."""
    from importlib import metadata  # a slow import

    found = set()
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"] or ""
        files = distribution.read_text("RECORD") or distribution.read_text("SOURCES.txt") or ""
        if re.search(r"^ami_client[/.]", files, re.MULTILINE) and re.sub("[-_.]+", "-", name).lower() != _OURS:
            found.add(name)
    return sorted(found)


def advice(names: list[str]) -> str:
    """What is wrong and what to do, in one line; ``names`` may be empty."""
    if names:
        text, remove = f"{' and '.join(names)} installs a package ami_client too", f"uninstall {' '.join(names)}"
        return f"{text}, and spoils this one: pip {remove}, then pip install --force-reinstall {_OURS}"
    return (
        f"the package ami_client is not whole, or another one of that name hides parts of it: pip install "
        f"--force-reinstall {_OURS}"
    )


def told(error: ImportError) -> str:
    """The error with the advice, if it was a file of ours that could not be imported; else ``""``."""
    is_ours = (error.name or "").partition(".")[0] == "ami_client"
    return f"{error}; {advice(others())}" if is_ours else ""
