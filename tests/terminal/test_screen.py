"""What a real terminal shows, what stdout gets, and the state in which the terminal is left."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.command_line import write_script
from tests.terminal.person import CTRL_C, DOWN, ENTER, Person, asks, typed

MENU = "enter runs"
PROMPT = "q to leave:"
COLOUR = re.compile(rb"\x1b\[(?!0?m)[0-9;]*m")


@pytest.fixture(autouse=True)
def work(ready, hermetic, monkeypatch):
    monkeypatch.setenv("GORILLA_DOCS", "off")
    monkeypatch.setenv("GORILLA_CANDIDATES", "3")
    return hermetic / "work"


@pytest.fixture
def answering(tmp_path, monkeypatch):
    """`answering("rm x", ...)` makes these the candidates for every request."""

    def answer(*commands):
        monkeypatch.setenv("GORILLA_MODEL", write_script(tmp_path / "own.toml", {"": list(commands)}))

    return answer


def agree(person: Person, shown: str) -> None:
    """Run the first candidate, of any verdict."""
    person.type(ENTER)
    if "dangerous" in shown:
        word = re.search(r'Type "(\w+)" to run it', person.sees('" to run it'))[1]
        person.type(word + ENTER)
    elif "caution" in shown:
        person.sees("Press y to run it")
        person.type("y")


def test_stdout_gets_the_output_of_the_command_and_nothing_else(work):
    with Person(typed("three of them") + " > out.txt") as person:
        person.sees("1 echo one", MENU)
        person.type("2")
        assert person.leaves() == 0
        assert person.text().strip() == "echo two"
    assert (work / "out.txt").read_text() == "two\n"


def test_the_menu_is_on_stderr_so_that_a_shell_can_capture_stdout(work):
    with Person(f'x=$({typed("three of them")}); echo "<$x> $?"') as person:
        person.sees("3 echo three", MENU)
        person.type(DOWN + DOWN + ENTER)
        assert person.leaves() == 0
        assert person.text().split("\n")[-1] == "<three> 0"


def test_a_pipe_is_context_while_the_keys_come_from_the_terminal(answering):
    answering("wc -c")
    with Person("printf 12345 | " + typed("count") + " 2>/dev/tty | cat") as person:
        agree(person, person.sees(MENU))
        assert person.leaves() == 0
        assert person.text().split("\n")[-1].strip() == "5"


def test_stderr_elsewhere_means_nobody_can_be_asked(work):
    with Person(typed("the safe one") + " 2> err.txt") as person:
        assert person.leaves() == 3
        assert person.text() == ""
    assert "no terminal to confirm on" in (work / "err.txt").read_text()


def test_a_command_may_ask_on_the_terminal_itself(answering):
    answering("read -rs -p 'Password: ' x </dev/tty 2>/dev/tty && echo \"got ${#x} letters\"")
    with Person(asks("x")) as person:
        agree(person, person.sees(MENU))
        person.sees("\nPassword:")
        person.type("secret" + ENTER)
        assert person.leaves() == 0
        assert "got 6 letters" in person.text()
        assert "secret" not in person.text()


MODES = "stty -a > {0}; $G {1}; code=$?; stty -a > {0}.after; cmp {0} {0}.after && echo restored $code"


@pytest.mark.skipif(not shutil.which("less"), reason="less is not installed")
def test_a_full_screen_program_has_the_terminal_and_leaves_it_as_it_was(answering, work):
    answering("less numbers.txt")
    (work / "numbers.txt").write_text("".join(f"line {i}\n" for i in range(500)))
    with Person(MODES.format("modes", "x")) as person:
        agree(person, person.sees(MENU))
        person.sees("line 0", "line 20")
        person.type("G")
        person.sees("line 499")
        person.type("q")
        assert person.leaves() == 0
        assert "restored 0" in person.text()


@pytest.mark.parametrize(("keys", "code"), [(CTRL_C, 130), ("1", 0)], ids=["ctrl-c", "run"])
def test_the_modes_of_the_terminal_are_restored(keys, code):
    with Person(MODES.format("modes", "three of them")) as person:
        person.sees(MENU)
        person.type(keys)
        person.leaves()
        assert person.text().endswith(f"restored {code}")
        assert not person.hides_cursor()


def test_a_plain_terminal_gets_a_list_and_a_line():
    with Person(asks("three of them"), TERM="dumb") as person:
        shown = person.sees("1 echo one  safe", "3 echo three  safe", PROMPT)
        assert MENU not in shown
        person.type("? 2\n")
        person.sees("nothing in this command has documentation here")
        person.type("3\n")
        assert person.leaves() == 0
        assert person.text().split("\n")[-2:] == ["  echo three", "three"]
        assert b"\x1b" not in person.raw


@pytest.mark.parametrize("answer", ["", "hello", "9"])
def test_any_other_line_leaves_on_a_plain_terminal(answer):
    with Person(asks("three of them"), TERM="dumb") as person:
        person.sees(PROMPT)
        person.type(answer + "\n")
        assert person.leaves() == 3
        assert "nothing was run" in person.text()


def test_editing_on_a_plain_terminal():
    with Person(asks("three of them"), TERM="dumb") as person:
        person.sees(PROMPT)
        person.type("e2\n")
        person.sees("edit> echo two")
        person.type(" more" + ENTER)
        assert person.leaves() == 0
        assert person.text().endswith("two more")


LONG = "echo " + " ".join(f"word{i}" for i in range(60))


def test_forty_columns_show_the_whole_command(answering):
    answering(LONG)
    with Person(asks("x"), columns=40) as person:
        shown = person.sees("word59", "safe", "q leaves")
        assert max(map(len, shown.split("\n"))) <= 40
        assert LONG.replace(" ", "") in shown.replace("\n", "").replace(" ", "")
        person.type("q")
        assert person.leaves() == 3


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, True), ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False)],
)
def test_colours_are_a_choice(environment, coloured):
    with Person(asks("the careful one"), **environment) as person:
        person.sees("1 rm note.txt  caution", MENU)
        person.type("q\n")
        person.leaves()
        assert bool(COLOUR.search(person.raw)) == coloured


HOSTILE = "echo a\x1b[2J\x1b[1;1H\x1b[31mEVIL\x1b]0;title\x07\x9b5A\x1bc\r\x08\x08b"
SPELLED = r"echo a\x1b[2J\x1b[1;1H\x1b[31mEVIL\x1b]0;title\x07\x9b5A\x1bc\x0d\x08\x08b"


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_the_model_cannot_drive_the_terminal(answering, term):
    answering(HOSTILE)
    with Person("echo before; " + typed("x"), columns=100, TERM=term) as person:
        # What is typed before the question stands is thrown away.
        shown = person.sees("before", SPELLED, "dangerous", PROMPT if term == "dumb" else MENU)
        assert shown.startswith("before")
        person.type("1\n" if term == "dumb" else "1")
        shown = person.sees('" to run it')
        assert shown.count(SPELLED) == (2 if term == "dumb" else 1)
        person.type(ENTER)
        assert person.leaves() == 3
        assert person.title() == ""
        assert b"\x1b[31mEVIL" not in person.raw
        assert b"\x1b]0;" not in person.raw


def test_the_words_of_the_request_cannot_either():
    with Person("echo before; $G --model $'no\\x1b[2Jsuch' x") as person:
        assert person.leaves() == 2
        assert person.text().startswith("before\ngorilla: no model is called no\\x1b[2Jsuch")


def test_a_hidden_second_line_is_shown_and_numbered(answering):
    answering("echo one\ntouch made")
    with Person(asks("x")) as person:
        shown = person.sees("echo one", "touch made", "has more than one line", MENU)
        assert "caution" in shown
        person.type(ENTER)
        person.sees("  1 echo one\n  2 touch made\n", "Press y")
        person.type("n")
        assert person.leaves() == 3


def test_blanks_cannot_push_the_end_off_the_screen(answering):
    answering("echo one" + " " * 200 + "; touch made")
    with Person(asks("x")) as person:
        shown = person.sees("␠×8", "touch made", "dangerous")
        assert "hides its end behind 200 blanks" in shown
        person.type("q")
        assert person.leaves() == 3


def test_a_paste_chooses_nothing(work, answering):
    answering("touch made")
    with Person(asks("x")) as person:
        person.sees(MENU)
        person.type("\x1b[200~1\r1\n\x1b[201~")
        person.type("?")
        person.sees("nothing in this command has documentation here")
        person.type("q")
        assert person.leaves() == 3
    assert not (work / "made").exists()


def test_the_whole_way_with_documents_and_the_history(monkeypatch):
    monkeypatch.delenv("GORILLA_DOCS")
    with Person(typed("documented", "--debug") + "; $G history") as person:
        person.sees("1 ls -lah  safe", MENU)
        person.type(ENTER)
        assert person.leaves() == 0
        assert "ls -lah  # documented" in person.text()
        assert "tokens" in person.text()
        assert re.search(r"total \d", person.text())
