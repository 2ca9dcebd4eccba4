"""Measures the sentence encoder: loading, one query, 1,000 records, memory, and how often it finds the right call.

    python benchmarks/encoder.py --records 200 --data ../shared/data/apibench

Wall time and processor time differ on a busy machine, so both are printed. Without the folder of records and requests
only the times are measured. Prints, asserts nothing.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from gorilla_cli import config
from gorilla_cli.backends.encoder import LlamaEncoder
from gorilla_cli.backends.store import ModelStore
from gorilla_cli.protocols import Encoder

NAME = "all-minilm-l6-v2"
HUBS = ("torchhub", "huggingface", "tensorflowhub")
DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "apibench"
FIELDS = ("domain", "functionality", "api_name", "description")
QUERY = "find the emotion in the reviews of customers"
DEPTHS = (1, 5, 10)


def main() -> None:
    options = _arguments().parse_args()
    store = ModelStore(config.paths().models)
    encoder = LlamaEncoder(store.path(NAME, kind="encoder"), store.info(NAME).sha256, options.threads)
    wall, cpu = timed(lambda: encoder.encode([QUERY]))
    print(f"load and first query   {wall * 1000:8.1f} ms wall {cpu * 1000:8.1f} ms cpu")
    queries = [timed(lambda: encoder.encode([QUERY])) for _ in range(50)]
    middle = [statistics.median(each) * 1000 for each in zip(*queries, strict=True)]
    print(f"one query, median      {middle[0]:8.1f} ms wall {middle[1]:8.1f} ms cpu  n=50")
    if not options.data.is_dir():
        print(f"no records under {options.data}: nothing found in them")
        return
    records = [text for hub in HUBS for text in records_of(options.data, hub).values()][: options.records]
    wall, cpu = timed(lambda: encoder.encode(records))
    share = 1000 / len(records)
    print(f"per 1,000 records      {wall * share:8.1f} s  wall {cpu * share:8.1f} s  cpu  n={len(records)}")
    for hub in options.hubs:
        print(found_line(encoder, options.data, hub))
    print(f"largest resident size  {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8.1f} MB")


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=200, help="how many records to encode for the rate")
    parser.add_argument("--threads", type=int, default=config.physical_cores())
    parser.add_argument("--data", type=Path, default=DATA, help="folder with HUB_api.jsonl and HUB_dev.jsonl")
    parser.add_argument("--hubs", nargs="*", default=HUBS, help="where to look for the right call")
    return parser


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock and on the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def records_of(folder: Path, hub: str) -> dict[str, str]:
    """Call -> the words of its first record."""
    found: dict[str, str] = {}
    for row in _rows(folder / f"{hub}_api.jsonl"):
        text = ". ".join(str(row[field]) for field in FIELDS if row.get(field))
        found.setdefault(_one_spaced(row["api_call"]), text)
    return found


def found_line(encoder: Encoder, folder: Path, hub: str) -> str:
    """How often the exact call is among the first 1, 5 and 10."""
    records, requests = records_of(folder, hub), _rows(folder / f"{hub}_dev.jsonl")
    scores = encoder.encode([row["instruction"] for row in requests]) @ encoder.encode(list(records.values())).T
    calls = np.array(list(records))[np.argsort(-scores, axis=1, kind="stable")]
    wanted = np.array([_one_spaced(row["api_call"]) for row in requests])
    shares = [(calls[:, :depth] == wanted[:, None]).any(axis=1).mean() for depth in DEPTHS]
    shown = "  ".join(f"@{depth} {share:.3f}" for depth, share in zip(DEPTHS, shares, strict=True))
    return f"{hub:<22} {shown}  n={len(requests)}, {len(records)} calls"


def _rows(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _one_spaced(call: str) -> str:
    return " ".join(str(call).split())


if __name__ == "__main__":
    main()
