"""Fixtures of the unit tests."""

from cli_pbx import ami, clean_environment, pbx
from commands import commands
from fake_network import either_way, network, peer
from high import high_sockets
from outage import daemon, highest, make_daemon
from posix_only import collect_ignore, pytest_collection_modifyitems
from programs import launcher

__all__ = [
    "ami",
    "clean_environment",
    "collect_ignore",
    "commands",
    "daemon",
    "either_way",
    "high_sockets",
    "highest",
    "launcher",
    "make_daemon",
    "network",
    "pbx",
    "peer",
    "pytest_collection_modifyitems",
]
