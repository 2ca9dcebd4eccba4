"""Does documentation in the prompt help? Measures it by running what the model wrote, on our own list of requests.

    python benchmarks/docs_gate.py --gold                                   checks the list and the judge, no model
    python benchmarks/docs_gate.py --generate off.jsonl --docs off          writes samples, runs nothing
    python benchmarks/docs_gate.py --generate on.jsonl --docs on
    python benchmarks/docs_gate.py --grade on.jsonl                         runs the samples, writes on.grades.jsonl
    python benchmarks/docs_gate.py --compare off.jsonl on.jsonl             paired; and by the score of the first hit

A candidate is right when it prints and changes what one of the two gold commands does, each in a fresh copy of the
request's folder (see effects.py). Not part of the product: nothing imports it.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.effects import Effect, NoSandbox, effect, fixture, need_sandbox  # noqa: E402

DATA = Path(__file__).parent.parent / "tests" / "data"
TASKS = DATA / "requests_dev.toml"
FIXTURES = DATA / "fixtures"
FIRST = 3  # candidates a person sees
OTHERS = 10  # gold commands of other tasks that each task is tried with in the self-check
WORKERS = 2


@dataclass(frozen=True)
class Task:
    """One request with two gold commands. The fields are described at the top of requests_dev.toml."""

    id: str
    fixture: str
    request: str
    gold: tuple[str, str]
    family: str
    tags: tuple[str, ...] = ()
    unordered: bool = False
    blanks: str = ""
    output: bool = True


def tasks(path: Path = TASKS) -> list[Task]:
    """All tasks of the list."""
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["request"]
    return [Task(**{**row, "gold": tuple(c.strip() for c in row["gold"]), "tags": tuple(row["tags"])}) for row in rows]


# ---------------------------------------------------------------- judging


def lines_of(task: Task, printed: bytes) -> list[bytes]:
    """What was printed as lines to compare: no blanks at the ends, no "./" before a path, the task's freedoms taken."""
    lines = [re.sub(rb"(^|\s)\./(?=.)", rb"\1", line.rstrip()) for line in printed.rstrip().split(b"\n")]
    if task.blanks == "free":
        lines = [b" ".join(line.split()) for line in lines]
    return sorted(lines) if task.unordered else lines


def same(task: Task, got: Effect, wanted: Effect) -> bool:
    """Did the run do what the other did? One that ran out of time did not."""
    if got.timed_out or got.changed != wanted.changed or got.repository != wanted.repository:
        return False
    return not task.output or lines_of(task, got.printed) == lines_of(task, wanted.printed)


class Judge:
    """Runs commands on copies of the fixtures, which are made once, in `folder`."""

    def __init__(self, folder: Path) -> None:
        need_sandbox()
        self.folders = {script.stem: fixture(script, folder / script.stem) for script in sorted(FIXTURES.glob("*.sh"))}
        self.wanted = cache(self._wanted)

    def run(self, task: Task, command: str) -> Effect:
        return effect(command, self.folders[task.fixture])

    def _wanted(self, task: Task) -> tuple[Effect, ...]:
        return tuple(self.run(task, command) for command in task.gold)

    def right(self, task: Task, command: str) -> bool:
        """Does `command` do what either gold command does?"""
        got = self.run(task, command)
        return any(same(task, got, wanted) for wanted in self.wanted(task))


def in_parallel(work: Callable, items: Iterable) -> list:
    """`work` of each item, in order; the waiting is on other processes."""
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(work, items))


def with_judge(work: Callable[[Judge], None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        work(Judge(Path(folder)))


def check_gold(judge: Judge) -> None:
    """Is the judge strict and fair? Gold A must pass for gold B, gold of other tasks must not pass."""
    every = tasks()
    agree = in_parallel(lambda task: same(task, *judge.wanted(task)), every)
    idle = [task.id for task in every if _does_nothing(task, judge)]
    pairs = [(task, other) for task in every for other in others(task, every)]
    passes = in_parallel(lambda pair: judge.right(pair[0], pair[1].gold[0]), pairs)
    wrong = [f"{task.id} passes with: {other.gold[0]}" for (task, other), bad in zip(pairs, passes, strict=True) if bad]
    print(f"gold A does what gold B does: {proportion(sum(agree), len(agree))}")
    print(f"gold of another task of the same folder passes: {proportion(len(wrong), len(pairs))}")
    for line in [task.id for task, passed in zip(every, agree, strict=True) if not passed] + idle + wrong:
        print(f"  {line}")


def _does_nothing(task: Task, judge: Judge) -> bool:
    """A task that an empty command would solve measures nothing."""
    return judge.right(task, ":")


def others(task: Task, every: Sequence[Task]) -> list[Task]:
    """Tasks of the same fixture, drawn by a seed of the task's own."""
    neighbours = [other for other in every if other.fixture == task.fixture and other.id != task.id]
    return random.Random(task.id).sample(neighbours, min(OTHERS, len(neighbours)))


# ---------------------------------------------------------------- samples


def generate(out: Path, docs: str, threshold: float | None, model: str, chosen: Sequence[Task]) -> None:
    """One row per task: the candidates in rank order, what was retrieved, times and tokens. Runs no candidate.

    A run that was interrupted goes on where it stopped.
    """
    from gorilla_cli.cli import wiring
    from gorilla_cli.pipeline import DocsGate

    gate = DocsGate(docs) if threshold is None else DocsGate(docs, threshold)
    origin = {"model": model, "gate": asdict(gate)}
    done = already(out, origin)
    pipeline = wiring.pipeline(model, gate)
    with open(out, "a", encoding="utf-8") as stream:
        for number, task in enumerate(chosen, 1):
            if task.id in done:
                continue
            row = {"id": task.id, **origin, **_sample(pipeline, task)}
            stream.write(json.dumps(row) + "\n")
            stream.flush()
            print(f"{number}/{len(chosen)} {task.id}: {(row['candidates'] or ['-'])[0]}", file=sys.stderr)


def already(out: Path, origin: dict) -> set[str]:
    """The tasks that an interrupted run has written to `out`. Raises SystemExit when it was another kind of run."""
    rows = rows_of(out) if out.exists() else []
    if any({key: row[key] for key in origin} != origin for row in rows):
        sys.exit(f"docs_gate: {out} has samples of another model or gate; give another name or remove it")
    return {row["id"] for row in rows}


def _sample(pipeline, task: Task) -> dict:
    from gorilla_cli.cli import wiring
    from gorilla_cli.errors import NoCandidate
    from gorilla_cli.types import Request, Sampling

    settings = wiring.settings()
    sampling = Sampling(n=settings.candidates, temperature=settings.temperature, max_tokens=settings.max_tokens)
    try:
        proposal = pipeline.propose(Request(task.request), sampling)
    except NoCandidate:
        return {"candidates": [], "hits": [], "in_prompt": []}
    hits = [{"doc": hit.doc.id, "score": hit.score, "installed": hit.installed} for hit in proposal.hits]
    return {
        "candidates": [candidate.action.command for candidate in proposal.candidates],
        "hits": hits,
        "in_prompt": [hit.doc.id for hit in pipeline.gate.chosen(proposal.hits)],
        "milliseconds": asdict(proposal.timings),
        "tokens": asdict(proposal.usage),
    }


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# ---------------------------------------------------------------- grades


def grades_file(samples: Path) -> Path:
    return samples.with_suffix(".grades.jsonl")


def grade(samples: Path, judge: Judge) -> list[dict]:
    """Runs the first candidates of each row; writes and returns rows of id and right, a list of booleans."""
    by_id = {task.id: task for task in tasks()}

    def graded(row: dict) -> dict:
        task = by_id[row["id"]]
        return {"id": task.id, "right": [judge.right(task, command) for command in row["candidates"][:FIRST]]}

    found = in_parallel(graded, rows_of(samples))
    grades_file(samples).write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    return found


def grades(samples: Path) -> dict[str, list[bool]]:
    """The grades of `samples` by task, made now when there are none or older ones."""
    file = grades_file(samples)
    if not file.exists() or file.stat().st_mtime < samples.stat().st_mtime:
        with_judge(lambda judge: grade(samples, judge))
    return {row["id"]: row["right"] for row in rows_of(file)}


def print_grades(samples: Path) -> None:
    """Accuracy of the first candidate and of the best of three: all, by family, by tag; then what it cost."""
    found = grades(samples)
    groups: dict[str, list[str]] = {"all": list(found)}
    for task in tasks():
        if task.id in found:
            for name in (task.family, *(f"[{tag}]" for tag in task.tags)):
                groups.setdefault(name, []).append(task.id)
    print(f"{'':14}{'first candidate':34}best of {FIRST}")
    for name, ids in groups.items():
        first = sum(first_right(found[id]) for id in ids)
        best = sum(any(found[id]) for id in ids)
        print(f"{name:14}{proportion(first, len(ids)):34}{proportion(best, len(ids))}")
    print(costs(rows_of(samples)))


def costs(rows: Sequence[dict]) -> str:
    """Medians of what a request took. Evaluated: prompt tokens that no kept state covered."""
    rows = [row for row in rows if row["candidates"]]
    evaluated = sorted(row["tokens"]["prompt"] - row["tokens"]["cached"] for row in rows)
    total = sorted(row["milliseconds"]["total"] for row in rows)
    middle = len(rows) // 2
    with_docs = sum(bool(row["in_prompt"]) for row in rows)
    return (
        f"median {total[middle]:.0f} ms a request, {evaluated[middle]} prompt tokens evaluated; "
        f"documents in the prompt of {with_docs} of {len(rows)}"
    )


# ---------------------------------------------------------------- comparing


def compare(a: Path, b: Path) -> None:
    """A against B on the tasks that both have, first candidates; then B taken only above a score, A below."""
    rights = [{id: first_right(right) for id, right in grades(path).items()} for path in (a, b)]
    ids = [id for id in rights[0] if id in rights[1]]
    pairs = [(rights[0][id], rights[1][id]) for id in ids]
    print_pairs(pairs, a.name, b.name)
    for label, wanted in (("only A", (True, False)), ("only B", (False, True))):
        print(f"{label}: {', '.join(id for id, pair in zip(ids, pairs, strict=True) if pair == wanted) or '-'}")
    scores = {**first_scores(rows_of(a)), **first_scores(rows_of(b))}
    print_by_score([(scores.get(id, 0.0), pair) for id, pair in zip(ids, pairs, strict=True)])


def print_pairs(pairs: Sequence[tuple[bool, bool]], a: str, b: str) -> None:
    only_a, only_b = pairs.count((True, False)), pairs.count((False, True))
    print(f"A {a}: {proportion(sum(p[0] for p in pairs), len(pairs))}")
    print(f"B {b}: {proportion(sum(p[1] for p in pairs), len(pairs))}")
    print(
        f"both right {pairs.count((True, True))}, only A {only_a}, only B {only_b}, "
        f"neither {pairs.count((False, False))}; McNemar exact p = {mcnemar(only_a, only_b):.3f}"
    )


def print_by_score(rows: Sequence[tuple[float, tuple[bool, bool]]]) -> None:
    """`rows`: score of the first usable hit, and whether A and B were right."""
    ordered = sorted(rows)
    print("score of the first hit, in quarters of the list")
    for part in range(4):
        quarter = ordered[part * len(ordered) // 4 : (part + 1) * len(ordered) // 4]
        if quarter:
            right = [f"{name} {sum(pair[i] for _, pair in quarter)}/{len(quarter)}" for i, name in enumerate("AB")]
            print(f"  {quarter[0][0]:6.1f} to {quarter[-1][0]:6.1f}: {', '.join(right)}")
    print("A below the threshold, B from it on")
    for threshold in thresholds([score for score, _ in ordered]):
        right = sum(pair[score >= threshold] for score, pair in ordered)
        share = sum(score >= threshold for score, _ in ordered)
        print(f"  {threshold:6.1f}: {proportion(right, len(ordered))}, B for {share}")


def thresholds(scores: Sequence[float]) -> list[int]:
    """Round scores between which the list falls into about ten parts."""
    step = max(1, round(len(scores) / 10))
    return sorted({math.floor(score) for score in sorted(scores)[::step]} | {math.ceil(max(scores, default=0)) + 1})


def first_scores(rows: Iterable[dict]) -> dict[str, float]:
    """The score of the first hit whose program is installed, of the rows that have one."""
    usable = {row["id"]: [hit["score"] for hit in row["hits"] if hit["installed"]] for row in rows}
    return {id: scores[0] for id, scores in usable.items() if scores}


def first_right(right: Sequence[bool]) -> bool:
    return bool(right) and right[0]


def wilson(right: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % interval of a proportion. Wilson, JASA 22 (1927) 209-212."""
    if n == 0:
        return 0.0, 1.0
    p, spread = right / n, z * z / n
    half = z * math.sqrt(p * (1 - p) / n + spread / (4 * n))
    low, high = ((p + spread / 2 + sign * half) / (1 + spread) for sign in (-1, 1))
    return max(0.0, low), min(1.0, high)


def mcnemar(only_a: int, only_b: int) -> float:
    """Two-sided exact p of the discordant pairs under a fair coin. McNemar, Psychometrika 12 (1947) 153-157."""
    n = only_a + only_b
    tail = sum(math.comb(n, k) for k in range(min(only_a, only_b) + 1)) / 2**n
    return min(1.0, 2 * tail)


def proportion(right: int, n: int) -> str:
    low, high = wilson(right, n)
    return f"{100 * right / max(n, 1):5.1f} % ({right}/{n}; {100 * low:.1f}-{100 * high:.1f})"


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    modes = parser.add_mutually_exclusive_group(required=True)
    modes.add_argument("--gold", action="store_true", help="check the list and the judge")
    modes.add_argument("--generate", type=Path, metavar="OUT", help="write samples to OUT")
    modes.add_argument("--grade", type=Path, metavar="SAMPLES", help="run samples and print accuracies")
    modes.add_argument("--compare", type=Path, nargs=2, metavar=("A", "B"), help="two sample files, paired")
    parser.add_argument("--docs", choices=("off", "on", "auto"), default="auto")
    parser.add_argument("--threshold", type=float, help="of --docs auto (default: the product's)")
    parser.add_argument("--model", default="qwen2.5-coder-1.5b")
    parser.add_argument("--limit", type=int, help="only the first N requests")
    return parser.parse_args(words)


def main() -> None:
    chosen = arguments()
    try:
        if chosen.gold:
            with_judge(check_gold)
        elif chosen.generate:
            generate(chosen.generate, chosen.docs, chosen.threshold, chosen.model, tasks()[: chosen.limit])
        elif chosen.grade:
            print_grades(chosen.grade)
        else:
            compare(*chosen.compare)
    except NoSandbox as error:
        sys.exit(f"docs_gate: {error}")


if __name__ == "__main__":
    main()
