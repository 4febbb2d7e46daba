"""Fuzz the parser and the session: ``python -m tests.fuzz --seconds 60``, in the repository's root.

With atheris (the extra ``fuzz``) the search is guided by coverage; without it the seeds are mutated by chance. An input
that breaks a promise is saved, its path is said, and the exit status is not 0. ``python -m tests.fuzz FILE...`` tries
saved inputs again.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from hashlib import sha1
from importlib.util import find_spec
from pathlib import Path
from random import Random

from .words import WORDS, mutate, seeds

LARGEST = 2048  # bytes of an input
LONGEST = 20  # seconds that one input may take


def main() -> int:
    """Read the command line and fuzz."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="how long to search (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the random numbers (default: the time)")
    parser.add_argument("--engine", choices=("atheris", "random"), help="default: atheris if it is installed")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), help="where inputs are saved")
    parser.add_argument("files", nargs="*", type=Path, help="inputs to try instead")
    options = parser.parse_args()
    if options.files:
        return try_files(options.files)
    options.findings.mkdir(parents=True, exist_ok=True)
    if (options.engine or ("atheris" if find_spec("atheris") else "random")) == "random":
        return by_chance(options.seconds, options.seed, options.findings)
    return by_coverage(options.seconds, options.seed, options.findings)


def try_files(files: list[Path]) -> int:
    """Give saved inputs to the target; a fault ends in its traceback."""
    from .target import check

    for file in files:
        print(file, flush=True)
        check(file.read_bytes())
    return 0


def by_chance(seconds: float, seed: int, findings: Path) -> int:
    """Try all seeds, then mutations of them."""
    from .target import check

    signal.signal(signal.SIGALRM, too_long)
    chance = Random(seed)
    population = seeds()
    waiting = list(reversed(population))
    tried, end = 0, time.monotonic() + seconds
    while waiting or time.monotonic() < end:
        data = waiting.pop() if waiting else mutate(chance.choice(population), LARGEST, chance)
        tried += 1
        try:
            signal.alarm(LONGEST)  # an endless loop is a finding as well: too_long() raises out of it
            check(data)
        except BaseException:
            path = findings / f"crash-{sha1(data).hexdigest()}"
            path.write_bytes(data)
            print(f"input number {tried} of seed {seed} broke a promise; it is saved as {path}", file=sys.stderr)
            raise
    remove_if_empty(findings)
    print(f"{tried} inputs tried by chance, with seed {seed}: every promise was kept")
    return 0


def too_long(number: int, frame: object) -> None:
    """The handler of SIGALRM."""
    raise TimeoutError(f"one input took more than {LONGEST} s")


def by_coverage(seconds: int, seed: int, findings: Path) -> int:
    """Let libFuzzer search, in a process of its own; it saves what breaks a promise and says where."""
    with tempfile.TemporaryDirectory() as directory:
        corpus, words = Path(directory) / "corpus", Path(directory) / "words"
        corpus.mkdir()
        for number, data in enumerate(seeds()):
            (corpus / str(number)).write_bytes(data)
        words.write_text("".join(f'"{escaped(word)}"\n' for word in sorted(set(WORDS)) if 0 < len(word) < 60))
        arguments = [f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={LARGEST}", f"-dict={words}"]
        arguments += [
            f"-artifact_prefix={findings}/",
            f"-timeout={LONGEST}",
            "-rss_limit_mb=1024",
            "-print_final_stats=1",
        ]
        command = [sys.executable, "-m", f"{__package__}.coverage", *arguments, str(corpus)]
        status = subprocess.run(command, check=False).returncode
    remove_if_empty(findings)
    return status


def remove_if_empty(findings: Path) -> None:
    """Leave no directory behind when nothing was found, now or before."""
    with suppress(OSError):
        findings.rmdir()


def escaped(word: bytes) -> str:
    """A word as libFuzzer's dictionaries have it."""
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    sys.exit(main())
