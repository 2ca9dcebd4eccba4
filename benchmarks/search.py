"""Measures the index: build rate, a cold query in a fresh process, warm queries. Prints a table, asserts nothing.

    python benchmarks/search.py --docs 20000

The corpus is made up, seeded, and shaped like real documentation: words follow Zipf's law, a document has options and
examples, and one program in forty is in the catalogue.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Container, Iterator
from itertools import accumulate
from pathlib import Path

from gorilla_cli.retrieval.index import Index
from gorilla_cli.types import Doc, Example, Option

SYLLABLES = "ba co di fe gu ha jo ki lu me no pa qui ro sa te vu wo xi zy".split()
VOCABULARY = 12_000


class MadeUp:
    """`count` documents of one source."""

    def __init__(self, name: str, count: int, seed: int) -> None:
        self.name, self.count, self.seed = name, count, seed

    def ids(self) -> dict[str, str]:
        return {f"{self.name}:p{number}": "1" for number in range(self.count)}

    def docs(self, skip: Container[str] = ()) -> Iterator[Doc]:
        words = Words(self.seed)
        return (self._doc(number, words) for number in range(self.count))

    def _doc(self, number: int, words: Words) -> Doc:
        return Doc(
            id=f"{self.name}:p{number}",
            source=self.name,
            program=f"p{number}",
            title=f"p{number}(1)",
            summary=words.line(4, 14),
            keywords=tuple(words.line(0, 8).split()),
            options=tuple(Option((f"--{words.line(1, 1)}",), "", words.line(4, 20)) for _ in range(number % 12)),
            examples=tuple(Example(words.line(4, 10), words.line(2, 6)) for _ in range(number % 7)),
            body=words.line(20, 100),
            stamp="1",
        )


class Words:
    """Draws words of a made-up language by Zipf's law."""

    def __init__(self, seed: int) -> None:
        language = random.Random(0)
        self.vocabulary = ["".join(language.choices(SYLLABLES, k=2 + rank % 3)) for rank in range(VOCABULARY)]
        self.weights = list(accumulate(1 / (rank + 2.7) for rank in range(VOCABULARY)))
        self.rng = random.Random(seed)

    def line(self, least: int, most: int) -> str:
        return " ".join(self.rng.choices(self.vocabulary, cum_weights=self.weights, k=self.rng.randint(least, most)))


COLD = """
import json, resource, sys, time
from pathlib import Path
import numpy, rank_bm25, Stemmer, sqlite3
from gorilla_cli.retrieval import bm25
from gorilla_cli.retrieval.index import Index
def used():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1e3, usage.ru_maxrss / 1024
before = used()
Index(Path(sys.argv[1]), lambda program: True).search(sys.argv[2], 5)
print(json.dumps([now - then for now, then in zip(used(), before)]))
"""


def cold(path: Path, queries: list[str]) -> tuple[float, float]:
    """CPU milliseconds and MiB of one query in a fresh process, beyond the imports: the median and the largest."""
    commands = [[sys.executable, "-c", COLD, str(path), query] for query in queries]
    runs = [json.loads(subprocess.run(command, capture_output=True, check=True).stdout) for command in commands]
    return sorted(run[0] for run in runs)[len(runs) // 2], max(run[1] for run in runs)


def warm(path: Path, queries: list[str]) -> tuple[list[float], list[float]]:
    """Milliseconds of each query, sorted: by the clock on the wall, and of CPU, which other load does not stretch."""
    index = Index(path, lambda program: True)
    index.search(queries[0], 5)
    wall, cpu = [], []
    for query in queries:
        start = time.perf_counter(), time.process_time()
        index.search(query, 5)
        wall.append((time.perf_counter() - start[0]) * 1e3)
        cpu.append((time.process_time() - start[1]) * 1e3)
    index.close()
    return sorted(wall), sorted(cpu)


def percentiles(times: list[float]) -> str:
    return f"p50 {times[len(times) // 2]:.1f} ms, p95 {times[len(times) * 95 // 100]:.1f} ms, n={len(times)}"


def measure(path: Path, docs: int, queries: int) -> dict[str, str]:
    shipped = docs // 40
    start = time.perf_counter()
    Index.build(path, [MadeUp("catalogue", shipped, 1), MadeUp("man", docs - shipped, 2)])
    seconds = time.perf_counter() - start
    words = Words(3)
    asked = [words.line(4, 12) for _ in range(queries)]
    cpu, memory = cold(path, asked[:9])
    wall, busy = warm(path, asked)
    return {
        "documents": f"{docs}",
        "build": f"{docs / seconds:.0f} docs/s, {path.stat().st_size / 2**20:.0f} MiB on disk",
        "cold query": f"{cpu:.0f} ms CPU (median of 9), {memory:.1f} MiB (largest of 9), beyond the imports",
        "warm query": percentiles(wall),
        "of that CPU": percentiles(busy),
        "this process": f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB at most",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--docs", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=500)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, value in measure(Path(folder) / "index.db", chosen.docs, chosen.queries).items():
            print(f"{name:14}{value}")


if __name__ == "__main__":
    main()
