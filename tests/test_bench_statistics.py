"""Intervals and the paired test, against published or hand-computed values."""

from __future__ import annotations

import pytest

from gorilla_cli.bench.statistics import mcnemar, wilson


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        (0, 0, 0.0, 1.0),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (50, 100, 0.4038, 0.5962),
        (81, 263, 0.2553, 0.3662),
    ],
)
def test_wilson(right, n, low, high):
    assert wilson(right, n) == pytest.approx((low, high), abs=5e-4)


def test_a_wilson_interval_mirrors_its_complement_and_narrows_with_n():
    low, high = wilson(3, 20)
    assert wilson(17, 20) == pytest.approx((1 - high, 1 - low))
    wide, narrow = wilson(3, 20), wilson(30, 200)
    assert wide[0] < narrow[0] < 0.15 < narrow[1] < wide[1]


@pytest.mark.parametrize(
    ("only_a", "only_b", "p"), [(0, 0, 1.0), (1, 0, 1.0), (6, 0, 0.03125), (0, 6, 0.03125), (9, 3, 0.14599609375)]
)
def test_mcnemar(only_a, only_b, p):
    assert mcnemar(only_a, only_b) == pytest.approx(p)
