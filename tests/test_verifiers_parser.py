"""The parser: every simple command is found wherever it hides, and nothing a child does reaches the parent."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gorilla_cli.verifiers.commands import Parsed
from gorilla_cli.verifiers.parser import LONGEST, MOST_COMMANDS, TOO_LONG, UNANALYSABLE, Parser


@pytest.fixture(scope="module")
def parser():
    with Parser() as one:
        yield one


def argv(parsed: Parsed) -> list[list[str]]:
    """The words of each command, dynamic ones as `?raw`."""
    return [[f"?{w.raw}" if w.value is None else w.value for w in c.words] for c in parsed.commands if c.words]


FOUND = [
    ("ls -l", [["ls", "-l"]]),
    ("a | b && c || d; e &", [["a"], ["b"], ["c"], ["d"], ["e"]]),
    ("FOO=1 ls > out -la", [["ls", "-la"]]),
    ("! grep -q x f", [["grep", "-q", "x", "f"]]),
    ("time ls", [["time", "ls"], ["ls"]]),
    ("time { rm a; }", [["time", "{", "rm", "a"], ["rm", "a"]]),
    ("coproc X { rm a; }", [["coproc", "X", "{", "rm", "a"], ["rm", "a"]]),
    ("echo $(rm a)", [["echo", "?$(rm a)"], ["rm", "a"]]),
    ("echo `rm a`", [["echo", "?`rm a`"], ["rm", "a"]]),
    ("cat <(rm a)", [["cat", "?<(rm a)"], ["rm", "a"]]),
    ("x=$(rm a)", [["rm", "a"]]),
    ("a=(1 $(rm a))", [["rm", "a"]]),
    ("if a; then b; else c; fi", [["a"], ["b"], ["c"]]),
    ("for i in $(a); do b; done", [["a"], ["b"]]),
    ("while a; do b; done < f", [["a"], ["b"]]),
    ("case $1 in x) a;; esac", [["a"]]),
    ("f() { rm a; }", [["rm", "a"]]),
    ("{ a; } > f", [["a"]]),
    ("(a)", [["a"]]),
    ("[[ -v a[$(rm a)] ]]", [["[[", "]]"], ["rm", "a"]]),
    ("echo $((a[$(rm a)]))", [["echo", "?$((a[$(rm a)]))"], ["rm", "a"]]),
    ("cat <<E\n$(rm a)\nE", [["cat"], ["rm", "a"]]),
    ("cat <<'E'\n$(rm a)\nE", [["cat"]]),
    ("cat <<E | sh\nhi\nE", [["cat"], ["sh"]]),
    ("cat <<E && b\nhi\nE\nc", [["cat"], ["b"], ["c"]]),
    ("r\\\nm a", [["rm", "a"]]),
    ("rm /{a,b}", [["rm", "/a", "/b"]]),
    ("exec 3<>/dev/tcp/h/1", [["exec"]]),
    ("echo {🚀,🎉} # rm", [["echo", "🚀", "🎉"]]),
    ("# rm a", []),
]


@pytest.mark.parametrize(("text", "words"), FOUND)
def test_commands_are_found_wherever_they_hide(parser: Parser, text: str, words: list[list[str]]):
    parsed = parser.parse(text)
    assert (argv(parsed), parsed.problem, parsed.errors) == (words, "", ())


LINE_ENDS = ["\n", "\n\n", " \n  ", "\n# note\n", "  # note\n", "\n# a\n # b\n\n", "; # é \U0001f600\n", " # é\n"]


BEFORE = ["a | b | c", "a | b | c | d -x", "a 2> e | b | c -y", "a | b | c \\\\", "a | b | c x\\\\"]


@pytest.mark.parametrize("end", LINE_ENDS)
@pytest.mark.parametrize("first", BEFORE)
def test_a_line_after_a_pipeline_is_a_command_of_its_own(parser: Parser, first: str, end: str):
    """The grammar takes it for operands of the pipeline's last command when it has a redirect."""
    text = f"{first}{end}rm -rf /home > log"
    parsed = parser.parse(text)
    assert argv(parsed)[-1] == ["rm", "-rf", "/home"]
    assert parsed.text == text
    assert [text[slice(*word.span)] for word in parsed.commands[-1].words] == ["rm", "-rf", "/home"]


def test_a_continued_line_stays_one_command(parser: Parser):
    assert argv(parser.parse("a | b | c \\\n d > e")) == [["a"], ["b"], ["c", "d"]]


def test_spans_are_characters_also_after_wide_ones(parser: Parser):
    text = "echo 'añ🚀' | grep -c ü"
    spans = [[text[slice(*word.span)] for word in command.words] for command in parser.parse(text).commands]
    assert spans == [["echo", "'añ🚀'"], ["grep", "-c", "ü"]]


def test_redirects_assignments_and_context(parser: Parser):
    outer, inner = parser.parse("A=1 x=2 foo $(bar) < in 2>&1 > out &>> log 5<> /dev/x").commands
    assert [(r.operator, r.target.value, r.writes) for r in outer.redirects if r.target] == [
        ("<", "in", False),
        (">&", "1", False),
        (">", "out", True),
        ("&>>", "log", True),
        ("<>", "/dev/x", True),
    ]
    assert [(a.name, a.value.value) for a in outer.assignments] == [("A", "1"), ("x", "2")]
    assert (outer.context, inner.context, inner.number in outer.sources) == ("", "substitution", True)


def test_what_feeds_a_command(parser: Parser):
    def upstream(text: str, program: str) -> set[str]:
        parsed = parser.parse(text)
        return {c.program for found in parsed.commands if found.program == program for c in parsed.upstream(found)}

    assert upstream("a | b | c", "c") == {"a", "b"}
    assert upstream("a | b && c", "c") == set()
    assert upstream("{ a; b; } | c", "c") == {"a", "b"}
    assert upstream("a | while read l; do c; done", "c") == {"a"}
    assert upstream("c <(a) $(b)", "c") == {"a", "b"}
    assert upstream("a | sudo c", "c") == {"a"}
    assert upstream("sudo a | c", "c") == {"sudo", "a"}
    assert upstream("b | tee >(c)", "c") == {"b", "tee"}


HIDDEN = ["echo ${x:-`rm a`}", "cat <<E\n`rm a`\nE", "r``m a"]


@pytest.mark.parametrize("text", HIDDEN)
def test_a_substitution_the_tree_does_not_show_is_a_problem(parser: Parser, text: str):
    assert "hides a substitution" in parser.parse(text).problem


@pytest.mark.parametrize(
    "text", ["echo '`x` $(y)'", r"echo \`x\`", "cat <<'E'\n`x`\nE", "ls # `x`", 'echo "$a $(b "$c")"']
)
def test_quoted_substitutions_are_no_problem(parser: Parser, text: str):
    assert parser.parse(text).problem == ""


@pytest.mark.parametrize("text", ["if x then", "ls ((", "echo 'open", "a | | b", "for"])
def test_what_is_not_shell_has_errors(parser: Parser, text: str):
    assert parser.parse(text).errors


@pytest.mark.parametrize("text", ["{\U0009d000", "echo {\U00100000", "ls {\U000f0000,\U000e0041}", "{\U0009c000; rm a"])
def test_text_that_crashes_the_grammar_never_reaches_it(parser: Parser, text: str):
    parser.parse("ls")
    child = parser.pid
    assert (parser.parse(text).problem, parser.parse(text).crashed, parser.pid) == (UNANALYSABLE, True, child)


def test_too_long_to_review(parser: Parser):
    assert parser.parse("ls " + "a" * LONGEST).problem == TOO_LONG
    assert parser.parse("ü" * (LONGEST // 2 + 1)).problem == TOO_LONG
    assert parser.parse("; ".join(["true"] * MOST_COMMANDS)).problem == ""
    assert parser.parse("; ".join(["true"] * (MOST_COMMANDS + 1))).problem == TOO_LONG
    assert parser.parse("$(" * 100 + "ls" + ")" * 100).crashed


def test_a_killed_child_is_replaced(parser: Parser):
    for number in range(5):
        parser.parse(f"ls {number}")
        os.kill(parser.pid, signal.SIGKILL)
        assert argv(parser.parse(f"echo {number}")) == [["echo", str(number)]]


def test_a_stuck_child_is_killed_and_replaced():
    with Parser(seconds=0.2) as parser:
        parser.parse("ls")
        stuck = parser.pid
        os.kill(stuck, signal.SIGSTOP)
        assert (parser.parse("echo 1").problem, parser.parse("echo 1").problem) == (UNANALYSABLE, "")
        assert parser.pid != stuck


def test_the_child_is_limited_and_leaves_with_the_parser():
    with Parser() as parser:
        parser.parse("ls")
        pid = parser.pid
        if sys.platform == "linux":
            lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
            limits = {line[:26].strip(): line[26:].split()[0] for line in lines}
            assert (limits["Max address space"], limits["Max core file size"]) == (str(512 << 20), "0")
    assert parser.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_child_ends_when_its_parent_goes_away():
    parser = Parser()
    parser.parse("ls")
    child = parser._child
    child.stdin.close()
    assert child.wait(10) == 0
    parser.close()


def test_start_does_not_wait_and_a_closed_parser_starts_again():
    parser = Parser()
    parser.start()
    pid = parser.pid
    assert argv(parser.parse("ls")) == [["ls"]]
    assert parser.pid == pid
    parser.close()
    assert argv(parser.parse("pwd")) == [["pwd"]]
    parser.close()


def test_threads_share_one_parser(parser: Parser):
    texts = [f"echo {number} | cat" for number in range(64)]
    with ThreadPoolExecutor(8) as pool:
        assert [argv(p)[0][1] for p in pool.map(parser.parse, texts)] == [str(number) for number in range(64)]
