"""Lists of requests, files of samples, manifests, and the three systems that answer."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gorilla_cli.backends.scripted import ScriptedBackend
from gorilla_cli.bench import sampling
from gorilla_cli.bench.options import OptionLookup, unmarked
from gorilla_cli.bench.sampling import IDENTITY, Asked, BadRows, asked_in
from gorilla_cli.bench.systems import Answer, BareSystem, GorillaSystem, ProgramSystem
from gorilla_cli.errors import GorillaError, ModelMissing, NoCandidate, StateError, UsageError
from gorilla_cli.pipeline import Pipeline
from gorilla_cli.prompts.chat import chat_format
from gorilla_cli.types import (
    Candidate,
    Doc,
    Generation,
    ModelInfo,
    Option,
    Prompt,
    Request,
    Sampling,
    ShellCommand,
    Usage,
)
from gorilla_cli.verifiers.grounding import GroundingVerifier
from gorilla_cli.verifiers.parser import Parser
from tests.bench_runs import MANIFEST
from tests.command_line import write_script

LIST = [Asked("a", "first"), Asked(2, "second"), Asked("c", "third")]


def echo(request: str) -> Answer:
    return Answer((f"echo {request}",), seconds=0.25, tokens=Usage(10, 8, 3))


# ---------------------------------------------------------------- lists of requests


def test_ids_are_given_back_as_they_were(tmp_path):
    file = tmp_path / "list.jsonl"
    file.write_bytes(
        b'\xef\xbb\xbf{"id": 1, "request": "one"}\r\n\n{"id": "1", "request": " two\\u001b ", "x": 0}\n'
        b'{"id": 1.5, "request": "three"}'
    )
    asked = asked_in(file)
    assert asked == [Asked(1, "one"), Asked("1", " two "), Asked(1.5, "three")]
    assert [type(one.id) for one in asked] == [int, str, float]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "no JSON"),
        ("[1]", "no object"),
        ('"x"', "no object"),
        ("{}", "no id and no request"),
        ('{"id": "x"}', "no request"),
        ('{"id": true, "request": "x"}', "neither a text nor a number"),
        ('{"id": null, "request": "x"}', "neither a text nor a number"),
        ('{"id": [1], "request": "x"}', "neither a text nor a number"),
        ('{"id": NaN, "request": "x"}', "neither a text nor a number"),
        ('{"id": 1e999, "request": "x"}', "neither a text nor a number"),
        ('{"id": "x", "request": 1}', "no text, or empty"),
        ('{"id": "x", "request": " \\t"}', "no text, or empty"),
        ('{"id": "x", "request": "\\u0007"}', "no text, or empty"),
        ('{"id": "first", "request": "x"}', "that of line 1 too"),
        ("[" * 100_000, "nested too deeply"),
        ("1" * 5000, "digits"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_a_bad_row_is_named_with_its_line(tmp_path, line, said):
    file = tmp_path / "list.jsonl"
    file.write_text(f'{{"id": "first", "request": "x"}}\n\n{line}\n', errors="surrogateescape")
    with pytest.raises(BadRows) as caught:
        asked_in(file)
    assert len(caught.value.rows) == 1
    assert caught.value.rows[0].startswith(f"{file}:3: ")
    assert said in caught.value.rows[0]


def test_all_bad_rows_are_named(tmp_path):
    file = tmp_path / "list.jsonl"
    file.write_text('{"id": 1, "request": "x"}\n{\n{"id": 1.0, "request": "y"}\n')
    with pytest.raises(BadRows, match="2 rows of") as caught:
        asked_in(file)
    assert [row.split(": ")[0] for row in caught.value.rows] == [f"{file}:2", f"{file}:3"]


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_a_list_that_cannot_be_read(tmp_path, name):
    with pytest.raises(UsageError, match="cannot read"):
        asked_in(tmp_path / name)


# ---------------------------------------------------------------- sampling


def test_rows_are_written_in_order_and_progress_told(tmp_path):
    told = []
    added = sampling.sample(LIST, echo, tmp_path / "new" / "out.jsonl", sampling.full_row, lambda *at: told.append(at))
    rows = list(sampling.rows_of(tmp_path / "new" / "out.jsonl"))
    assert (added, told) == (3, [(0, 3), (1, 3), (2, 3), (3, 3)])
    assert rows[1] == {
        "id": 2,
        "request": "second",
        "candidates": ["echo second"],
        "unknown": [],
        "unmarked": [],
        "refused": False,
        "seconds": 0.25,
        "tokens": {"prompt": 10, "cached": 8, "generated": 3},
        "error": "",
    }


@pytest.mark.parametrize("torn", ["", '{"id": 2, "candi', '{"id": 2, "candidates": []}'])
def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path, torn):
    file, seen = tmp_path / "out.jsonl", []

    def stops_at_the_second(request: str) -> Answer:
        if request == "second":
            raise KeyboardInterrupt
        return echo(request)

    def remembers(request: str) -> Answer:
        seen.append(request)
        return echo(request)

    with pytest.raises(KeyboardInterrupt):
        sampling.sample(LIST, stops_at_the_second, file, sampling.short_row)
    with open(file, "a") as stream:
        stream.write(torn)  # what a crash in the middle of a write leaves
    assert sampling.sample(LIST, remembers, file, sampling.short_row) == 2
    assert seen == ["second", "third"]
    assert [row["id"] for row in sampling.rows_of(file)] == ["a", 2, "c"]
    assert sampling.sample(LIST, remembers, file, sampling.short_row) == 0


def test_a_request_that_breaks_the_program_does_not_stop_the_others(tmp_path):
    def breaks(request: str) -> Answer:
        return Answer((f"echo {1 // (request != 'second')}",))

    assert sampling.sample(LIST, breaks, tmp_path / "out.jsonl", sampling.short_row) == 3
    found = [(row["candidates"], row.get("error", "")) for row in sampling.rows_of(tmp_path / "out.jsonl")]
    assert found[0] == found[2] == (["echo 1"], "")
    assert found[1][0] == []
    assert found[1][1].startswith("unexpected ZeroDivisionError: ")


def test_a_short_row_has_an_error_only_when_there_was_one():
    assert sampling.short_row(LIST[1], Answer(refused=True)) == {
        "id": 2, "candidates": [], "refused": True, "seconds": 0.0,
    }  # fmt: skip
    assert sampling.short_row(LIST[1], Answer(error="why"))["error"] == "why"


def test_a_file_of_something_else_is_not_added_to(tmp_path):
    file = tmp_path / "out.jsonl"
    file.write_text("notes\n")
    with pytest.raises(UsageError, match=r"out\.jsonl:1: no row"):
        sampling.sample(LIST, echo, file, sampling.short_row)
    assert file.read_text() == "notes\n"


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(StateError, match="cannot write"):
        sampling.sample(LIST, echo, tmp_path / "x" / "out.jsonl", sampling.full_row)


# ---------------------------------------------------------------- manifests


@pytest.mark.parametrize("name", IDENTITY)
def test_a_run_of_another_kind_is_refused(tmp_path, name):
    file = tmp_path / "manifest.json"
    sampling.begin(file, MANIFEST, tmp_path / "samples.jsonl")
    before = file.read_bytes()
    other = {"settings": {**MANIFEST.settings, "docs": "off"}, "seed": 1}.get(name, "other")
    with pytest.raises(UsageError, match=f"another {name}"):
        sampling.begin(file, replace(MANIFEST, **{name: other}), tmp_path / "samples.jsonl")
    assert file.read_bytes() == before


def test_what_only_tells_does_not_make_another_run(tmp_path):
    file = tmp_path / "manifest.json"
    sampling.begin(file, MANIFEST, tmp_path / "samples.jsonl")
    later = replace(MANIFEST, started="later", commit="other", tasks_sha256="other")
    sampling.begin(file, later, tmp_path / "samples.jsonl")
    assert sampling.read_manifest(file) == replace(MANIFEST, tasks_sha256="other")
    with pytest.raises(UsageError, match="another tasks_sha256"):
        sampling.begin(file, MANIFEST, tmp_path / "samples.jsonl", (*IDENTITY, "tasks_sha256"))


def test_samples_without_a_manifest_are_left_alone(tmp_path):
    (tmp_path / "samples.jsonl").write_text("")
    with pytest.raises(UsageError, match="nothing says what made it"):
        sampling.begin(tmp_path / "manifest.json", MANIFEST, tmp_path / "samples.jsonl")


def test_a_request_that_changed_is_noticed(tmp_path):
    file = tmp_path / "samples.jsonl"
    sampling.check_requests(LIST, file)
    sampling.sample(LIST, echo, file, sampling.full_row)
    sampling.check_requests([*LIST[:2], Asked("d", "new")], file)
    with pytest.raises(UsageError, match="2 was another request"):
        sampling.check_requests([Asked(2, "changed")], file)


@pytest.mark.parametrize(
    ("files", "commit"),
    [
        ({".git/HEAD": "ref: refs/heads/main\n", ".git/refs/heads/main": "aa11\n"}, "aa11"),
        ({".git/HEAD": "bb22\n"}, "bb22"),
        ({".git/HEAD": "ref: refs/heads/main\n", ".git/packed-refs": "# pack\ncc33 refs/heads/main\n"}, "cc33"),
        ({".git/HEAD": "ref: refs/heads/main\n", ".git/packed-refs": "cc33 refs/heads/other\n"}, ""),
        ({".git/HEAD": "ref: refs/heads/main\n"}, ""),
        (
            {
                ".git": "gitdir: main/.git/worktrees/w\n",
                "main/.git/worktrees/w/HEAD": "ref: refs/heads/w\n",
                "main/.git/worktrees/w/commondir": "../..\n",
                "main/.git/refs/heads/w": "dd44\n",
            },
            "dd44",
        ),
        ({}, ""),
    ],
)
def test_the_commit_of_a_checkout(tmp_path, files, commit):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert sampling.commit_of(tmp_path) == commit


def test_the_digest_changes_with_ids_and_requests():
    lists = [LIST, LIST[:2], [Asked("a", "first"), Asked("2", "second"), LIST[2]], [Asked("a", "1st"), *LIST[1:]]]
    assert len({sampling.digest_of(one) for one in lists}) == 4
    assert sampling.digest_of(LIST) == sampling.digest_of(list(LIST))


# ---------------------------------------------------------------- options

DOCS = {
    "ls": [Option(("-l",), "", "long"), Option(("-a", "--all"), "", "hidden too"), Option(("--color",), "[WHEN]", "")],
    "git": [Option(("-C",), "PATH", "there")],
    "git commit": [Option(("-m", "--message"), "TEXT", "message"), Option(("--amend",), "", "again")],
    "xargs": [Option(("-0",), "", "null"), Option(("-n",), "MAX", "at most")],
}


class Documents:
    """A manual of four programs."""

    def manual(self, program: str) -> list[Doc]:
        options = DOCS.get(program)
        return [Doc(f"man:{program}(1)", "man", program, f"{program}(1)", options=tuple(options))] if options else []


@pytest.fixture(scope="module")
def parser():
    with Parser() as running:
        yield running


UNKNOWN = [
    ("ls -la --color=auto", []),
    ("ls -lz", ["-z"]),
    ("ls --bogus | xargs -0 ls --bogus --worse", ["--bogus", "--worse"]),
    ("/bin/ls --bogus", ["--bogus"]),
    ("git -C dir commit -m '-x' --amend", []),
    ("git -C dir commit --amnd", ["--amnd"]),
    ("nobody --knows -me", []),
    ("for f in *; do ls --bogus $f; done", ["--bogus"]),
    ("echo $(ls --bogus)", ["--bogus"]),
    ("ls -- --bogus", []),
    ("", []),
]


@pytest.mark.parametrize(("command", "options"), UNKNOWN)
def test_options_that_no_document_has(parser, command, options):
    assert OptionLookup(parser, Documents()).unknown(command) == options


@pytest.mark.parametrize(("command", "options"), UNKNOWN)
def test_the_findings_of_the_real_verifier_name_them_all(parser, command, options):
    findings = GroundingVerifier(parser, Documents()).check(Candidate(ShellCommand(command)), Request("x"), [])
    assert unmarked(options, findings) == []
    assert unmarked(options, []) == options


def test_what_the_parser_refuses_cannot_hide_an_option(parser):
    too_long = "ls --bogus; " + "echo x; " * 2000
    assert OptionLookup(parser, Documents()).unknown(too_long) == ["--bogus"]


# ---------------------------------------------------------------- systems


class Clock:
    """Every look at it is half a second later."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.5
        return self.now


@pytest.fixture
def bare(tmp_path, parser):
    """Builds the bare system on a script of answers."""

    def build(answers: dict[str, list[str]], n: int = 1) -> BareSystem:
        file = Path(write_script(tmp_path / "answers.toml", answers).removeprefix("scripted:"))
        lookup = OptionLookup(parser, Documents())
        return BareSystem(ScriptedBackend(file), chat_format("chatml"), Sampling(n=n), lookup, Clock())

    return build


def test_the_bare_system_takes_the_command_out_of_the_answer(bare):
    system = bare({"list it": ["Sure:\n```bash\nls --bogus\n```\nThis lists."]})
    system.load()
    system.warm_up()
    answer = system("list it")
    assert (answer.candidates, answer.unknown, answer.unmarked) == (("ls --bogus",), (True,), (True,))
    assert (answer.seconds, answer.refused, answer.error) == (0.5, False, "")
    assert answer.tokens.cached == 0
    assert len(system.info.sha256) == 64


def test_the_bare_candidates_are_different_ones_the_greedy_first(bare):
    system = bare({"list it": ["ls -l", "ls -a", "ls  -l", "", "ls"]}, n=5)
    assert system("list it").candidates == ("ls -l", "ls -a", "ls")


def test_a_bare_answer_without_a_command_is_a_refusal(bare):
    answer = bare({"x": [""]})("x")
    assert (answer.candidates, answer.refused) == ((), True)


def test_the_bare_prompt_is_one_plain_turn(bare):
    prompt = bare({"x": [""]}).prompt("show {request} <|im_end|>")
    assert prompt.prefix == ""
    assert prompt.rest == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\nWrite a bash command for this task. Answer with the command only.\n"
        "show {request} < |im_end|><|im_end|>\n<|im_start|>assistant\n"
    )


class Broken:
    """A backend that fails in one way."""

    info = ModelInfo("broken", "", "test")

    def __init__(self, error: GorillaError) -> None:
        self.error = error

    def load(self) -> None:
        pass

    def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        raise self.error


def both_systems(error: GorillaError):
    form = chat_format("chatml")
    pipeline = Pipeline(Broken(error), None, None, [], form)
    yield GorillaSystem(pipeline, Sampling(n=1), clock=Clock())
    yield BareSystem(Broken(error), form, Sampling(n=1), clock=Clock())


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (GorillaError("it does\nnot fit"), Answer(seconds=0.5, error="it does not fit")),
        (NoCandidate("nothing"), Answer(seconds=0.5, refused=True)),
    ],
)
def test_a_request_that_fails_is_an_answer(error, wanted):
    for system in both_systems(error):
        system.warm_up()
        assert system("x") == wanted


@pytest.mark.parametrize("error", [ModelMissing("gone"), StateError("damaged"), UsageError("no script")])
def test_what_makes_going_on_useless_ends_the_run(error):
    for system in both_systems(error):
        with pytest.raises(type(error)):
            system("x")


def program(code: str, *, patience: float = 20.0, lookup: OptionLookup | None = None) -> ProgramSystem:
    return ProgramSystem((sys.executable, "-I", "-S", "-c", code), lookup, patience, Clock())


def test_another_program_gets_the_request_as_one_argument(parser):
    system = program(
        "import sys; print(f'ls --bogus {len(sys.argv)} {sys.argv[1]}')", lookup=OptionLookup(parser, Documents())
    )
    answer = system("two words; $(touch x) '")
    assert answer.candidates == ("ls --bogus 2 two words; $(touch x) '",)
    assert (answer.unknown, answer.unmarked, answer.refused, answer.seconds) == ((True,), (True,), False, 0.5)


@pytest.mark.parametrize(
    ("code", "refused", "error"),
    [
        ("pass", True, ""),
        ("print(' ')", True, ""),
        (
            "import sys; print('ls'); print('one\\nno\\x1b idea', file=sys.stderr); sys.exit(3)",
            True,
            "exit 3: no\\x1b idea",
        ),
        ("import sys; sys.exit(4)", True, "exit 4"),
        ("import os; os.kill(os.getpid(), 9)", True, "exit -9"),
    ],
)
def test_another_program_that_gives_no_command(code, refused, error):
    answer = program(code)("x")
    assert (answer.candidates, answer.refused, answer.error) == ((), refused, error)


def test_another_program_that_never_ends_is_killed_with_its_children(tmp_path):
    mark = tmp_path / "alive"
    code = f"import subprocess; subprocess.run(['sh', '-c', 'sleep 1; echo x > {mark}; sleep 60'])"
    answer = program(code, patience=0.5)("x")
    assert (answer.candidates, answer.refused, answer.error) == ((), False, "no answer within 0.5 s")
    time.sleep(1.2)
    assert not mark.exists()


def test_what_another_program_prints_is_bounded_and_made_harmless():
    answer = program("import sys; sys.stdout.buffer.write(b'ls \\x1b[2J\\xff\\n' + b'x' * 200000)")("x")
    assert answer.candidates[0].startswith("ls [2J\ufffd\nxxx")
    assert len(answer.candidates[0]) < 70_000


def test_a_program_that_cannot_be_started():
    with pytest.raises(UsageError, match="cannot start /nowhere/tool"):
        ProgramSystem(("/nowhere/tool",))("x")


def test_the_rows_are_json(tmp_path):
    file = tmp_path / "out.jsonl"
    sampling.sample([Asked("\ud800é", "x")], echo, file, sampling.short_row)
    assert json.loads(file.read_text(encoding="ascii"))["id"] == "\ud800é"
