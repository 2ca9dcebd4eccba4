"""One request, by stage, beside a bare llama.cpp call with the same prompt and the same number of tokens.

    python benchmarks/oneshot.py [--model NAME] [--requests 12]

Needs `gorilla setup` for the model. Three parts, all in one run, so that a noisy machine is the same for all:

- cold: a new process without the KV state of the prefix on disk; warm: a new process with it (`gorilla --json`).
- loaded: requests one after the other in one process, against the high-level `llama_cpp.Llama` that evaluates the
  same prompts in the same order (it keeps the common prefix too) and then writes as many tokens greedily as
  gorilla's completions have together ("all tokens"), or as its first completion has ("first answer").
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time

from gorilla_cli import config
from gorilla_cli.cli import wiring
from gorilla_cli.pipeline import DocsGate
from gorilla_cli.types import Generation, Prompt, Request, Sampling

REQUESTS = [
    "list all hidden files in my home directory",
    "show the twenty largest directories below /opt",
    "count the lines of every python file here",
    "unpack site.zip into /srv/www",
    "which of my processes uses the most memory",
    "find symbolic links below /etc that point nowhere",
    "replace tabs by four spaces in notes.txt",
    "show the calendar of march 2027",
    "compare the files old.cfg and new.cfg side by side",
    "print line 40 to 60 of server.log",
    "show which branches of this repository are merged into main",
    "download https://example.org/data.json and show its keys",
]


class Recorder:
    """A backend that passes everything on and keeps what it saw, so that the bare call gets the same prompt."""

    def __init__(self, backend) -> None:
        self._backend = backend
        self.calls: list[tuple[Prompt, Generation]] = []

    @property
    def info(self):
        return self._backend.info

    def load(self) -> None:
        self._backend.load()

    def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        generation = self._backend.generate(prompt, sampling)
        self.calls.append((prompt, generation))
        return generation


class Bare:
    """The high-level llama.cpp binding with the same settings."""

    def __init__(self, path: str) -> None:
        import llama_cpp

        defaults = llama_cpp.llama_cpp.llama_model_default_params

        def params():
            chosen = defaults()
            chosen.use_extra_bufts = False  # as gorilla does; see llama_context.py
            return chosen

        llama_cpp.llama_cpp.llama_model_default_params = params
        self._llama = llama_cpp.Llama(
            path, n_ctx=4096, n_batch=128, n_threads=config.physical_cores(), verbose=False, logits_all=False
        )

    def seconds(self, prompt: Prompt, tokens: int) -> float:
        """Evaluate `prompt` (what it shares with the last one is kept) and write `tokens` tokens."""
        text = (prompt.prefix + prompt.rest).encode()
        ids = self._llama.tokenize(text, add_bos=False, special=True)
        started = time.perf_counter()
        for i, _ in enumerate(self._llama.generate(ids, temp=0.0, top_k=1), start=1):
            if i >= tokens:
                break
        return time.perf_counter() - started


def processes(model: str, requests: list[str]) -> None:
    """New processes: without and with the prefix file."""
    prefix = wiring.paths().cache / "prefix"
    for label, clear in (("cold", True), ("warm", False)):
        rows, walls = [], []
        for text in requests:
            if clear:
                shutil.rmtree(prefix, ignore_errors=True)
            started = time.perf_counter()
            answer = subprocess.run(
                [sys.executable, "-m", "gorilla_cli", "--json", "--model", model, "--", text],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                check=True,
            ).stdout
            walls.append((time.perf_counter() - started) * 1000)
            rows.append(json.loads(answer))
        stages = {name: statistics.median(row["timings_ms"][name] for row in rows) for name in rows[0]["timings_ms"]}
        shown = "  ".join(f"{name} {value:,.0f}" for name, value in stages.items())
        share = statistics.median(1 - row["tokens"]["cached"] / row["tokens"]["prompt"] for row in rows)
        print(f"{label}: process {statistics.median(walls):,.0f} ms | {shown} | prompt tokens evaluated {share:.0%}")


def loaded(model: str, requests: list[str]) -> None:
    """One process: gorilla and the bare call in turns."""
    from dataclasses import replace

    pipeline = wiring.pipeline(model, DocsGate(wiring.settings().docs))
    recorder = Recorder(pipeline.backend)
    pipeline = replace(pipeline, backend=recorder)
    bare = Bare(str(wiring.store().path(model)))
    ratios: dict[str, list[float]] = {"all tokens": [], "first answer": []}
    shares = []
    for i, text in enumerate(["warm up", *requests]):
        recorder.calls.clear()
        started = time.perf_counter()
        proposal = pipeline.propose(Request(text), Sampling(n=wiring.settings().candidates))
        ours = time.perf_counter() - started
        prompt, generation = recorder.calls[0]
        plain = bare.seconds(prompt, generation.usage.generated)
        # Again from the shared prefix only, for the first answer's tokens alone.
        bare.seconds(Prompt(prompt.prefix, "."), 1)
        first = bare.seconds(prompt, generation.completions[0].tokens)
        if i:
            ratios["all tokens"].append(ours / plain)
            ratios["first answer"].append(ours / first)
            shares.append(1 - proposal.usage.cached / proposal.usage.prompt)
    for name, values in ratios.items():
        print(f"loaded, whole answer / bare call, {name}: median x{statistics.median(values):.2f} (n = {len(values)})")
    print(f"loaded, prompt tokens evaluated: median {statistics.median(shares):.0%}, most {max(shares):.0%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=wiring.settings().model)
    parser.add_argument("--requests", type=int, default=len(REQUESTS))
    chosen = parser.parse_args()
    requests = REQUESTS[: chosen.requests]
    print(f"{chosen.model}, {len(requests)} requests, {config.physical_cores()} threads, medians")
    processes(chosen.model, requests)
    loaded(chosen.model, requests)


if __name__ == "__main__":
    main()
