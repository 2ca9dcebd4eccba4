"""The numbers of a run: accuracy by kind of task, unknown options, refusals, time and tokens. Pure but for `read_run`.

It judges nothing and asks nothing: a run is a folder with samples, results and manifest.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

from gorilla_cli.bench.sampling import Id, Manifest, Row, read_manifest, rows_of
from gorilla_cli.bench.statistics import wilson
from gorilla_cli.bench.tasks import DIFFICULTIES, FAMILIES, TAGS, Task
from gorilla_cli.errors import UsageError
from gorilla_cli.sanitise import one_line

TOLD = ("candidates", "temperature", "docs")  # of the settings; the manifest has all
MANIFEST, SAMPLES, RESULTS = "manifest.json", "samples.jsonl", "results.jsonl"


@dataclass(frozen=True)
class Run:
    """A folder read: rows by id. `right` is empty when the run has not been graded."""

    name: str
    manifest: Manifest
    samples: dict[Id, Row]
    right: dict[Id, list[bool]]

    def graded(self) -> Run:
        """Itself. Raises UsageError when there are no results."""
        if not self.right:
            raise UsageError(f"{self.name} has no results", f"run: gorilla bench grade {self.name}")
        return self


def read_run(folder: Path) -> Run:
    """The run in `folder`. Raises UsageError when a file is missing or damaged."""
    manifest = read_manifest(folder / MANIFEST)
    samples = {row["id"]: row for row in rows_of(folder / SAMPLES)}
    results = folder / RESULTS
    right = {row["id"]: row["right"] for row in rows_of(results)} if results.exists() else {}
    return Run(str(folder), manifest, samples, right)


@dataclass(frozen=True)
class Share:
    """`count` of `n`, with the 95 % Wilson interval."""

    count: int
    n: int

    @property
    def value(self) -> float:
        return self.count / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.count, self.n)

    def __str__(self) -> str:
        if not self.n:
            return "none"
        low, high = self.interval
        return f"{100 * self.value:5.1f} % ({100 * low:.1f} to {100 * high:.1f}; {self.count}/{self.n})"

    def numbers(self) -> dict[str, Any]:
        """For JSON: counts, value, interval."""
        return {"count": self.count, "n": self.n, "value": self.value, "interval": list(self.interval)}


@dataclass(frozen=True)
class Accuracy:
    """Of some tasks: the first candidate is right; any candidate is right."""

    first: Share
    best: Share


@dataclass(frozen=True)
class Report:
    """All numbers of a run. `by` maps "family", "difficulty" and "tag" to accuracies by name.

    Seconds are of the answerable tasks; tokens are medians over the answers that had any: evaluated are those of the
    prompt that no kept state covered.
    """

    name: str
    manifest: Manifest
    every: Accuracy
    by: dict[str, dict[str, Accuracy]]
    skipped: tuple[str, ...]
    unasked: int
    errors: int
    unknown: Share
    unmarked: Share
    unknown_first: Share
    unmarked_first: Share
    refused: Share
    refused_unanswerable: Share
    median_seconds: float
    p90_seconds: float
    tokens: dict[str, float] = field(default_factory=dict)


def report(run: Run, tasks: Sequence[Task], unanswerable: Iterable[str]) -> Report:
    """The numbers of `run`, which must have been graded. Raises UsageError when it has not."""
    run = run.graded()
    graded = [task for task in tasks if task.id in run.right and task.id in run.samples]
    asked = [run.samples[task.id] for task in tasks if task.id in run.samples]
    outside = [run.samples[id] for id in unanswerable if id in run.samples]
    flags = _option_flags(asked)
    return Report(
        name=run.name,
        manifest=run.manifest,
        every=_accuracy(run, graded),
        by=_groups(run, graded),
        skipped=tuple(task.id for task in tasks if task.id in run.samples and task.id not in run.right),
        unasked=sum(task.id not in run.samples for task in tasks),
        errors=sum(bool(row["error"]) for row in (*asked, *outside)),
        **flags,
        refused=_share(asked, _refused),
        refused_unanswerable=_share(outside, _refused),
        median_seconds=statistics.median([row["seconds"] for row in asked] or [0.0]),
        p90_seconds=percentile([row["seconds"] for row in asked], 0.9),
        tokens=_tokens(asked),
    )


def _refused(row: Row) -> bool:
    return row["refused"]


def _share(rows: Sequence[Row], holds: Callable[[Row], bool]) -> Share:
    return Share(sum(map(bool, map(holds, rows))), len(rows))


def _accuracy(run: Run, tasks: Sequence[Task]) -> Accuracy:
    rights = [run.right[task.id] for task in tasks]
    first, best = sum(right[:1] == [True] for right in rights), sum(any(right) for right in rights)
    return Accuracy(Share(first, len(rights)), Share(best, len(rights)))


def _groups(run: Run, tasks: Sequence[Task]) -> dict[str, dict[str, Accuracy]]:
    """Kinds with no task in them are left out."""
    kinds = {
        "family": {name: [task for task in tasks if task.family == name] for name in FAMILIES},
        "difficulty": {name: [task for task in tasks if task.difficulty == name] for name in DIFFICULTIES},
        "tag": {name: [task for task in tasks if name in task.tags] for name in TAGS},
    }
    return {
        kind: {name: _accuracy(run, members) for name, members in groups.items() if members}
        for kind, groups in kinds.items()
    }


def _option_flags(rows: Sequence[Row]) -> dict[str, Share]:
    """Shares of the candidates shown, and of the first ones; rows that were not counted are left out."""
    counted = [row for row in rows if len(row["unknown"]) == len(row["candidates"])]
    found = {}
    for name in ("unknown", "unmarked"):
        flags = [flag for row in counted for flag in row[name]]
        firsts = [row[name][0] for row in counted if row[name]]
        found[name], found[f"{name}_first"] = Share(sum(flags), len(flags)), Share(sum(firsts), len(firsts))
    return found


def _tokens(rows: Sequence[Row]) -> dict[str, float]:
    counts = [row["tokens"] for row in rows if row["tokens"]["generated"]]
    if not counts:
        return {}
    return {
        "evaluated": statistics.median(count["prompt"] - count["cached"] for count in counts),
        "generated": statistics.median(count["generated"] for count in counts),
    }


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed; 0 of nothing."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else 0.0


# ---------------------------------------------------------------- as text and JSON


def run_label(manifest: Manifest) -> str:
    """The system and its model: "gorilla qwen2.5-coder-1.5b"."""
    return one_line(f"{manifest.system} {manifest.model}".strip())


def described(manifest: Manifest) -> str:
    """What was measured, in one line."""
    settings = ", ".join(f"{name} {manifest.settings[name]}" for name in TOLD if name in manifest.settings)
    parts = [run_label(manifest), f"split {manifest.split}", settings, f"seed {manifest.seed}"]
    parts += [f"commit {manifest.commit[:12]}"] if manifest.commit else [f"version {manifest.version}"]
    return one_line(", ".join(part for part in parts if part))


def best_of(found: Report) -> str:
    """The name of the second accuracy: how many candidates there could be."""
    n = found.manifest.settings.get("candidates")
    return f"best of {n}" if n else "any candidate"


def text_of(found: Report) -> str:
    """The report for people."""
    lines = [described(found.manifest), _counts(found), "", f"{'':14}{'candidate 1':36}{best_of(found)}"]
    lines.append(_line("all", found.every))
    for kind, groups in found.by.items():
        lines += [kind, *(_line(f"  {name}", accuracy) for name, accuracy in groups.items())]
    return "\n".join([*lines, "", *_facts(found)])


def _counts(found: Report) -> str:
    text = f"{found.every.first.n} tasks graded, {len(found.skipped)} skipped, {found.refused_unanswerable.n} requests"
    text += f" without an answer; started {found.manifest.started}"
    text += f"; {found.unasked} tasks of the split not asked" if found.unasked else ""
    return text + (f"; {found.errors} errors" if found.errors else "")


def _line(name: str, accuracy: Accuracy) -> str:
    return f"{name:14}{str(accuracy.first):36}{accuracy.best}"


def _facts(found: Report) -> list[str]:
    rows = [
        ("unknown option, candidate 1", found.unknown_first),
        ("  and no finding says so", found.unmarked_first),
        ("unknown option, any candidate", found.unknown),
        ("  and no finding says so", found.unmarked),
        ("refused, answerable", found.refused),
        ("refused, unanswerable", found.refused_unanswerable),
        ("seconds", f"median {found.median_seconds:.2f}, p90 {found.p90_seconds:.2f}"),
    ]
    if found.tokens:
        evaluated, generated = found.tokens["evaluated"], found.tokens["generated"]
        rows.append(("tokens, median", f"{evaluated:g} evaluated beyond the kept prefix, {generated:g} generated"))
    if found.skipped:
        rows.append(("skipped", ", ".join(found.skipped)))
    return [f"{name:32}{value}" for name, value in rows]


def log_line(found: Report) -> str:
    """One line for a log of experiments, with the date of the run."""
    return (
        f"{found.manifest.started[:10]} gorilla bench, {described(found.manifest)}: "
        f"candidate 1 {str(found.every.first).strip()}, {best_of(found)} {str(found.every.best).strip()}; "
        f"unknown options in candidate 1 {found.unknown_first.count}/{found.unknown_first.n}, "
        f"unmarked {found.unmarked_first.count}; "
        f"refused {found.refused.count}/{found.refused.n} answerable, "
        f"{found.refused_unanswerable.count}/{found.refused_unanswerable.n} unanswerable; "
        f"seconds median {found.median_seconds:.2f}, p90 {found.p90_seconds:.2f}; "
        f"skipped {len(found.skipped)}; tasks {found.manifest.tasks_sha256[:12]}"
    )


def numbers(found: Report) -> dict[str, Any]:
    """The report as a JSON document."""
    shares = ("unknown", "unmarked", "unknown_first", "unmarked_first", "refused", "refused_unanswerable")
    return {
        "run": found.name,
        "manifest": asdict(found.manifest),
        "all": _both(found.every),
        "by": {kind: {name: _both(accuracy) for name, accuracy in groups.items()} for kind, groups in found.by.items()},
        **{name: getattr(found, name).numbers() for name in shares},
        "seconds": {"median": found.median_seconds, "p90": found.p90_seconds},
        "tokens": found.tokens,
        "skipped": list(found.skipped),
        "unasked": found.unasked,
        "errors": found.errors,
    }


def _both(accuracy: Accuracy) -> dict[str, Any]:
    return {"first": accuracy.first.numbers(), "best": accuracy.best.numbers()}
