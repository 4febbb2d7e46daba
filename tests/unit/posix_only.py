"""The tests that Windows cannot run: they fork, pass descriptors, send signals, or use unix sockets and modes of files.

What is Linux' own (``/dev/full``, access control lists) stays away on macOS as well. All others are the core, which
``.github/workflows/systems.yml`` runs on Windows and macOS; like_windows.py is the next best.
"""

from __future__ import annotations

import os
import sys

import pytest

FILES = """
    test_benchmarks test_cli_agi test_cli_signals test_cli_wallboard test_docs test_examples test_forks
    test_platforms test_pytest_plugin test_reactor_system
"""
LINUX_FILES = "test_cli_processes test_cli_settings"
TESTS = """
    test_a_forked_child_is_refused
    test_a_forked_child_is_told_that_the_client_is_not_its
    test_a_forked_child_waits_for_no_thread_of_its_parent
    test_a_recording_into_a_device_leaves_it_what_it_is
    test_a_signal_ends_a_gateway
    test_closing_closes_the_selector_and_drops_what_is_scheduled
    test_forward_until_it_is_told_to_end
    test_nobody_listens
    test_nor_for_a_lock_that_a_thread_held_at_the_fork
    test_programs_use_the_library_that_the_tests_use
    test_the_port_and_the_peer
    test_what_cannot_be_called_is_refused_at_once
    test_who_listens_is_reached_under_any_name
"""
WORDS = ("unix", "top needs a terminal")  # of a test's parameters or its name
IS_POSIX = hasattr(os, "fork")

_left_out = ("" if IS_POSIX else FILES) + ("" if IS_POSIX and sys.platform == "linux" else LINUX_FILES)
collect_ignore = [f"{name}.py" for name in _left_out.split()]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if IS_POSIX:
        return
    names = set(TESTS.split())
    for item in items:
        if any(word in item.name for word in WORDS) or item.name.partition("[")[0] in names:
            item.add_marker(pytest.mark.skip(reason="needs a POSIX system"))
