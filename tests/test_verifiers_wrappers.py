"""Wrapper peeling: the command inside sudo, xargs, find -exec, bash -c and their like."""

from __future__ import annotations

import pytest

from gorilla_cli.verifiers.parser import Parser


@pytest.fixture(scope="module")
def parser():
    with Parser() as one:
        yield one


INNER = [
    ("sudo -u root -n FOO=1 rm x", "rm x"),
    ("sudo -nu root rm x", "rm x"),
    ("sudo --user=root rm x", "rm x"),
    ("doas rm x", "rm x"),
    ("su root -c 'rm x'", "rm x"),
    ("su -c 'rm x' root", "rm x"),
    ("runuser -u root -- rm x", "rm x"),
    ("env -i A=1 B=2 rm x", "rm x"),
    ("env -S 'rm x' y", "rm x y"),
    ("nice -n 10 rm x", "rm x"),
    ("nohup rm x", "rm x"),
    ("time -p rm x", "rm x"),
    ("/usr/bin/time -v rm x", "rm x"),
    ("timeout -k 5 -s KILL 60 rm x", "rm x"),
    ("setsid -w rm x", "rm x"),
    ("stdbuf -oL rm x", "rm x"),
    ("ionice -c 3 rm x", "rm x"),
    ("taskset -c 0 rm x", "rm x"),
    ("flock /tmp/l rm x", "rm x"),
    ("flock /tmp/l -c 'rm x'", "rm x"),
    ("script -qc 'rm x' /dev/null", "rm x"),
    ("command rm x", "rm x"),
    ("builtin echo x", "echo x"),
    ("exec -a ls rm x", "rm x"),
    ("xargs -0 -n 1 rm x", "rm x"),
    ("xargs -I{} rm a{}", "rm ?a{}"),
    ("find . -type f -exec rm {} \\;", "rm ?{}"),
    ("find . -ok rm {} +", "rm ?{}"),
    ("fd -e log -x rm", "rm"),
    ("parallel rm x ::: a b", "rm x"),
    ("parallel 'rm {}' ::: a b", "rm ?{}"),
    ("watch -n 1 rm x", "rm x"),
    ("eval rm x", "rm x"),
    ("eval 'rm x'", "rm x"),
    ("trap 'rm x' EXIT", "rm x"),
    ("sh -c 'rm x'", "rm x"),
    ("bash -lc 'rm x' a b", "rm x"),
    ("bash -o errexit -c 'rm x'", "rm x"),
    ("zsh -c 'rm x'", "rm x"),
    ("fish -c 'rm x'", "rm x"),
    ("bash <<< 'rm x'", "rm x"),
    ("bash <<E\nrm x\nE", "rm x"),
    ("ssh -p 22 host rm x", "rm x"),
    ("ssh host 'rm x'", "rm x"),
    ("docker exec -it -u root web rm x", "rm x"),
    ("docker run --rm -v /a:/b alpine rm x", "rm x"),
    ("kubectl exec -n prod db-0 -- rm x", "rm x"),
    ("ip netns exec blue rm x", "rm x"),
    ("git -C d bisect run rm x", "rm x"),
    ("busybox rm x", "rm x"),
    ("chroot /mnt rm x", "rm x"),
    ("strace -e open rm x", "rm x"),
    ('sudo env A=1 nice bash -c "timeout 5 rm x"', "rm x"),
]


@pytest.mark.parametrize(("text", "inner"), INNER)
def test_the_innermost_command_is_found(parser: Parser, text: str, inner: str):
    last = parser.parse(text).commands[-1]
    assert " ".join(f"?{word.raw}" if word.value is None else word.value for word in last.words) == inner


ALONE = [
    "sudo -l",
    "command -v rm",
    "trap -p",
    "bash script.sh",
    "bash -n x",
    "ssh host",
    "su - bob",
    "env",
    "xargs",
    "echo sudo rm",
]


@pytest.mark.parametrize("text", ALONE)
def test_nothing_is_found_where_nothing_is_wrapped(parser: Parser, text: str):
    assert len(parser.parse(text).commands) == 1


@pytest.mark.parametrize("text", ["bash -c 'rm -f x; ls'", 'sudo sh -c "rm -f x"', "eval 'rm -f x'"])
def test_spans_of_inner_commands_point_into_the_whole_text(parser: Parser, text: str):
    command = next(c for c in parser.parse(text).commands if c.program == "rm")
    assert [text[slice(*word.span)] for word in command.words] == ["rm", "-f", "x"]


def test_more_wrappers_than_a_person_can_follow():
    with Parser() as parser:
        assert parser.parse("nice " * 8 + "ls").problem == ""
        assert parser.parse("nice " * 9 + "ls").crashed


def test_the_wrapped_command_knows_where_it_comes_from(parser: Parser):
    outer, shell, inner = parser.parse("sudo sh -c 'cat' < f").commands
    assert (inner.wrappers, inner.outer, shell.outer) == (("sudo", "sh"), shell.number, outer.number)
    assert [redirect.target.value for redirect in shell.redirects] == ["f"]
