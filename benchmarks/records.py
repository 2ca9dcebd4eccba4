"""Measures the index of API records: build, file, search by words and by both, memory. Prints a table, asserts nothing.

    python benchmarks/records.py --docs 1000000

The records are made up, seeded, and shaped like real ones: words follow Zipf's law, one record in fifty has requests.
Searches run in a process of their own, whose memory is measured; every query is asked once.
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
from collections.abc import Container, Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np

from gorilla_cli.retrieval.records import RecordIndex
from gorilla_cli.types import ApiRecord, RecordHit

SYLLABLES = "ba co di fe gu ha jo ki lu me no pa qui ro sa te vu wo xi zy".split()
VOCABULARY = 40_000
DOMAINS, FRAMEWORKS = 40, 6
NAME = "records:made"


class Words:
    """Draws words of a made-up language by Zipf's law."""

    def __init__(self, seed: int) -> None:
        language = random.Random(0)
        self.vocabulary = ["".join(language.choices(SYLLABLES, k=2 + rank % 4)) for rank in range(VOCABULARY)]
        self.weights = list(accumulate(1 / (rank + 2.7) for rank in range(VOCABULARY)))
        self.rng = random.Random(seed)

    def line(self, least: int, most: int) -> str:
        return " ".join(self.rng.choices(self.vocabulary, cum_weights=self.weights, k=self.rng.randint(least, most)))


class MadeUp:
    """`count` records, made as they are read."""

    def __init__(self, count: int) -> None:
        self.name, self.count = NAME, count

    def ids(self) -> dict[str, str]:
        return {f"{NAME}:{_call(number)}": "1" for number in range(self.count)}

    def records(self, skip: Container[str] = ()) -> Iterator[ApiRecord]:
        words = Words(1)
        return (_record(number, words) for number in range(self.count))


def _call(number: int) -> str:
    return f"load('org{number % 5000}/model-{number:x}')"


def _record(number: int, words: Words) -> ApiRecord:
    return ApiRecord(
        id=f"{NAME}:{_call(number)}",
        source=NAME,
        domain=words.vocabulary[number % DOMAINS],
        framework=words.vocabulary[100 + number % FRAMEWORKS],
        functionality=words.line(2, 5),
        api_name=f"org{number % 5000}/model-{number:x}",
        api_call=_call(number),
        description=words.line(10, 40),
        requests=tuple(words.line(6, 14) for _ in range(10)) if number % 50 == 0 else (),
        stamp="1",
    )


class RandomVectors:
    """256 dimensions by chance, the same for the same text: as much work for the index as meaning would be."""

    name, dimensions = "random-256", 256

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        seed = [ord(char) for char in texts[0][:60]] + [len(texts)] if texts else [0]
        rows = np.random.default_rng(seed).standard_normal((len(texts), self.dimensions), dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def build(path: Path, docs: int) -> None:
    """In a process of its own: the record source and its memory are not those of a search."""
    start = time.perf_counter()
    RecordIndex(path, RandomVectors()).sync(MadeUp(docs))
    print(json.dumps({"seconds": time.perf_counter() - start, "peak_mb": _peak_mb()}))


def search(path: Path, queries: int, mode: str) -> None:
    words = Words(3)
    asked = [words.line(4, 12) for _ in range(queries)]
    index, wall, cpu = RecordIndex(path, RandomVectors()), [], []
    for query in asked:
        start = time.perf_counter(), time.process_time()
        hits: list[RecordHit] = index.search(query, 10, mode)
        wall.append((time.perf_counter() - start[0]) * 1e3)
        cpu.append((time.process_time() - start[1]) * 1e3)
    assert hits
    print(json.dumps({"first": wall[0], "wall": sorted(wall[1:]), "cpu": sorted(cpu[1:]), "peak_mb": _peak_mb()}))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _child(*words: object) -> dict:
    command = [sys.executable, __file__, *map(str, words)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def measure(path: Path, docs: int, queries: int) -> Iterator[tuple[str, str]]:
    yield "records", f"{docs}"
    built = _child("--build", path, "--docs", docs)
    yield "build", f"{built['seconds']:.0f} s ({docs / built['seconds']:.0f}/s), {built['peak_mb']:.0f} MB at most"
    yield "file", f"{path.stat().st_size / 1e6:.0f} MB"
    for mode in ("bm25", "dense", "fused"):
        found = _child("--search", path, "--mode", mode, "--queries", queries)
        rest = f"first {found['first']:.0f} ms; {found['peak_mb']:.0f} MB at most"
        yield f"search {mode}", f"{_percentiles(found['wall'])}, {rest}"
        yield "of that CPU", _percentiles(found["cpu"])


def _percentiles(times: list[float]) -> str:
    at = {share: times[min(len(times) - 1, len(times) * share // 100)] for share in (50, 95, 100)}
    return f"p50 {at[50]:.1f} ms, p95 {at[95]:.1f} ms, most {at[100]:.0f} ms, n={len(times)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--docs", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=301)
    parser.add_argument("--folder", help="where the file is written; default: a temporary folder")
    parser.add_argument("--build", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--search", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--mode", default="fused", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.build:
        build(chosen.build, chosen.docs)
    elif chosen.search:
        search(chosen.search, chosen.queries, chosen.mode)
    else:
        with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
            for name, value in measure(Path(folder) / "records.db", chosen.docs, chosen.queries):
                print(f"{name:14}{value}", flush=True)


if __name__ == "__main__":
    main()
