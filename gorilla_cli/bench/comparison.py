"""Two runs on the tasks that both were graded on, first candidates paired. Pure arithmetic over two `Run`s."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import Any

from gorilla_cli.bench.report import Run, Share, described
from gorilla_cli.bench.sampling import Id
from gorilla_cli.bench.statistics import mcnemar, wilson
from gorilla_cli.errors import UsageError


@dataclass(frozen=True)
class Comparison:
    """Run A against run B. `both`, `only_a`, `only_b`, `neither`: ids of tasks by whose first candidate was right.

    `time_ratio`: the median over the tasks of A's seconds divided by B's; 0 when B took none.
    """

    a: Run
    b: Run
    both: tuple[Id, ...]
    only_a: tuple[Id, ...]
    only_b: tuple[Id, ...]
    neither: tuple[Id, ...]
    time_ratio: float

    @property
    def n(self) -> int:
        return len(self.both) + len(self.only_a) + len(self.only_b) + len(self.neither)

    @property
    def p(self) -> float:
        """Two-sided exact p of McNemar's test."""
        return mcnemar(len(self.only_a), len(self.only_b))

    @property
    def difference(self) -> tuple[float, float, float]:
        """Accuracy of A minus that of B, and its 95 % interval."""
        return paired_difference(*map(len, (self.both, self.only_a, self.only_b, self.neither)))


def paired_difference(both: int, only_a: int, only_b: int, neither: int) -> tuple[float, float, float]:
    """Difference of two paired proportions, with its 95 % interval: (difference, low, high).

    The square-and-add of two Wilson intervals, with the correlation of the pairs. Newcombe, Statistics in Medicine 17
    (1998) 2635-2650, method 10.
    """
    n = both + only_a + only_b + neither
    if n == 0:
        return 0.0, -1.0, 1.0
    count_a, count_b = both + only_a, both + only_b
    p_a, p_b, difference = count_a / n, count_b / n, (only_a - only_b) / n
    (low_a, high_a), (low_b, high_b) = wilson(count_a, n), wilson(count_b, n)
    phi = _correlation(both, only_a, only_b, neither)
    below = _square_and_add(p_a - low_a, high_b - p_b, phi)
    above = _square_and_add(high_a - p_a, p_b - low_b, phi)
    return difference, max(-1.0, difference - below), min(1.0, difference + above)


def _square_and_add(x: float, y: float, phi: float) -> float:
    return math.sqrt(max(0.0, x * x - 2 * phi * x * y + y * y))


def _correlation(both: int, only_a: int, only_b: int, neither: int) -> float:
    """Newcombe's phi: a positive one is corrected for continuity; 0 when a margin is empty."""
    n = both + only_a + only_b + neither
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    if not margins:
        return 0.0
    product = both * neither - only_a * only_b
    return (max(product - n / 2, 0.0) if product > 0 else product) / math.sqrt(margins)


def compared(a: Run, b: Run) -> Comparison:
    """Both runs on the tasks they share. Raises UsageError when one is ungraded or they share no task."""
    a, b = a.graded(), b.graded()
    ids = [id for id in a.right if id in b.right and _asks_the_same(a, b, id)]
    if not ids:
        raise UsageError(f"{a.name} and {b.name} share no task", "compare runs of the same split")
    won = {id: (a.right[id][:1] == [True], b.right[id][:1] == [True]) for id in ids}
    pairs = ((True, True), (True, False), (False, True), (False, False))
    cells = [tuple(id for id in ids if won[id] == pair) for pair in pairs]
    ratios = [a.samples[id]["seconds"] / b.samples[id]["seconds"] for id in ids if b.samples[id]["seconds"]]
    return Comparison(a, b, *cells, time_ratio=statistics.median(ratios or [0.0]))


def _asks_the_same(a: Run, b: Run, id: Id) -> bool:
    return id in a.samples and id in b.samples and a.samples[id]["request"] == b.samples[id]["request"]


def comparison_text(found: Comparison) -> str:
    """The comparison for people."""
    difference, low, high = found.difference
    counts = len(found.both), len(found.only_a), len(found.only_b), len(found.neither)
    lines = [
        f"A {found.a.name}: {described(found.a.manifest)}",
        f"B {found.b.name}: {described(found.b.manifest)}",
        f"candidate 1 right on {found.n} tasks that both have",
        f"  A {Share(counts[0] + counts[1], found.n)}",
        f"  B {Share(counts[0] + counts[2], found.n)}",
        "both right {}, only A {}, only B {}, neither {}; McNemar exact p = {:.4f}".format(*counts, found.p),
        f"A - B {100 * difference:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f}; Newcombe 1998, method 10)",
        f"time of A / time of B: median x{found.time_ratio:.2f}",
    ]
    lines += [f"only {name}: {', '.join(map(str, ids)) or '-'}" for name, ids in _discordant(found)]
    if found.a.manifest.tasks_sha256 != found.b.manifest.tasks_sha256:
        lines.append("the task files changed between the runs: tasks whose request changed are left out")
    return "\n".join(lines)


def _discordant(found: Comparison) -> tuple[tuple[str, tuple[Id, ...]], ...]:
    return ("A", found.only_a), ("B", found.only_b)


def comparison_numbers(found: Comparison) -> dict[str, Any]:
    """The comparison as a JSON document."""
    difference, low, high = found.difference
    return {
        "a": found.a.name,
        "b": found.b.name,
        "n": found.n,
        "both": len(found.both),
        "only_a": list(found.only_a),
        "only_b": list(found.only_b),
        "neither": len(found.neither),
        "mcnemar_p": found.p,
        "difference": {"value": difference, "interval": [low, high]},
        "time_ratio": found.time_ratio,
    }
