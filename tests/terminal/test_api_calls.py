"""An API call at a real terminal: chosen, filled in, agreed to and run; nothing runs that was not agreed to."""

from __future__ import annotations

import json
import re

import pytest

from tests.api_records import CLASSIFIERS, REMOVE, SHORTEN, WRAP, build, write
from tests.command_line import write_script
from tests.terminal.person import CTRL_C, CTRL_D, DOWN, ENTER, ESCAPE, UP, Person

MENU = "enter runs"
NOTE = {
    "domain": "Files",
    "framework": "pathlib",
    "functionality": "write words into a note",
    "api_name": "pathlib.Path",
    "api_call": "pathlib.Path('note.txt')",
    "example_code": "import pathlib\n\nTEXT = ...\nnote = pathlib.Path('note.txt')\nnote.write_text(TEXT)\n",
    "description": "A note in this folder.",
}
COUNT = {
    "domain": "Data",
    "framework": "collections",
    "functionality": "count how often each label comes",
    "api_name": "collections.Counter",
    "api_call": "collections.Counter()",
    "example_code": "import collections\n\nLABELS = ...\ncounts = collections.Counter()\ncounts.update(LABELS)\n"
    "[{'label': label, 'count': count} for label, count in counts.most_common()]\n",
    "description": "How often each label comes.",
}
WRITTEN, WRAPPED, SHORTENED = (record["functionality"] for record in (NOTE, WRAP, SHORTEN))


@pytest.fixture(autouse=True)
def work(ready, hermetic, gorilla):
    """Records of plain Python, added as a person would; the working directory."""
    folder = hermetic / "work"
    build(ready / "data" / "records.db", CLASSIFIERS)
    write(folder / "mine.jsonl", [NOTE, WRAP, SHORTEN, REMOVE, COUNT])
    assert gorilla("index", "add", "records", "mine.jsonl").code == 0
    (folder / "made").mkdir()
    return folder


def history(ready) -> list[dict]:
    file = ready / "state" / "history.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_a_call_is_chosen_filled_in_agreed_to_and_run(work, ready):
    with Person(["api", WRITTEN], rows=40) as person:
        shown = person.sees("> 1 pathlib.Path('note.txt')  caution", "! pathlib.Path.write_text changes files", MENU)
        assert "Files · pathlib" in shown
        assert "A note in this folder" in shown
        assert "files: no sandbox; the program can do what you can" in shown
        person.type(ENTER)
        person.sees("TEXT (text):")
        person.type("it's \\n here" + ENTER)
        shown = person.sees("Press y to run it")
        assert """  3 TEXT = "it's \\\\n here"\n""" in shown
        assert "no record in the index" not in shown
        assert not (work / "note.txt").exists()
        person.type("y")
        assert person.leaves() == 0
        assert person.text().split("\n")[-1] == "12"
    assert (work / "note.txt").read_text() == "it's \\n here"
    traces = [trace for trace in history(ready) if trace["request"] == WRITTEN]
    assert traces[-1]["exit_code"] == 0
    assert (traces[-1]["verdict"], traces[-1]["edited"]) == ("caution", False)
    assert """TEXT = "it's""" in traces[-1]["command"]


def test_another_call_is_chosen_and_its_result_printed():
    about = "Turns a paragraph into lines of at most twenty characters"
    with Person(["api", "truncate prose or wrap a paragraph"]) as person:
        shown = person.sees("textwrap.shorten(TEXT, WIDTH)", "textwrap.TextWrapper(width=20)", MENU)
        place = int(re.search(r"(\d) textwrap\.TextWrapper", shown)[1])
        other = "2" if place == 1 else "1"
        person.type(DOWN * (place - 1))
        person.sees(f"> {place} textwrap.TextWrapper(width=20)", f"  {other} textwrap.shorten", about)
        person.type(DOWN if place == 1 else UP)
        person.sees(f"> {other} textwrap.shorten", "Truncates prose at a blank")
        assert about not in person.text()
        person.type(str(place))
        person.sees("TEXT (text):")
        person.type("one two three four five six" + ENTER)
        assert person.leaves() == 0
        assert person.text().endswith("\none two three four\nfive six")
        assert "Press y" not in person.text()


def test_a_result_of_rows_is_a_table():
    with Person(["api", COUNT["functionality"]], rows=40) as person:
        person.sees(MENU)
        person.type("1")
        person.sees("LABELS (list, parts separated by ;):")
        person.type("cat; dog;cat;" + ENTER)
        assert person.leaves() == 0
        assert person.text().split("\n")[-3:] == ["label  count", "cat        2", "dog        1"]


def test_a_number_is_asked_for_as_one(work, monkeypatch):
    with Person(["api", SHORTENED], rows=40) as person:
        person.sees("> 1 textwrap.shorten(TEXT, WIDTH)  safe", MENU)
        person.type(ENTER)
        person.sees("TEXT (text):")
        person.type("2026" + ENTER)
        person.sees("WIDTH (number):")
        person.type("20" + ENTER)
        assert person.leaves() == 0
        assert "TEXT = '2026'" in person.text()
        assert "WIDTH = 20\n" in person.text()
        assert person.text().split("\n")[-1] == "2026"


def test_what_is_no_number_runs_nothing(ready):
    with Person(["api", SHORTENED], rows=40) as person:
        person.sees(MENU)
        person.type(ENTER)
        person.sees("TEXT (text):")
        person.type("words" + ENTER)
        person.sees("WIDTH (number):")
        person.type("many" + ENTER)
        assert person.leaves() == 3
        assert "'many' is no number; nothing was run" in person.text()
    assert history(ready) == []


CANCELLED = [
    ([ESCAPE], 3),
    (["q"], 3),
    ([CTRL_C], 130),
    ([ENTER, "TEXT (text):", ENTER], 3),
    ([ENTER, "TEXT (text):", CTRL_D], 3),
    ([ENTER, "TEXT (text):", CTRL_C], 130),
    ([ENTER, "TEXT (text):", "x" + ENTER, "Press y", "n"], 3),
    ([ENTER, "TEXT (text):", "x" + ENTER, "Press y", ENTER], 3),
    ([ENTER, "TEXT (text):", "x" + ENTER, "Press y", CTRL_C], 130),
    (["e", "TEXT (text):", "x" + ENTER, "edit> import pathlib", CTRL_C], 130),
    (["e", "TEXT (text):", "x" + ENTER, "edit> import pathlib", ENTER, "Press y", "n"], 3),
]


@pytest.mark.parametrize(("steps", "code"), CANCELLED, ids=[str(i) for i in range(len(CANCELLED))])
def test_leaving_at_any_step_runs_nothing(work, ready, steps, code):
    with Person(["api", WRITTEN], rows=40) as person:
        person.sees(MENU)
        for number, step in enumerate(steps):
            person.type(step) if number % 2 == 0 else person.sees(step)
        assert person.leaves() == code
        assert ("interrupted" if code == 130 else "nothing was run") in person.text()
    assert not (work / "note.txt").exists()
    assert history(ready) == []


def test_an_edited_program_is_checked_and_shown_again(work, ready):
    with Person(["api", WRAPPED], rows=40) as person:
        person.sees(MENU)
        person.type("e")
        person.sees("TEXT (text):")
        person.type("some words" + ENTER)
        person.sees("edit> import textwrap", "TEXT = 'some words'")
        person.type("open('new.txt', 'w').write(TEXT)" + ENTER)
        person.sees("  6 open('new.txt', 'w').write(TEXT)", "open opens a file to write", "Press y to run it")
        assert not (work / "new.txt").exists()
        person.type("y")
        assert person.leaves() == 0
    assert (work / "new.txt").read_text() == "some words"
    assert history(ready)[-1]["edited"]


def test_an_edit_that_changes_nothing_is_none(ready):
    with Person(["api", WRAPPED], rows=40) as person:
        person.sees(MENU)
        person.type("e")
        person.sees("TEXT (text):")
        person.type("some words" + ENTER)
        person.sees("edit> import textwrap", "TEXT = 'some words'")
        person.type(ENTER)
        assert person.leaves() == 0
        assert person.text().endswith("\nsome words")
    assert not history(ready)[-1]["edited"]


@pytest.mark.parametrize("agreed", [True, False])
def test_a_dangerous_program_needs_the_word_that_is_shown(work, agreed):
    with Person(["api", REMOVE["functionality"]], rows=40) as person:
        person.sees("> 1 shutil.rmtree('made')  dangerous", MENU)
        person.type(ENTER)
        word = re.search(r'Type "(\w+)" to run it', person.sees('" to run it'))[1]
        assert (work / "made").exists()
        person.type((word if agreed else "y") + ENTER)
        assert person.leaves() == (0 if agreed else 3)
    assert (work / "made").exists() != agreed


def test_a_question_mark_shows_the_record_once():
    with Person(["api", WRAPPED], columns=120, rows=40) as person:
        person.sees(MENU)
        person.type("?")
        shown = person.sees(f"textwrap.TextWrapper  {WRAPPED}", "[records:mine:textwrap.TextWrapper(width=20)]")
        assert shown.count("Turns a paragraph into lines of at most twenty characters") == 1
        person.type("q")
        assert person.leaves() == 3


def test_a_plain_terminal_asks_line_by_line(work):
    with Person(["api", WRITTEN], rows=60, TERM="dumb") as person:
        person.sees("1 pathlib.Path('note.txt')  caution", "q to leave:")
        person.type("1\n")
        person.sees("TEXT (text):")
        person.type("words\n")
        person.sees("Press y to run it")
        person.type("y")
        assert person.leaves() == 0
        assert b"\x1b" not in person.raw
    assert (work / "note.txt").read_text() == "words"


def test_the_program_ends_with_its_own_error_and_code(work, ready):
    (work / "note.txt").mkdir()
    with Person(["api", WRITTEN], rows=40) as person:
        person.sees(MENU)
        person.type(ENTER)
        person.sees("TEXT (text):")
        person.type("x" + ENTER)
        person.sees("Press y")
        person.type("y")
        assert person.leaves() == 1
        assert "gorilla: IsADirectoryError" in person.text()
    assert history(ready)[-1]["exit_code"] == 1


def test_stdout_gets_the_result_alone(work):
    with Person(f"$G api --form json {WRAPPED} > out.txt", rows=40) as person:
        person.sees(MENU)
        person.type(ENTER)
        person.sees("TEXT (text):")
        person.type("some words" + ENTER)
        assert person.leaves() == 0
    assert (work / "out.txt").read_text() == '"some words"\n'


def test_the_model_fills_in_a_call_and_it_runs(tmp_path):
    script = write_script(tmp_path / "own.toml", {"": ['{"text": "alpha beta gamma", "width": 12}']})
    with Person(["api", "--model", script, SHORTENED], rows=40) as person:
        person.sees("> 1 textwrap.shorten('alpha beta gamma', 12)  safe", MENU)
        person.type(ENTER)
        assert person.leaves() == 0
        assert person.text().split("\n")[-1] == "alpha [...]"
