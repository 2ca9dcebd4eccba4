"""The arithmetic of accuracies: intervals and a paired test. Pure; knows no tasks and no files."""

from __future__ import annotations

import math


def wilson(right: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The interval of a proportion, 95 % unless another z is given; (0, 1) of nothing.

    Wilson, JASA 22 (1927) 209-212.
    """
    if n == 0:
        return 0.0, 1.0
    p, spread = right / n, z * z / n
    half = z * math.sqrt(p * (1 - p) / n + spread / (4 * n))
    low, high = ((p + spread / 2 + sign * half) / (1 + spread) for sign in (-1, 1))
    return max(0.0, low), min(1.0, high)


def mcnemar(only_a: int, only_b: int) -> float:
    """Two-sided exact p of the discordant pairs under a fair coin; 1 when there are none.

    McNemar, Psychometrika 12 (1947) 153-157, with the binomial instead of its approximation.
    """
    n = only_a + only_b
    tail = sum(math.comb(n, k) for k in range(min(only_a, only_b) + 1)) / 2**n
    return min(1.0, 2 * tail)
