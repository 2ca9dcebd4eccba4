"""What counts as the same effect, the judge on real tasks, the grading of a run, and the judge judged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gorilla_cli.bench.grading import (
    GoldCheck,
    Judge,
    check_gold,
    grade,
    lines_of,
    programs_of,
    read_samples,
    runnable,
    same,
)
from gorilla_cli.bench.sandbox import Effect
from gorilla_cli.bench.tasks import SPLITS, Task, load
from gorilla_cli.bench.trees import Entry
from gorilla_cli.errors import StateError, UsageError
from gorilla_cli.verifiers.parser import Parser

DEV = {task.id: task for task in load("dev")}
FILE = Entry("file", 0o644, "digest")
PLAIN = """printf '%s\\n' pear fig plum > words.txt"""


def task(**fields) -> Task:
    row = {"id": "x", "fixture": "plain", "request": "r", "gold": ("a", "b"), "family": "text", "difficulty": "easy"}
    return Task(**{**row, **fields})


UPSIDE = task(id="upside", gold=("tac words.txt", "sed -n '1!G;h;$p' words.txt"))
SORTED = task(id="sorted", gold=("sort words.txt", "sort -u words.txt"))
KILLED = task(id="killed", fixture="busy", gold=("pkill -f 'sleep 31'", "kill $(pgrep -f 'sleep 31')"), output=False)


@pytest.fixture
def fixtures(tmp_path) -> Path:
    made = tmp_path / "fixtures"
    made.mkdir()
    (made / "plain.sh").write_text(PLAIN)
    (made / "busy.sh").write_text(PLAIN)
    (made / "busy.before.sh").write_text("sleep 31 & sleep 32 & sleep 0.1\n")
    return made


# ---------------------------------------------------------------- what counts as the same


@pytest.mark.parametrize(
    ("fields", "printed", "lines"),
    [
        ({}, b"b \n\ta\t\n\n", [b"b", b"\ta"]),
        ({}, b"./b/c 3\n4 ./d\n", [b"b/c 3", b"4 d"]),
        ({}, b"../b\n.\nx./y\n", [b"../b", b".", b"x./y"]),
        ({"unordered": True}, b"b\na\nb\n", [b"a", b"b", b"b"]),
        ({"blanks": "free"}, b"   13 INFO\n", [b"13 INFO"]),
        ({}, b"\xff\x00\n", [b"\xff\x00"]),
        ({}, b"", [b""]),
    ],
)
def test_lines_that_are_compared(fields, printed, lines):
    assert lines_of(task(**fields), printed) == lines


@pytest.mark.parametrize(
    ("fields", "other", "expected"),
    [
        ({}, Effect(b"x\n", ()), True),
        ({}, Effect(b"x", (), exit_code=1), True),
        ({}, Effect(b"y\n", ()), False),
        ({"output": False}, Effect(b"y\n", ()), True),
        ({"output": False}, Effect(b"x\n", (("new", FILE),)), False),
        ({"output": False}, Effect(b"x\n", (), repository=b"commit"), False),
        ({"output": False}, Effect(b"x\n", (), processes=("0 - sleep 1",)), False),
        ({}, Effect(b"x\n", (), timed_out=True), False),
    ],
)
def test_same_effect(fields, other, expected):
    assert same(task(**fields), other, Effect(b"x\n", ())) is expected
    assert same(task(**fields), Effect(b"x\n", ()), other) is expected


# ---------------------------------------------------------------- the judge


@pytest.fixture(scope="module")
def judge(sandbox, tmp_path_factory):  # noqa: F811
    return Judge(tmp_path_factory.mktemp("judge"))


@pytest.mark.parametrize(
    ("id", "command", "expected"),
    [
        ("text-upside-down", "sort -r data/words.txt", "wrong"),
        ("text-upside-down", "tac < ./data/words.txt", "right"),
        ("text-upside-down", "", "empty"),
        ("text-upside-down", " \n", "empty"),
        ("text-upside-down", "tac <FILE>", "wrong"),
        ("find-headers", "find src -name '*.h'", "wrong"),
        ("find-newer", "find src -type f -newermt 2024-05-01", "wrong"),
        ("mode-same", "chmod +x config/app.json", "wrong"),
        ("mode-scripts", "chmod +x scripts/*", "wrong"),
        ("mode-scripts", "chmod u+x scripts/*.sh", "wrong"),
        ("mode-scripts", "chmod -v +x scripts/*.sh", "right"),
        ("json-set-version", "jq '.version=\"2.5.0\"' config/app.json", "wrong"),
        ("archive-without-tmp", "tar czf reports.tar.gz reports", "wrong"),
        ("git-save-all", "git commit -am 'Save work'", "wrong"),
        ("git-save-all", "git add --all; git commit -m 'Save work' -v", "right"),
        ("git-reopen", "git reset HEAD~1", "wrong"),
        ("loop-underscores", "for f in music/*; do mv $f ${f// /_}; done", "wrong"),
        ("loop-weeks", "mkdir week{1..12}", "wrong"),
    ],
)
def test_right_and_nearly_right(judge, id, command, expected):
    assert judge.outcome(DEV[id], command) == expected
    assert judge.right(DEV[id], command) is (expected == "right")


@pytest.mark.usefixtures("sandbox")
def test_the_processes_of_a_fixture_are_judged(fixtures, tmp_path):
    judge = Judge(tmp_path / "made", fixtures)
    found = [
        judge.outcome(KILLED, command) for command in (":", "pkill sleep", "pkill -f 31", "pkill -9 -f '^sleep 31'")
    ]
    assert found == ["wrong", "wrong", "right", "right"]


@pytest.mark.usefixtures("sandbox")
def test_a_fixture_that_is_not_there_is_named(fixtures, tmp_path):
    with pytest.raises(StateError, match="there is no fixture 'gone'"):
        Judge(tmp_path / "made", fixtures).right(task(fixture="gone"), "true")


def test_what_gold_commands_call():
    gold = ("for f in *; do find . -exec jq . {} + | sudo sort; done", "f() { cat; }; f < <(ls | xargs -n 1 wc)")
    with Parser() as parser:
        assert {"find", "jq", "sort", "cat", "ls", "xargs", "wc"} <= programs_of(task(gold=gold), parser)
        assert "f" not in programs_of(task(gold=gold), parser)


@pytest.mark.usefixtures("sandbox")
def test_tasks_that_need_a_program_that_is_not_there_are_left_out():
    odd = task(id="odd", gold=("cat x | no-such-program", "xargs -n 1 other-missing < x"))
    assert runnable([UPSIDE, odd]) == ([UPSIDE], {"odd": ["no-such-program", "other-missing"]})


# ---------------------------------------------------------------- a run


def write_samples(path: Path, *rows: tuple[str, list[str]]) -> Path:
    path.write_text("".join(json.dumps({"id": id, "candidates": commands}) + "\n" for id, commands in rows))
    return path


@pytest.mark.usefixtures("sandbox")
def test_a_run_is_graded_row_by_row(fixtures, tmp_path):
    odd = task(id="odd", gold=("no-such-program", "true"))
    samples = write_samples(
        tmp_path / "samples.jsonl",
        ("sorted", ["cat words.txt", "sort <words.txt", ""]),
        ("chat-1", ["echo hello"]),
        ("upside", []),
        ("odd", ["true"]),
    )
    told: list[tuple[int, int]] = []
    results = tmp_path / "results.jsonl"
    graded = grade(samples, results, [UPSIDE, SORTED, odd], fixtures, lambda *counts: told.append(counts))
    assert list(graded.rows) == [
        {"id": "sorted", "right": [False, True, False], "outcome": ["wrong", "right", "empty"]},
        {"id": "upside", "right": [], "outcome": []},
    ]
    assert graded.skipped == {"odd": ["no-such-program"]}
    assert [json.loads(line) for line in results.read_text().splitlines()] == list(graded.rows)
    assert sorted(told) == [(1, 2), (2, 2)]


@pytest.mark.usefixtures("sandbox")
def test_equal_commands_of_a_task_run_once(fixtures, tmp_path):
    """A command whose answer would change: the second time it is not asked again."""
    judge = Judge(tmp_path / "made", fixtures)
    assert judge.right(SORTED, "sort words.txt")
    (tmp_path / "made" / "plain" / "words.txt").write_text("other\n")
    assert judge.right(SORTED, "sort words.txt")
    assert not judge.right(SORTED, "sort ./words.txt")


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"id": 1, "candidates": []}', '{"id": "a"}', '{"id": "a", "candidates": [1]}']
)
def test_a_line_that_is_no_sample_is_named(tmp_path, line):
    file = tmp_path / "samples.jsonl"
    file.write_text('{"id": "a", "candidates": ["ls"]}\n\n' + line + "\n")
    with pytest.raises(UsageError, match=r"samples\.jsonl:3: not a sample"):
        read_samples(file)


def test_samples_that_are_not_there_are_named(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read .*none\.jsonl"):
        read_samples(tmp_path / "none.jsonl")


# ---------------------------------------------------------------- the judge judged


@pytest.mark.usefixtures("sandbox")
def test_the_check_finds_each_kind_of_bad_task(fixtures):
    bad = [
        UPSIDE,
        task(id="differ", gold=("echo 1", "echo 2")),
        task(id="random", gold=("echo $RANDOM$RANDOM", "echo $SRANDOM")),
        task(id="nothing", gold=("cat words.txt > /dev/null", "touch words.txt")),
        task(id="twin", gold=("tac ./words.txt", "tac < words.txt")),
        task(id="odd", gold=("no-such-program", "true")),
    ]
    found = check_gold(bad, fixtures)
    assert (found.checked, found.pairs, found.skipped) == (5, 20, {"odd": ["no-such-program"]})
    assert found.disagree == ("differ", "random")
    assert found.unsteady == ("random",)
    assert found.idle == ("nothing",)
    assert found.wrong == (("upside", "tac ./words.txt"), ("twin", "tac words.txt"))
    assert (found.agree, found.cross, found.fine) == (0.6, 0.1, False)
    assert found.lines()[:3] == [
        "5 tasks checked, 1 skipped",
        "gold A does what gold B does: 3 of 5",
        "gold of another task of the same folder passes: 2 of 20",
    ]
    assert len(found.lines()) == 3 + 1 + 2 + 1 + 1 + 2


def test_a_check_is_fine_only_without_complaints():
    clean = GoldCheck(100, 100, {}, (), (), (), (("a", "b"),) * 2)
    assert clean.fine
    for field in ("disagree", "unsteady", "idle"):
        assert not replace(clean, **{field: ("a",)}).fine
    assert not replace(clean, wrong=(("a", "b"),) * 3).fine


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("split", SPLITS)
def test_gold_of_the_shipped_tasks(split):
    found = check_gold(load(split))
    assert found.fine, "\n".join(found.lines())
