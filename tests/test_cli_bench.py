"""`gorilla bench`: the whole way from a request to a report, with the real pipeline, the real sandbox and no model."""

from __future__ import annotations

import json
import shlex
import sys

import pytest

from gorilla_cli.bench import tasks
from tests.command_line import write_script

DEV = {task.id: task for task in tasks.load("dev")}
UNANSWERABLE = tasks.load_unanswerable("dev")[0]
RIGHT, RANKED, SECOND, WRONG, NONE = "find-headers", "find-objects-by-size", "find-large", "find-zero", "find-newer"
IDS = (RIGHT, RANKED, SECOND, WRONG, NONE, UNANSWERABLE.id)


@pytest.fixture
def model(hermetic):
    """A script that knows one task at once, one after looking the options up, one at the second attempt, one wrongly,
    and one not at all.
    """
    answers = {
        DEV[RIGHT].request: [DEV[RIGHT].gold[0], "ls --bogus"],
        DEV[RANKED].request: ["ls --bogus", DEV[RANKED].gold[0]],
        DEV[SECOND].request: ["find . -type f -size +100k -printf '%f\\n'", DEV[SECOND].gold[1]],
        DEV[WRONG].request: ["ls"],
        DEV[NONE].request: [""],
        UNANSWERABLE.request: ["echo yes"],
    }
    return write_script(hermetic / "bench.toml", answers)


@pytest.fixture
def shell(gorilla, model):
    """Runs `gorilla bench shell` on six requests into the folder `run` below the current one."""

    def call(*arguments, out="run"):
        return gorilla("bench", "shell", "--model", model, "--only", ",".join(IDS), "--out", out, *arguments)

    return call


def rows(file) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


# ---------------------------------------------------------------- shell, grade, report


def test_a_whole_run(shell, gorilla, sandbox, hermetic):
    ended = shell("--log", "LOG.md")
    assert ended.code == 0, ended.err
    run = hermetic / "work" / "run"
    right = {row["id"]: row["right"] for row in rows(run / "results.jsonl")}
    assert right == {RIGHT: [True, False], RANKED: [True, False], SECOND: [False, True], WRONG: [False], NONE: []}
    shown = gorilla("bench", "report", "--json", "run").json
    assert [shown["all"][name]["count"] for name in ("first", "best")] == [2, 3]
    assert shown["all"]["first"]["n"] == 5
    assert (shown["refused"]["count"], shown["refused"]["n"]) == (1, 5)
    assert (shown["refused_unanswerable"]["count"], shown["refused_unanswerable"]["n"]) == (0, 1)
    assert shown["unknown"]["count"] == 2
    assert shown["unmarked"]["count"] == 0
    line = ended.out.splitlines()[-1]
    assert (hermetic / "work" / "LOG.md").read_text() == line + "\n"
    assert "candidate 1 40.0 %" in line
    assert "asking: 100 %" in ended.err


def test_grading_again_gives_the_same(shell, gorilla, sandbox, hermetic):
    assert shell("--no-grade").out == ""
    run = hermetic / "work" / "run"
    assert not (run / "results.jsonl").exists()
    first = gorilla("bench", "grade", "run")
    results = (run / "results.jsonl").read_bytes()
    again = gorilla("bench", "grade", "run")
    assert (first.code, again.code) == (0, 0)
    assert first.out == again.out == gorilla("bench", "report", "run").out
    assert (run / "results.jsonl").read_bytes() == results


def test_what_was_made_with_what(shell, hermetic, model):
    ended = shell("--no-grade", "-n", "2", "--seed", "7", "--docs", "off")
    assert ended.code == 0, ended.err
    manifest = json.loads((hermetic / "work" / "run" / "manifest.json").read_text())
    assert (manifest["system"], manifest["model"], manifest["seed"]) == ("gorilla", model, 7)
    assert (manifest["settings"]["candidates"], manifest["settings"]["docs"]) == (2, "off")
    assert (manifest["split"], manifest["tasks_sha256"]) == ("dev", tasks.digest("dev"))
    assert len(manifest["model_sha256"]) == 64


def test_an_interrupted_run_goes_on(shell, hermetic):
    shell("--no-grade")
    file = hermetic / "work" / "run" / "samples.jsonl"
    whole = rows(file)
    file.write_text("".join(json.dumps(row) + "\n" for row in whole[:2]) + '{"id": "fi')
    assert shell("--no-grade").code == 0
    assert [row["id"] for row in rows(file)] == [row["id"] for row in whole]
    assert [row["candidates"] for row in rows(file)] == [row["candidates"] for row in whole]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (("--system", "bare"), "another system: 'gorilla', not 'bare'"),
        (("--seed", "1"), "another seed: 0, not 1"),
        (("-n", "1"), "another settings: candidates 2, not 1"),
        (("--docs", "on"), "another settings: docs 'auto', not 'on'"),
    ],
)
def test_another_run_does_not_go_into_the_folder(shell, hermetic, changes, said):
    shell("--no-grade")
    before = (hermetic / "work" / "run" / "samples.jsonl").read_bytes()
    ended = shell("--no-grade", *changes)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert ended.err.count("\n") == 2
    assert (hermetic / "work" / "run" / "samples.jsonl").read_bytes() == before


def test_the_bare_model_marks_nothing(shell, hermetic):
    assert shell("--no-grade", "--system", "bare", "-n", "2").code == 0
    by_id = {row["id"]: row for row in rows(hermetic / "work" / "run" / "samples.jsonl")}
    assert by_id[RIGHT]["candidates"] == [DEV[RIGHT].gold[0], "ls --bogus"]
    assert (by_id[RIGHT]["unknown"], by_id[RIGHT]["unmarked"]) == ([False, True], [False, True])
    assert (by_id[NONE]["refused"], by_id[NONE]["candidates"]) == (True, [])
    assert by_id[RIGHT]["tokens"]["cached"] == 0


def test_another_program(gorilla, hermetic):
    tool = hermetic / "a tool"
    tool.write_text(f"#!{sys.executable}\nimport sys\nprint('echo', sys.argv[1], len(sys.argv[2]))\n")
    tool.chmod(0o755)
    system = f"command:{shlex.quote(str(tool))} fast"
    ended = gorilla("bench", "shell", "--system", system, "--limit", "2", "--no-grade", "--out", "run")
    assert ended.code == 0, ended.err
    found = [row["candidates"] for row in rows(hermetic / "work" / "run" / "samples.jsonl")]
    assert found == [[f"echo fast {len(task.request)}"] for task in list(DEV.values())[:2]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("shell", "--out", "x", "--system", "other"), "'other' is none of"),
        (("shell", "--out", "x", "--system", "command: "), "is none of"),
        (("shell", "--out", "x", "--system", "command:/nowhere/tool"), "no program /nowhere/tool"),
        (("shell", "--out", "x", "--system", "command:ls '"), "No closing quotation"),
        (("shell", "--out", "x", "--system", "command:ls", "--model", "m"), "mean nothing"),
        (("shell", "--out", "x", "--system", "bare", "--docs", "on"), "--docs means nothing to bare"),
        (("shell", "--out", "x", "--only", "find-headers,nothing-like-it"), "nothing-like-it"),
        (("shell", "--out", "x", "--only", ","), "no task"),
        (("shell", "--out", "x", "--split", "other"), "'other'"),
        (("shell",), "--out"),
        (("report", "nowhere"), "no manifest"),
        (("grade", "nowhere"), "no manifest"),
        (("compare", "nowhere", "here"), "no manifest"),
        (("plot", "nowhere", "--out", "x"), "no manifest"),
        (("sample", "--tasks", "nowhere", "--out", "x"), "cannot read nowhere"),
    ],
)
def test_what_cannot_be_done_is_said(gorilla, sandbox, hermetic, arguments, said):
    ended = gorilla("bench", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert list((hermetic / "work").iterdir()) == []


def test_compare_and_plot(shell, gorilla, sandbox, hermetic):
    assert shell().code == shell("--system", "bare", out="bare").code == 0
    ended = gorilla("bench", "compare", "run", "bare")
    assert ended.code == 0
    assert "both right 1, only A 1, only B 0, neither 3; McNemar exact p = 1.0000" in ended.out
    assert gorilla("bench", "compare", "--json", "run", "bare").json["only_a"] == [RANKED]
    drawn = gorilla("bench", "plot", "run", "bare", "--out", "picture")
    assert (drawn.code, drawn.out) == (0, "picture.png\npicture.svg\n")
    assert "bare scripted:" in (hermetic / "work" / "picture.svg").read_text()


# ---------------------------------------------------------------- sample


def write_list(folder, *listed) -> None:
    (folder / "list.jsonl").write_text("".join(json.dumps(one) + "\n" for one in listed))


def test_a_list_of_requests_is_answered_and_nothing_is_run(gorilla, hermetic):
    script = write_script(hermetic / "s.toml", {"one": ["touch ran"], "two": [""], "three": ["no-such-program --x"]})
    work = hermetic / "work"
    write_list(work, {"id": 7, "request": "one"}, {"id": "b", "request": "two"}, {"id": "c", "request": "three"})
    ended = gorilla("bench", "sample", "--tasks", "list.jsonl", "--out", "out.jsonl", "--model", script)
    assert (ended.code, ended.out) == (0, ""), ended.err
    found = [(row["id"], row["candidates"], row["refused"]) for row in rows(work / "out.jsonl")]
    assert found == [(7, ["touch ran"], False), ("b", [], True), ("c", ["no-such-program --x"], False)]
    assert sorted(path.name for path in work.iterdir()) == ["list.jsonl", "out.jsonl", "out.manifest.json"]


def test_what_is_installed_here_does_not_weigh(gorilla, hermetic):
    """On an unknown machine the first attempt stays first, however unlike this one it is."""
    script = write_script(hermetic / "s.toml", {"one": ["no-such-program", "ls"]})
    write_list(hermetic / "work", {"id": 1, "request": "one"})
    gorilla("bench", "sample", "--tasks", "list.jsonl", "--out", "out.jsonl", "--model", script)
    assert rows(hermetic / "work" / "out.jsonl")[0]["candidates"] == ["no-such-program", "ls"]
    assert gorilla("--json", "--model", script, "one").json["candidates"][0]["command"] == "ls"


def test_a_list_goes_on_and_another_list_does_not(gorilla, hermetic):
    script = write_script(hermetic / "s.toml", {"one": ["echo 1"], "two": ["echo 2"]})
    work = hermetic / "work"
    arguments = ("bench", "sample", "--tasks", "list.jsonl", "--out", "out.jsonl", "--model", script)
    write_list(work, {"id": 1, "request": "one"}, {"id": 2, "request": "two"})
    assert gorilla(*arguments).code == 0
    whole = (work / "out.jsonl").read_text().splitlines(keepends=True)
    (work / "out.jsonl").write_text(whole[0] + whole[1][:9])
    assert gorilla(*arguments).code == 0
    assert [row["candidates"] for row in rows(work / "out.jsonl")] == [["echo 1"], ["echo 2"]]
    write_list(work, {"id": 1, "request": "two"})
    ended = gorilla(*arguments)
    assert ended.code == 2
    assert "another tasks_sha256" in ended.err


def test_bad_rows_are_reported_before_the_model_is_looked_at(gorilla, hermetic):
    (hermetic / "work" / "list.jsonl").write_text('{"id": 1, "request": "x"}\n{"id": 1, "request": "y"}\n[]\n')
    ended = gorilla("bench", "sample", "--tasks", "list.jsonl", "--out", "out.jsonl", "--model", "no-such-model")
    assert (ended.code, ended.out) == (2, "")
    assert "list.jsonl:2: the id 1 is that of line 1 too" in ended.err
    assert "list.jsonl:3: it is no object" in ended.err
    assert "2 rows of list.jsonl cannot be asked" in ended.err
    assert not (hermetic / "work" / "out.jsonl").exists()


def test_the_list_is_not_overwritten(gorilla, hermetic):
    write_list(hermetic / "work", {"id": 1, "request": "x"})
    before = (hermetic / "work" / "list.jsonl").read_text()
    ended = gorilla("bench", "sample", "--tasks", "list.jsonl", "--out", "./list.jsonl")
    assert ended.code == 2
    assert (hermetic / "work" / "list.jsonl").read_text() == before
