"""Right or wrong: a command is right when it does what one of the two gold commands of its task does.

Runs every command in the sandbox and nowhere else; knows no model. Samples and grades are separate files, so that a
run can be graded again.
"""

from __future__ import annotations

import itertools
import json
import re
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gorilla_cli.bench.sandbox import Effect, absent, effect, fixture, need_sandbox
from gorilla_cli.bench.tasks import FIXTURES, Task
from gorilla_cli.config import write_text
from gorilla_cli.errors import StateError, UsageError
from gorilla_cli.verifiers.parser import Parser

WORKERS = 2
CROSS_LIMIT = 0.03
T = TypeVar("T")
R = TypeVar("R")


# ---------------------------------------------------------------- one command


def lines_of(task: Task, printed: bytes) -> list[bytes]:
    """What was printed as lines to compare: no blanks at the ends, no "./" before a path, the task's freedoms taken."""
    lines = [re.sub(rb"(^|\s)\./(?=.)", rb"\1", line.rstrip()) for line in printed.rstrip().split(b"\n")]
    if task.blanks == "free":
        lines = [b" ".join(line.split()) for line in lines]
    return sorted(lines) if task.unordered else lines


def same(task: Task, got: Effect, wanted: Effect) -> bool:
    """Did the run do what the other did? One that was stopped did not. Exit codes do not count."""
    if got.timed_out or wanted.timed_out:
        return False
    if (got.changed, got.repository, got.processes) != (wanted.changed, wanted.repository, wanted.processes):
        return False
    return not task.output or lines_of(task, got.printed) == lines_of(task, wanted.printed)


class Judge:
    """Runs commands on copies of the fixtures, each of which is made once, in `folder`. Threads may share it.

    Raises NoSandbox when nothing can be locked in here.
    """

    def __init__(self, folder: Path, fixtures: Path = FIXTURES) -> None:
        need_sandbox()
        self._folder = folder
        self._fixtures = fixtures
        self._making = threading.Lock()
        self._gold: dict[tuple[str, str], Effect] = {}
        self._outcomes: dict[tuple[Task, str], str] = {}

    def original(self, name: str) -> Path:
        """The folder of a fixture. Raises StateError when there is no such script or it fails."""
        script = self._fixtures / f"{name}.sh"
        with self._making:
            made = self._folder / name
            if not made.exists():
                if not script.is_file():
                    raise StateError(f"there is no fixture {name!r} in {self._fixtures}", "install gorilla again")
                fixture(script, made)
            return made

    def run(self, task: Task, command: str) -> Effect:
        """What `command` does in the folder of the task, with its `before` script run first where there is one."""
        before = self._fixtures / f"{task.fixture}.before.sh"
        script = before.read_text(encoding="utf-8") if before.is_file() else ""
        return effect(command, self.original(task.fixture), script)

    def wanted(self, task: Task) -> tuple[Effect, Effect]:
        """What the two gold commands do."""
        return self._known(task, task.gold[0]), self._known(task, task.gold[1])

    def _known(self, task: Task, command: str) -> Effect:
        key = (task.fixture, command)
        if key not in self._gold:
            self._gold[key] = self.run(task, command)
        return self._gold[key]

    def outcome(self, task: Task, command: str) -> str:
        """ "right", "wrong", "timeout" (out of time or disk) or "empty" (no command at all)."""
        key = (task, command)
        if key not in self._outcomes:
            self._outcomes[key] = self._outcome(task, command)
        return self._outcomes[key]

    def _outcome(self, task: Task, command: str) -> str:
        if not command.strip():
            return "empty"
        got = self.run(task, command)
        if got.timed_out:
            return "timeout"
        return "right" if any(same(task, got, wanted) for wanted in self.wanted(task)) else "wrong"

    def right(self, task: Task, command: str) -> bool:
        """Does `command` do what either gold command does?"""
        return self.outcome(task, command) == "right"


def programs_of(task: Task, parser: Parser) -> set[str]:
    """What the gold commands call by name, builtins of the shell too."""
    return {
        command.words[0].value
        for gold in task.gold
        for parsed in (parser.parse(gold),)
        for command in parsed.commands
        if command.words and command.words[0].value and command.words[0].value not in parsed.functions
    }


def runnable(tasks: Sequence[Task]) -> tuple[list[Task], dict[str, list[str]]]:
    """The tasks whose gold commands this machine can run, and the missing programs of each other one by its id."""
    with Parser() as parser:
        needed = {task.id: programs_of(task, parser) for task in tasks}
    gone = set(absent(sorted(set().union(*needed.values()))))
    skipped = {id: sorted(names & gone) for id, names in needed.items() if names & gone}
    return [task for task in tasks if task.id not in skipped], skipped


def in_parallel(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """`work` of each item, in order; the waiting is on other processes."""
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(work, items))


# ---------------------------------------------------------------- a run


@dataclass(frozen=True)
class Graded:
    """One row per task in the order of the samples; `skipped`: missing programs of the tasks that cannot run here."""

    rows: tuple[dict[str, Any], ...]
    skipped: dict[str, list[str]]


def grade(
    samples: Path,
    results: Path,
    tasks: Sequence[Task],
    fixtures: Path = FIXTURES,
    tell: Callable[[int, int], None] = lambda done, all: None,
) -> Graded:
    """Runs the candidates of `samples` (JSONL: id, candidates) and writes `results` (JSONL: id, right, outcome).

    Rows of other ids than those of `tasks` are left out. `tell` gets the number of rows done and of all.
    Raises NoSandbox, UsageError for a damaged samples file, StateError when the results cannot be written.
    """
    able, skipped = runnable(tasks)
    by_id = {task.id: task for task in able}
    given = read_samples(samples)
    wanted = [row for row in given if row["id"] in by_id]
    count = itertools.count(1)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        judge = Judge(Path(folder), fixtures)

        def graded(row: dict[str, Any]) -> dict[str, Any]:
            outcomes = [judge.outcome(by_id[row["id"]], command) for command in row["candidates"]]
            tell(next(count), len(wanted))
            return {"id": row["id"], "right": [found == "right" for found in outcomes], "outcome": outcomes}

        rows = in_parallel(graded, wanted)
    write_text(results, "".join(json.dumps(row) + "\n" for row in rows))
    return Graded(tuple(rows), {row["id"]: skipped[row["id"]] for row in given if row["id"] in skipped})


def read_samples(path: Path) -> list[dict[str, Any]]:
    """The rows of a samples file. Raises UsageError naming the line that is none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}", "give a folder that gorilla bench shell wrote") from None
    return [_sample(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]


def _sample(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
        fine = isinstance(row["id"], str) and all(isinstance(one, str) for one in row["candidates"])
    except (ValueError, RecursionError, TypeError, KeyError):
        fine = False
    if not fine:
        raise UsageError(f"{where}: not a sample", "each line is an object with id and candidates")
    return row


# ---------------------------------------------------------------- the judge judged


@dataclass(frozen=True)
class GoldCheck:
    """Is the judge strict and fair on these tasks? Ids of tasks, but for `wrong`.

    disagree: gold B does not do what gold A does. unsteady: gold A does something else the second time.
    idle: a command that does nothing is right. wrong: (id, gold A of another task of the same fixture that is right).
    """

    checked: int
    pairs: int
    skipped: dict[str, list[str]]
    disagree: tuple[str, ...]
    unsteady: tuple[str, ...]
    idle: tuple[str, ...]
    wrong: tuple[tuple[str, str], ...]

    @property
    def agree(self) -> float:
        """Share of tasks whose gold commands do the same."""
        return 1 - len(self.disagree) / max(self.checked, 1)

    @property
    def cross(self) -> float:
        """Share of pairs of tasks of one fixture in which the gold of one is right for the other."""
        return len(self.wrong) / max(self.pairs, 1)

    @property
    def fine(self) -> bool:
        return not (self.disagree or self.unsteady or self.idle) and self.cross < CROSS_LIMIT

    def lines(self) -> list[str]:
        """For people: the counts, then each complaint."""
        found = [
            f"{self.checked} tasks checked, {len(self.skipped)} skipped",
            f"gold A does what gold B does: {self.checked - len(self.disagree)} of {self.checked}",
            f"gold of another task of the same folder passes: {len(self.wrong)} of {self.pairs}",
        ]
        found += [f"skipped {id}: {', '.join(names)} missing" for id, names in self.skipped.items()]
        found += [f"{id}: gold B does something else" for id in self.disagree]
        found += [f"{id}: gold A does not do the same twice" for id in self.unsteady]
        found += [f"{id}: doing nothing is right" for id in self.idle]
        return found + [f"{id} passes with: {command}" for id, command in self.wrong]


def check_gold(tasks: Sequence[Task], fixtures: Path = FIXTURES) -> GoldCheck:
    """Runs both gold commands of every task, A twice, and compares each with each of the same fixture.

    Raises NoSandbox, StateError for a fixture that is missing or fails.
    """
    able, skipped = runnable(tasks)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        judge = Judge(Path(folder), fixtures)
        wanted = dict(zip(able, in_parallel(judge.wanted, able), strict=True))
        again = dict(zip(able, in_parallel(lambda task: judge.run(task, task.gold[0]), able), strict=True))
        idle = {task.fixture: judge.run(task, ":") for task in able}
    pairs = [(a, b) for a, b in itertools.permutations(able, 2) if a.fixture == b.fixture]
    return GoldCheck(
        len(able),
        len(pairs),
        skipped,
        disagree=tuple(task.id for task in able if not same(task, *wanted[task])),
        unsteady=tuple(task.id for task in able if not same(task, again[task], wanted[task][0])),
        idle=tuple(task.id for task in able if _passes(task, idle[task.fixture], wanted[task])),
        wrong=tuple((a.id, b.gold[0]) for a, b in pairs if _passes(a, wanted[b][0], wanted[a])),
    )


def _passes(task: Task, got: Effect, wanted: Iterable[Effect]) -> bool:
    return any(same(task, got, one) for one in wanted)
