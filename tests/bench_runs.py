"""Runs as folders, written by hand: for the tests of what reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from gorilla_cli.bench.sampling import Manifest
from gorilla_cli.bench.tasks import Task

MANIFEST = Manifest(
    system="gorilla",
    model="small",
    model_sha256="ab" * 32,
    settings={"candidates": 3, "temperature": 0.7, "docs": "auto"},
    seed=0,
    commit="",
    version="1.0",
    split="dev",
    tasks_sha256="cd" * 32,
    started="2026-01-02T03:04:05+00:00",
    platform="Linux",
    llama_cpp="1",
)

# Three families, difficulties and tags, one of them without a task that is graded.
TASKS = [
    Task("a", "f", "request a", ("x", "y"), "finding", "easy", ("quoting",)),
    Task("b", "f", "request b", ("x", "y"), "finding", "hard", ("quoting", "rare")),
    Task("c", "f", "request c", ("x", "y"), "git", "easy"),
    Task("d", "f", "request d", ("x", "y"), "git", "medium"),
    Task("e", "f", "request e", ("x", "y"), "json", "medium", ("dangerous",)),
]


def row(id: str, **changes: object) -> dict:
    """A row of samples: one candidate without complaint, a second, 10 tokens of 90 evaluated."""
    plain = {
        "id": id,
        "request": f"request {id}",
        "candidates": ["true"],
        "unknown": [False],
        "unmarked": [False],
        "refused": False,
        "seconds": 1.0,
        "tokens": {"prompt": 100, "cached": 90, "generated": 7},
        "error": "",
    }
    return {**plain, **changes}


REFUSAL = {
    "candidates": [],
    "unknown": [],
    "unmarked": [],
    "refused": True,
    "tokens": {"prompt": 0, "cached": 0, "generated": 0},
}


def write_run(
    folder: Path, samples: Iterable[dict], right: Mapping[str, list[bool]] | None, manifest: Manifest = MANIFEST
) -> Path:
    """A run in `folder`; with `right` None it has not been graded."""
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(asdict(manifest)), encoding="utf-8")
    (folder / "samples.jsonl").write_text("".join(json.dumps(one) + "\n" for one in samples), encoding="utf-8")
    if right is not None:
        rows = [{"id": id, "right": flags, "outcome": []} for id, flags in right.items()]
        (folder / "results.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return folder
