"""The numbers of a run and of a pair of runs, from folders written by hand whose numbers were counted by hand."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace

import pytest

from gorilla_cli.bench.comparison import (
    compared,
    comparison_numbers,
    comparison_text,
    paired_difference,
)
from gorilla_cli.bench.report import (
    Share,
    described,
    log_line,
    numbers,
    percentile,
    read_run,
    report,
    text_of,
)
from gorilla_cli.errors import UsageError
from tests.bench_runs import MANIFEST, REFUSAL, TASKS, row, write_run

# e is skipped: it was asked but has no result. d was refused. u and v deserve no command.
SAMPLES = [
    row("a", candidates=["x", "y"], unknown=[False, True], unmarked=[False, False], seconds=1.0),
    row("b", unknown=[True], unmarked=[True], seconds=2.0),
    row("c", seconds=3.0, tokens={"prompt": 50, "cached": 20, "generated": 9}),
    row("d", **REFUSAL, seconds=9.0),
    row("e", seconds=5.0),
    row("u", **REFUSAL),
    row("v", error="it failed"),
]
RIGHT = {"a": [False, True], "b": [True], "c": [False], "d": []}


@pytest.fixture
def found(tmp_path):
    run = read_run(write_run(tmp_path / "run", SAMPLES, RIGHT))
    return report(run, TASKS, ["u", "v", "w"])


def test_accuracy_of_all_and_by_kind(found):
    counts = {
        kind: {name: (one.first.count, one.best.count, one.first.n) for name, one in groups.items()}
        for kind, groups in found.by.items()
    }
    assert (found.every.first, found.every.best) == (Share(1, 4), Share(2, 4))
    assert counts == {
        "family": {"finding": (1, 2, 2), "git": (0, 0, 2)},
        "difficulty": {"easy": (0, 1, 2), "medium": (0, 0, 1), "hard": (1, 1, 1)},
        "tag": {"quoting": (1, 2, 2), "rare": (1, 1, 1)},
    }


def test_options_refusals_time_and_tokens(found):
    assert (found.unknown, found.unmarked) == (Share(2, 5), Share(1, 5))
    assert (found.unknown_first, found.unmarked_first) == (Share(1, 4), Share(1, 4))
    assert (found.refused, found.refused_unanswerable) == (Share(1, 5), Share(1, 2))
    assert (found.median_seconds, found.p90_seconds) == (3.0, 9.0)
    assert found.tokens == {"evaluated": 10, "generated": 7}
    assert (found.skipped, found.unasked, found.errors) == (("e",), 0, 1)


def test_json_has_the_same_numbers(found):
    shown = json.loads(json.dumps(numbers(found)))
    assert shown["all"]["first"] == {"count": 1, "n": 4, "value": 0.25, "interval": list(Share(1, 4).interval)}
    assert shown["by"]["tag"]["rare"]["best"]["count"] == 1
    assert shown["unmarked"]["count"] == 1
    assert shown["seconds"] == {"median": 3.0, "p90": 9.0}
    assert shown["manifest"]["model"] == "small"
    assert (shown["skipped"], shown["errors"]) == (["e"], 1)


def test_the_text_names_every_group_and_number(found):
    lines = text_of(found).splitlines()
    assert lines[0] == "gorilla small, split dev, candidates 3, temperature 0.7, docs auto, seed 0, version 1.0"
    assert "4 tasks graded, 1 skipped, 2 requests without an answer" in lines[1]
    assert lines[3].split("candidate 1")[1].strip() == "best of 3"
    assert lines[4].startswith("all            25.0 % (4.6 to 69.9; 1/4)")
    for name in ("  finding", "  git", "  hard", "  quoting", "unknown option, candidate 1", "refused, unanswerable"):
        assert any(line.startswith(name) for line in lines), name
    assert "seconds                         median 3.00, p90 9.00" in lines
    assert not any(line.startswith("  json") for line in lines)


def test_the_log_line_is_one_dated_line(found):
    line = log_line(found)
    assert "\n" not in line
    assert line.startswith("2026-01-02 gorilla bench, gorilla small")
    assert "candidate 1 25.0 % (4.6 to 69.9; 1/4), best of 3 50.0 %" in line
    assert "refused 1/5 answerable, 1/2 unanswerable" in line


def test_control_characters_of_a_manifest_do_not_reach_the_terminal(found):
    shown = text_of(replace(found, manifest=replace(MANIFEST, model="a\x1b[2Jb")))
    assert "\x1b" not in shown
    assert "a\\x1b[2Jb" in shown


def test_a_commit_says_more_than_a_version():
    assert described(replace(MANIFEST, commit="0123456789abcdef")).endswith("seed 0, commit 0123456789ab")


def test_nothing_asked_gives_empty_shares(tmp_path):
    run = read_run(write_run(tmp_path / "run", [row("a")], {"a": [True]}))
    found = report(run, [], [])
    assert (found.every.first, found.median_seconds, found.p90_seconds) == (Share(0, 0), 0.0, 0.0)
    assert f"{'refused, answerable':32}none" in text_of(found).splitlines()


@pytest.mark.parametrize(
    ("values", "share", "wanted"),
    [([], 0.9, 0.0), ([4.0], 0.9, 4.0), ([3, 1, 2], 0.5, 2), (list(range(1, 11)), 0.9, 9), ([1, 2], 0.0, 1)],
)
def test_percentile(values, share, wanted):
    assert percentile(values, share) == wanted


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "manifest.json").write_text("{}"), "no manifest"),
        (lambda folder: (folder / "manifest.json").unlink(), "no manifest"),
        (lambda folder: (folder / "samples.jsonl").write_text("{}\n"), "samples.jsonl:1"),
        (lambda folder: (folder / "samples.jsonl").write_text("\n[1]\n"), "samples.jsonl:2"),
        (lambda folder: (folder / "samples.jsonl").write_bytes(b"\xff\n"), "cannot read"),
        (lambda folder: (folder / "results.jsonl").write_text('{"id": ["a"], "right": []}\n'), "results.jsonl:1"),
    ],
)
def test_a_damaged_run_is_named(tmp_path, damage, said):
    folder = write_run(tmp_path / "run", SAMPLES, RIGHT)
    damage(folder)
    with pytest.raises(UsageError, match=said):
        read_run(folder)


def test_a_run_without_results_says_how_to_grade_it(tmp_path):
    run = read_run(write_run(tmp_path / "run", SAMPLES, None))
    with pytest.raises(UsageError, match="no results") as caught:
        report(run, TASKS, [])
    assert caught.value.hint == f"run: gorilla bench grade {tmp_path / 'run'}"


# ---------------------------------------------------------------- comparing


@pytest.fixture
def pair(tmp_path):
    """On a both are right, b only A, c and d only B, e neither; f is only in B and g was another request there."""
    flags = {"a": "11", "b": "10", "c": "01", "d": "01", "e": "00", "g": "10"}
    a = [row(id, seconds=2.0) for id in flags]
    b = [row(id, seconds=4.0, request=f"request {id}" if id != "g" else "other") for id in (*flags, "f")]
    rights = [{id: [both[side] == "1", True] for id, both in flags.items()} for side in (0, 1)]
    folder_a = write_run(tmp_path / "A", a, rights[0])
    folder_b = write_run(tmp_path / "B", b, {**rights[1], "f": [True]}, replace(MANIFEST, tasks_sha256="ef" * 32))
    return compared(read_run(folder_a), read_run(folder_b))


def test_pairs_are_counted_by_first_candidate(pair):
    assert (pair.both, pair.only_a, pair.only_b, pair.neither) == (("a",), ("b",), ("c", "d"), ("e",))
    assert pair.time_ratio == 0.5
    assert pair.p == 1.0


def test_the_comparison_as_text_and_json(pair):
    text, shown = comparison_text(pair), json.loads(json.dumps(comparison_numbers(pair)))
    assert "both right 1, only A 1, only B 2, neither 1; McNemar exact p = 1.0000" in text
    assert "A - B -20.0 points (" in text
    assert "time of A / time of B: median x0.50" in text
    assert "only B: c, d" in text
    assert "the task files changed" in text
    assert (shown["n"], shown["only_a"], shown["only_b"]) == (5, ["b"], ["c", "d"])
    assert shown["difference"]["value"] == pytest.approx(-0.2)


def test_runs_without_a_common_task_cannot_be_compared(tmp_path):
    a = read_run(write_run(tmp_path / "A", [row("a")], {"a": [True]}))
    b = read_run(write_run(tmp_path / "B", [row("b")], {"b": [True]}))
    with pytest.raises(UsageError, match="share no task"):
        compared(a, b)


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        ((36, 12, 2, 0), (0.2, 0.0569, 0.3404)),  # negative phi, taken as it is; the published figures
        ((20, 12, 2, 16), (0.2, 0.0562, 0.3292)),  # phi = (20 * 16 - 12 * 2 - 50 / 2) / sqrt(32 * 18 * 22 * 28)
        ((0, 0, 0, 5), (0.0, -0.4345, 0.4345)),  # no phi: the interval of two unpaired ones
        ((0, 0, 0, 0), (0.0, -1.0, 1.0)),
    ],
)
def test_the_interval_of_known_cells(cells, wanted):
    assert paired_difference(*cells) == pytest.approx(wanted, abs=5e-5)


def test_the_interval_turns_round_with_the_runs():
    for cells in itertools.product((0, 1, 7, 30), repeat=4):
        both, only_a, only_b, neither = cells
        difference, low, high = paired_difference(*cells)
        assert -1.0 <= low <= difference <= high <= 1.0
        assert paired_difference(both, only_b, only_a, neither) == pytest.approx((-difference, -high, -low))


@pytest.mark.parametrize("chances", [(0.3, 0.2, 0.1, 0.4), (0.5, 0.05, 0.15, 0.3), (0.1, 0.4, 0.1, 0.4)])
def test_the_interval_covers_the_truth(chances):
    """Exact coverage over all outcomes of 20 pairs; the method is known to stay near 95 %."""
    n, truth = 20, chances[1] - chances[2]
    covered = 0.0
    for a, b, c in itertools.product(range(n + 1), repeat=3):
        d = n - a - b - c
        if d < 0:
            continue
        ways = math.factorial(n) // math.prod(map(math.factorial, (a, b, c, d)))
        _, low, high = paired_difference(a, b, c, d)
        covered += ways * math.prod(p**k for p, k in zip(chances, (a, b, c, d), strict=True)) * (low <= truth <= high)
    assert 0.93 <= covered <= 0.985
