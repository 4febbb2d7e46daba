"""Makes of the one address in setup.cfg the project's other addresses, and the links of its long description."""

import re
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parent


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def project_urls(address, version):
    """Where an index page leads to; the pages and the changes are those of this version."""
    return {
        "Source": address,
        "Documentation": f"{address}/tree/v{version}/docs",
        "Changelog": f"{address}/blob/v{version}/CHANGELOG.md",
        "Issues": f"{address}/issues",
    }


def absolute(text, address, version):
    """The text of a page with its relative links, which lead nowhere on an index page, into the repository."""
    text = re.sub(r"!\[([^\]]*)\]\((?!https?:)", rf"![\1]({address}/raw/v{version}/", text)
    return re.sub(r"(?<!!)\[([^\]]*)\]\((?!https?:|#)", rf"[\1]({address}/blob/v{version}/", text)


if __name__ == "__main__":
    from setuptools import setup

    config = ConfigParser()
    config.read_string(read("setup.cfg"))
    address = config["publishing"]["repository"]
    (version,) = re.findall('__version__ = "(.*)"', read("ami_client/_version.py"))
    setup(
        project_urls=project_urls(address, version) if address else {},
        long_description=absolute(read("README.md"), address, version) if address else read("README.md"),
        long_description_content_type="text/markdown",
    )
