"""The whole way at a real terminal: menu, confirmation, run. Nothing runs that was not seen and agreed to."""

from __future__ import annotations

import re

import pytest

from tests.command_line import write_script
from tests.terminal.person import CTRL_C, CTRL_D, DOWN, ENTER, ESCAPE, UP, Person, asks, typed

MENU = "enter runs"


@pytest.fixture(autouse=True)
def work(ready, hermetic, monkeypatch):
    """Answers, and a note that must stay unless its removal is agreed to. Without retrieval: its imports take long."""
    monkeypatch.setenv("GORILLA_DOCS", "off")
    monkeypatch.setenv("GORILLA_CANDIDATES", "3")
    (hermetic / "work" / "note.txt").write_text("keep me")
    return hermetic / "work"


@pytest.fixture
def answering(tmp_path, monkeypatch):
    """`answering("rm x", ...)` makes these the candidates for every request."""

    def answer(*commands):
        monkeypatch.setenv("GORILLA_MODEL", write_script(tmp_path / "own.toml", {"": list(commands)}))

    return answer


def test_the_menu_shows_every_candidate_and_enter_runs_the_first():
    with Person(asks("three of them")) as person:
        shown = person.sees("1 echo one  safe", "2 echo two  safe", "3 echo three  safe", MENU)
        assert "> 1 echo one" in shown
        person.type(ENTER)
        assert person.leaves() == 0
        lines = person.text().split("\n")
        assert lines[-2:] == ["  echo one", "one"]
        assert MENU not in person.text()


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        ([UP, DOWN, DOWN, DOWN, DOWN, UP, ENTER], "two"),
        (["j", "\t", "k", "j", ENTER], "three"),
        (["4", "9", "3"], "three"),
    ],
)
def test_arrows_letters_and_digits_choose(keys, chosen):
    with Person(asks("three of them")) as person:
        person.sees(MENU)
        for key in keys:
            person.type(key)
        assert person.leaves() == 0
        assert person.text().split("\n")[-1] == chosen


@pytest.mark.parametrize("key", [ESCAPE, CTRL_D], ids=["escape", "ctrl-d"])
def test_leaving_the_menu_runs_nothing(key):
    with Person(asks("three of them")) as person:
        person.sees(MENU)
        person.type(key)
        assert person.leaves() == 3
        assert person.text() == "gorilla: nothing was run"


def test_ctrl_c_in_the_menu():
    with Person(asks("three of them")) as person:
        person.sees(MENU)
        person.type(CTRL_C)
        assert person.leaves() == 130
        assert person.text() == "gorilla: interrupted"


def test_caution_is_confirmed_with_y(work):
    with Person(asks("the careful one")) as person:
        person.sees("1 rm note.txt  caution", "! deletes files")
        person.type(ENTER)
        person.sees("Press y to run it")
        assert (work / "note.txt").exists()
        person.type("y")
        assert person.leaves() == 0
    assert not (work / "note.txt").exists()


@pytest.mark.parametrize("key", ["n", ENTER])
def test_any_other_key_than_y_leaves(work, key):
    with Person(asks("the careful one")) as person:
        person.sees(MENU)
        person.type(ENTER)
        person.sees("Press y to run it")
        person.type(key)
        assert person.leaves() == 3
        assert "nothing was run" in person.text()
    assert (work / "note.txt").exists()


@pytest.mark.parametrize("question", ["Press y", "Type "])
def test_ctrl_c_at_a_question(work, answering, question):
    answering("rm note.txt" if question == "Press y" else "rm -rf ../work")
    with Person(typed("x") + "; stty -a") as person:
        person.sees(MENU)
        person.type(ENTER)
        person.sees(question)
        person.type(CTRL_C)
        person.leaves()
        assert "gorilla: interrupted" in person.text()
        assert re.search(r"(?<!-)icanon", person.text())
        assert re.search(r"(?<!-)\becho\b", person.text())
    assert (work / "note.txt").exists()


def word_on(screen: str) -> str:
    return re.search(r'Type "(\w+)" to run it', screen)[1]


def test_dangerous_is_confirmed_with_the_word_that_is_shown(work, answering):
    answering("rm -rf ../work/note.txt")
    with Person(asks("x")) as person:
        person.sees("dangerous", MENU)
        person.type(ENTER)
        word = word_on(person.sees('" to run it'))
        assert (work / "note.txt").exists()
        person.type(word + ENTER)
        assert person.leaves() == 0
    assert not (work / "note.txt").exists()


@pytest.mark.parametrize("typed", ["y", "", "{word}x"])
def test_a_wrong_word_leaves(work, answering, typed):
    answering("rm -rf ../work/note.txt")
    with Person(asks("x")) as person:
        person.sees(MENU)
        person.type(ENTER)
        word = word_on(person.sees('" to run it'))
        person.type(typed.format(word=word) + ENTER)
        assert person.leaves() == 3
    assert (work / "note.txt").exists()


def test_the_end_of_input_at_the_word_leaves(work, answering):
    answering("rm -rf ../work/note.txt")
    with Person(asks("x")) as person:
        person.sees(MENU)
        person.type(ENTER)
        person.sees('" to run it')
        person.type(CTRL_D)
        assert person.leaves() == 3
    assert (work / "note.txt").exists()


def test_what_was_typed_ahead_confirms_nothing(work):
    with Person(asks("the careful one"), TERM="dumb") as person:
        person.sees("q to leave:")
        person.type("1\nyyyy\n")
        person.sees("Press y to run it")
        person.type("n")
        assert person.leaves() == 3
    assert (work / "note.txt").exists()


@pytest.mark.parametrize("keys", ["1", CTRL_D], ids=["1", "ctrl-d"])
def test_what_was_typed_before_the_menu_is_there_does_not_choose(work, answering, keys):
    answering("touch made")
    with Person("echo wait; sleep 0.1; " + typed("x")) as person:
        person.sees("wait")
        person.type(keys)
        person.sees(MENU)
        person.type(DOWN)
        assert not (work / "made").exists()
        person.type("1")
        assert person.leaves() == 0
    assert (work / "made").exists()


def test_an_edited_command_is_checked_and_shown_again(work):
    with Person(asks("the safe one")) as person:
        person.sees(MENU)
        person.type("e")
        person.sees("edit> echo hello")
        person.type("\x15rm note.txt" + ENTER)
        shown = person.sees("Press y to run it")
        assert "deletes files" in shown
        assert "\n  rm note.txt\n" in shown
        person.type("y")
        assert person.leaves() == 0
    assert not (work / "note.txt").exists()


def test_editing_and_leaving_runs_nothing(work):
    for keys, code in (("\x15" + ENTER, 3), (CTRL_C, 130)):
        with Person(asks("the careful one")) as person:
            person.sees(MENU)
            person.type("e")
            person.sees("edit> rm note.txt")
            person.type(keys)
            assert person.leaves() == code
    assert (work / "note.txt").exists()


def test_a_blank_is_asked_for_before_anything_can_run(answering):
    answering("cat <file>")
    with Person(asks("show the note")) as person:
        person.sees("<file>", MENU)
        person.type(ENTER)
        person.sees("fill in <file>:", "edit> cat <file>")
        person.type("\x15cat note.txt" + ENTER)
        assert person.leaves() == 0
        assert person.text().split("\n")[-1] == "keep me"


def test_an_edited_command_is_recorded_as_edited():
    with Person(typed("the safe one") + "; $G history") as person:
        person.sees(MENU)
        person.type("e")
        person.sees("edit> echo hello")
        person.type(" world" + ENTER)
        person.leaves()
        assert "echo hello world (edited)" in person.text()


def test_a_question_mark_shows_the_documentation_and_hides_it_again():
    with Person(asks("documented")) as person:
        person.sees(MENU)
        person.type("?")
        person.sees("-a", "include hidden entries", "[ls]")
        person.type("?")
        person.sees_no_more("include hidden entries")
        person.type("q")
        assert person.leaves() == 3


@pytest.mark.parametrize(("command", "code"), [("exit 7", 7), ("kill -TERM $$", 143)])
def test_the_exit_code_of_the_command(answering, command, code):
    answering(command)
    with Person(asks("x")) as person:
        shown = person.sees(MENU)
        person.type(ENTER)
        if "caution" in shown:
            person.sees("Press y")
            person.type("y")
        assert person.leaves() == code


def test_ctrl_c_while_the_command_runs_is_for_the_command(answering):
    answering("trap 'echo caught; exit 9' INT; echo rea''dy; while :; do sleep 0.1; done")
    with Person(asks("x")) as person:
        shown = person.sees(MENU)
        person.type(ENTER)
        if "caution" in shown:
            person.sees("Press y")
            person.type("y")
        person.sees("ready")
        person.type(CTRL_C)
        assert person.leaves() == 9
        assert "caught" in person.text()
