"""Start-up of `gorilla --version` and `--help` beside an empty click program, in one run, taking turns.

    python benchmarks/startup.py [--runs 20]

Prints CPU milliseconds (user + system, of the whole process) as min / median, and the ratio of the medians.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys

EMPTY = "import click\n@click.command()\ndef main(): 'Nothing.'\nmain()"
PROGRAMS = {
    "empty click --help": [sys.executable, "-c", EMPTY, "--help"],
    "gorilla --help": [sys.executable, "-m", "gorilla_cli", "--help"],
    "gorilla --version": [sys.executable, "-m", "gorilla_cli", "--version"],
}


def cpu_ms(argv: list[str]) -> float:
    """CPU time of one run, in milliseconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    times: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(runs + 1):
        for name, argv in PROGRAMS.items():
            times[name].append(cpu_ms(argv))
    base = statistics.median(times["empty click --help"][1:])
    print(f"CPU ms of the whole process, n = {runs}, one warm-up")
    for name, values in times.items():
        middle = statistics.median(values[1:])
        print(f"{name:<20} min {min(values[1:]):6.1f}  median {middle:6.1f}  x{middle / base:.2f}")


if __name__ == "__main__":
    main()
