"""Makes one ranking of several: by words, by meaning. Pure; knows no record.

Scores of each kind are put on one scale (distance from their mean in standard deviations) and added up with weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def fused(rankings: Sequence[tuple[Mapping[int, float], float]]) -> dict[int, float]:
    """One score for each key of any of `rankings`, pairs of scores and their weight. At least 0, the worst has 0.

    A key that a ranking lacks counts there as its lowest.
    """
    keys = sorted(set().union(*(scores for scores, _ in rankings)))
    total = dict.fromkeys(keys, 0.0)
    for scores, weight in rankings:
        for key, value in standardised(scores, keys).items():
            total[key] += weight * value
    lowest = min(total.values(), default=0.0)
    return {key: value - lowest for key, value in total.items()}


def standardised(scores: Mapping[int, float], keys: Sequence[int]) -> dict[int, float]:
    """The scores of `keys` with mean 0 and deviation 1; all 0 where they do not differ."""
    if not scores:
        return dict.fromkeys(keys, 0.0)
    lowest = min(scores.values())
    values = [scores.get(key, lowest) for key in keys]
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
    return {key: (value - mean) / deviation if deviation else 0.0 for key, value in zip(keys, values, strict=True)}
