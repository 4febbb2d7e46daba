"""Fixtures of the terminal tests."""

from tmux import pbx, terminal

__all__ = ["pbx", "terminal"]
