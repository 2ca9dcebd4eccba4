"""`gorilla WORDS`: what is printed where, what runs, and what is read from a pipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import pytest

from gorilla_cli.cli import ask
from gorilla_cli.cli.ask import CONTEXT_BYTES
from tests.command_line import Ended, apart, environment, write_script

NUMBER = (int, float)
# What README promises of --json: names and types, all the way down. A list has one kind of element.
CONTRACT = {
    "schema": int,
    "request": {"text": str, "context": str, "shell": str, "cwd": str, "platform": str},
    "model": {"name": str, "sha256": str, "backend": str},
    "hits": [{"doc": str, "title": str, "source": str, "score": NUMBER}],
    "candidates": [
        {
            "kind": str,
            "command": str,
            "verdict": str,
            "was": str,
            "findings": [{"check": str, "level": str, "message": str, "span": (list, type(None))}],
            "cites": [{"token": str, "doc": str, "text": str}],
        }
    ],
    "timings_ms": dict.fromkeys(("retrieve", "load", "prompt", "generate", "verify", "total"), NUMBER),
    "tokens": dict.fromkeys(("prompt", "cached", "generated"), int),
}


def deviations(value, contract, path="$") -> list[str]:
    """Where `value` is not of the shape of `contract`."""
    if isinstance(contract, dict):
        if not isinstance(value, dict) or value.keys() != contract.keys():
            return [f"{path}: {value!r}"]
        return [fault for key in contract for fault in deviations(value[key], contract[key], f"{path}.{key}")]
    if isinstance(contract, list):
        if not isinstance(value, list):
            return [f"{path}: {value!r}"]
        return [fault for i, one in enumerate(value) for fault in deviations(one, contract[0], f"{path}[{i}]")]
    return [] if isinstance(value, contract) and not isinstance(value, bool) else [f"{path}: {value!r}"]


def proposal(ended: Ended) -> dict:
    assert (ended.code, ended.err, ended.out.count("\n")) == (0, "", 1)
    return ended.json


def test_print_gives_the_command_alone(gorilla):
    assert gorilla("--print", "the", "safe", "one") == Ended(0, "echo hello\n", "")


def test_print_warns_on_stderr(gorilla):
    ended = gorilla("the dangerous one", "--print")
    assert (ended.code, ended.out) == (0, "rm -rf ~\n")
    assert all(line.startswith("! ") for line in ended.err.splitlines())
    assert "cannot be undone" in ended.err


def test_print_gives_a_program_the_exact_bytes(gorilla):
    ended = gorilla("--print", "hidden")
    assert ended.out == "echo a\x1b[2Jb\x07\n"
    assert "\x1b" not in ended.err


def test_json_keeps_its_contract(gorilla, ready):
    found = proposal(gorilla("--json", "-n", "3", "three of them"))
    assert deviations(found, CONTRACT) == []
    assert found["schema"] == 1
    assert found["request"] == {
        "text": "three of them",
        "context": "",
        "shell": "bash",
        "cwd": os.getcwd(),
        "platform": "linux" if sys.platform == "linux" else "macos",
    }
    assert found["model"]["backend"] == "scripted"
    assert len(found["model"]["sha256"]) == 64
    assert [one["command"] for one in found["candidates"]] == ["echo one", "echo two", "echo three"]
    assert found["timings_ms"]["total"] >= found["timings_ms"]["verify"] > 0


@pytest.mark.parametrize(
    ("words", "verdict", "checks"),
    [
        ("the safe one", "safe", set()),
        ("the careful one", "caution", {"policy"}),
        ("the dangerous one", "dangerous", {"policy"}),
        ("an unknown option", "caution", {"option"}),
        ("hidden", "dangerous", {"characters"}),
    ],
)
def test_json_tells_the_verdict_and_why(gorilla, words, verdict, checks):
    candidate = proposal(gorilla("--json", words))["candidates"][0]
    complaints = [finding for finding in candidate["findings"] if finding["level"] != "info"]
    assert candidate["verdict"] == verdict
    assert {finding["check"] for finding in complaints} == checks
    for finding in complaints:
        start, end = finding["span"]
        assert 0 <= start < end <= len(candidate["command"])


def test_json_cites_the_documentation(gorilla):
    found = proposal(gorilla("--json", "documented"))["candidates"][0]
    assert {cite["token"] for cite in found["cites"]} == {"-l", "-a", "-h"}
    assert "hidden" in {cite["token"]: cite["text"] for cite in found["cites"]}["-a"]


def test_json_is_ascii_so_that_no_terminal_obeys_it(gorilla):
    assert gorilla("--json", "hidden").out.isascii()
    assert "\x1b" not in gorilla("--json", "hidden").out


@pytest.mark.parametrize(("arguments", "n"), [(("-n3",), 3), (("-n", "1"), 1), ((), 2)])
def test_n_is_the_number_of_candidates(gorilla, arguments, n):
    found = proposal(gorilla("--json", "--no-docs", *arguments, "three of them"))
    assert len(found["candidates"]) == n


def test_a_value_that_means_something_else_is_corrected(gorilla, hermetic, monkeypatch):
    script = write_script(hermetic / "own.toml", {"": ["find . -type f -mtime +7"]})
    monkeypatch.setenv("GORILLA_MODEL", script)
    first, second = proposal(gorilla("--json", "files here that changed in the last 7 days"))["candidates"]
    assert (first["command"], first["was"]) == ("find . -type f -mtime -7", "find . -type f -mtime +7")
    assert (second["command"], second["was"]) == ("find . -type f -mtime +7", "")
    assert [finding["check"] for finding in second["findings"] if finding["level"] == "caution"] == ["value"]
    assert first["findings"] == []


def test_no_docs_means_no_retrieval_but_the_options_are_still_looked_up(gorilla):
    found = proposal(gorilla("--json", "--no-docs", "documented"))
    assert found["hits"] == []
    assert len(found["candidates"][0]["cites"]) == 3
    assert len(proposal(gorilla("--json", "list hidden files documented"))["hits"]) > 0


def test_the_model_option_goes_before_the_setting(gorilla, tmp_path):
    other = tmp_path / "other.toml"
    other.write_text('[[answer]]\nmatch = "x"\ncompletions = ["echo other"]\n')
    assert gorilla("--print", f"--model=scripted:{other}", "x").out == "echo other\n"


def test_words_are_the_request_whatever_they_look_like(gorilla):
    found = proposal(gorilla("--json", "--", "setup", "three of them", "--json", "\x1b[31mred"))
    assert found["request"]["text"] == "setup three of them --json [31mred"


def test_yes_runs_a_safe_one_and_passes_its_exit_code_through(gorilla, ready):
    ended = gorilla("--yes", "the safe one")
    assert (ended.code, ended.out) == (0, "hello\n")
    assert "echo hello" in ended.err
    assert gorilla("--yes", "a failing one").code == 1


@pytest.mark.parametrize("words", ["the careful one", "the dangerous one", "an unknown option", "hidden"])
def test_yes_runs_nothing_else(gorilla, words, hermetic):
    (hermetic / "work" / "note.txt").write_text("keep me")
    ended = gorilla("--yes", words)
    assert (ended.code, ended.out) == (3, "")
    assert "--yes runs safe commands only" in ended.err
    assert (hermetic / "work" / "note.txt").exists()


def test_without_a_terminal_nothing_is_run(gorilla, hermetic):
    (hermetic / "work" / "note.txt").write_text("keep me")
    ended = gorilla("the careful one")
    assert (ended.code, ended.out) == (3, "")
    proposal, error = ended.err.split("gorilla: ")
    assert proposal.startswith("  1 rm ") and "caution" in proposal
    assert error == (
        "there is no terminal to confirm on, so nothing was run\n"
        "  next: use --print for the command alone, or --yes to run a safe one\n"
    )
    assert (hermetic / "work" / "note.txt").exists()


def test_debug_shows_times_and_tokens_on_stderr(gorilla):
    ended = gorilla("--debug", "--print", "the safe one")
    assert ended.out == "echo hello\n"
    assert "retrieve" in ended.err
    assert "tokens" in ended.err


def test_what_is_piped_is_context_and_still_reaches_the_command(ready):
    found = proposal(apart("--json", "read stdin", input=b"one\ntwo\n"))
    assert found["request"]["context"] == "one\ntwo\n"
    big = b"x" * (3 * CONTEXT_BYTES)
    ended = apart("--yes", "read stdin", input=big)
    assert (ended.code, ended.out.strip()) == (0, str(len(big)))


def test_a_redirected_file_is_read_from_its_beginning_by_the_command(ready, tmp_path):
    file = tmp_path / "data"
    file.write_bytes(b"y" * (CONTEXT_BYTES + 5))
    with open(file, "rb") as stream:
        ended = apart("--yes", "read stdin", stdin=stream)
    assert (ended.code, ended.out.strip()) == (0, str(CONTEXT_BYTES + 5))


def test_context_is_bounded_and_made_harmless(ready):
    found = proposal(apart("--json", "read stdin", input=b"\xff\x00\x1b[31m" + b"z" * CONTEXT_BYTES))
    context = found["request"]["context"]
    assert context.startswith("\ufffd[31mz")
    assert len(context) <= CONTEXT_BYTES


LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_DATA, (400 << 20, 400 << 20))
from gorilla_cli.__main__ import main
main()
"""


def test_a_gigabyte_on_stdin_neither_hangs_nor_is_kept(ready):
    feed = subprocess.Popen(["head", "-c", "1G", "/dev/zero"], stdout=subprocess.PIPE)
    command = [sys.executable, "-c", LIMITED, "--json", "read stdin"]
    done = subprocess.run(command, stdin=feed.stdout, capture_output=True, timeout=60, check=False)
    feed.stdout.close()
    feed.wait()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["request"]["context"] == ""  # it was all NUL


def test_a_silent_open_stdin_does_not_hang(ready):
    reading, writing = os.pipe()
    try:
        ended = apart("--print", "the safe one", stdin=reading)
    finally:
        os.close(reading)
        os.close(writing)
    assert (ended.code, ended.out) == (0, "echo hello\n")


def test_a_writer_that_never_ends_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(ask, "PATIENCE", 0.3)
    reading, writing = os.pipe()
    stop = threading.Event()

    def tick():
        while not stop.wait(0.02):
            os.write(writing, b".")

    thread = threading.Thread(target=tick)
    thread.start()
    data = ask.piped_input(reading)
    stop.set()
    thread.join()
    os.close(reading)
    os.close(writing)
    assert 0 < len(data) < CONTEXT_BYTES
    assert set(data) == set(b".")


def test_a_slow_writer_is_waited_for(ready):
    reading, writing = os.pipe()

    def write():
        for part in (b"first ", b"second"):
            os.write(writing, part)
        os.close(writing)

    thread = threading.Timer(0.3, write)
    thread.start()
    found = proposal(apart("--json", "read stdin", stdin=reading))
    thread.join()
    os.close(reading)
    assert found["request"]["context"] == "first second"


def test_the_command_runs_in_the_directory_and_with_the_environment_of_the_person(ready, tmp_path):
    script = tmp_path / "s.toml"
    script.write_text('[[answer]]\nmatch = "x"\ncompletions = ["echo \\"$PWD $PLANET\\""]\n')
    changed = environment(PLANET="Mars", BASH_ENV="/nonexistent")
    ended = apart("--yes", f"--model=scripted:{script}", "x", cwd=tmp_path, env=changed)
    assert (ended.code, ended.out) == (0, f"{tmp_path} Mars\n")
