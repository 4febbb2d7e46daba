"""What atheris runs: the arguments are libFuzzer's, and libFuzzer ends the process."""

from __future__ import annotations

import sys
from random import Random

import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]  # it is not there on every Python

from .words import mutate

with atheris.instrument_imports(include=["ami_client"]):
    from .target import check


def mutator(data: bytes, max_size: int, seed: int) -> bytes:
    """Half of the changes are those of libFuzzer, and half know the protocol."""
    chance = Random(seed)
    if chance.random() < 0.5:
        return bytes(atheris.Mutate(data, max_size))
    return mutate(data, max_size, chance)


if __name__ == "__main__":
    atheris.Setup(sys.argv, check, custom_mutator=mutator)
    atheris.Fuzz()
