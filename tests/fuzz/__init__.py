"""Fuzzing of the parser and the session: ``python -m tests.fuzz --seconds 60`` in the repository's root."""
