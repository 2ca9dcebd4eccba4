"""A request on its way, with a scripted model and small rooms that do what their Protocol says."""

from __future__ import annotations

import re
import threading
from dataclasses import replace

import pytest

from gorilla_cli.backends.grammar import GrammarError, check_grammar
from gorilla_cli.backends.scripted import ScriptedBackend
from gorilla_cli.errors import ModelDamaged, ModelMissing, NoCandidate, NotACommand, UsageError
from gorilla_cli.pipeline import RETRIEVED, DocsGate, Pipeline, drawn
from gorilla_cli.prompts.chat import chat_format
from gorilla_cli.prompts.shell import refusal
from gorilla_cli.types import (
    Cite,
    Completion,
    Doc,
    Example,
    ExampleHit,
    Finding,
    Generation,
    Hit,
    Level,
    ModelInfo,
    Option,
    Prompt,
    Request,
    Sampling,
    Usage,
    Verdict,
)

CHATML = chat_format("chatml")
REQUEST = Request("find python files")


def doc(program, *options):
    return Doc(
        f"man:{program}",
        "man",
        program,
        program,
        f"about {program}",
        options=tuple(Option((o,), "", o) for o in options),
    )


FIND = doc("find", "-name", "-type")


class Shelf:
    """A retriever and manual over a few documents; remembers what it was asked."""

    def __init__(self, *docs, score=100.0, installed=True):
        self.docs, self.score, self.installed, self.asked = docs, score, installed, []

    def search(self, query, k):
        self.asked.append((query, k))
        return [Hit(each, self.score - i, self.installed) for i, each in enumerate(self.docs)][:k]

    def examples(self, query, k):
        found = [example for each in self.docs for example in each.examples]
        return [ExampleHit(example, "find", 0.9 - i / 10, self.installed) for i, example in enumerate(found)][:k]

    def manual(self, program):
        return [each for each in self.docs if each.program == program]


class Documented:
    """Complains about each option that is not in `known`, with evidence for those that are."""

    def __init__(self, *known):
        self.known, self.seen = known, []

    def check(self, candidate, request, hits):
        command = candidate.action.command
        self.seen.append((command, request, tuple(hits)))
        options = [word for word in command.split() if word.startswith("-")]
        return [self._finding(command, option) for option in options]

    def _finding(self, command, option):
        span = (command.index(option), command.index(option) + len(option))
        if option in self.known:
            return Finding("cite", Level.INFO, "", span, Cite(option, "man:find", option))
        message = f"{command.split()[0]} has no option {option} in find(1); the nearest is -name"
        return Finding("option", Level.CAUTION, message, span)


class Complains:
    """Has a finding of the kind `check` for the command `command`."""

    def __init__(self, command, check):
        self.command, self.check_name = command, check

    def check(self, candidate, request, hits):
        bad = candidate.action.command == self.command
        return [Finding(self.check_name, Level.CAUTION, "means something else")] if bad else []


class Answers:
    """A backend that gives the next prepared generation, and remembers prompts and samplings."""

    def __init__(self, *answers):
        self.answers, self.prompts, self.samplings = list(answers), [], []

    @property
    def info(self):
        return ModelInfo("answers", "0" * 64, "test")

    def load(self):
        pass

    def generate(self, prompt, sampling):
        self.prompts.append(prompt)
        self.samplings.append(sampling)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def generation(*texts, finish="stop", logprob=-0.1, usage=Usage(10, 4, 3)):  # noqa: B008 - frozen
    completions = tuple(Completion(text, 3, logprob, finish) for text in texts)
    return Generation(completions, usage, prompt_ms=100.0, generate_ms=10.0)


def pipeline(backend, shelf=None, *verifiers, **more):
    shelf = shelf or Shelf()
    return Pipeline(backend, shelf, shelf, verifiers, CHATML, **more)


def commands(proposal):
    return [candidate.action.command for candidate in proposal.candidates]


def proposed(*texts, verifiers=(), **sampling):
    return pipeline(Answers(generation(*texts)), None, *verifiers).propose(REQUEST, Sampling(**sampling))


# with the scripted model


@pytest.fixture
def scripted(tmp_path):
    def backend(text):
        file = tmp_path / "script.toml"
        file.write_text(text)
        return ScriptedBackend(file)

    return backend


SCRIPT = """
[[answer]]
match = ""
completions = ["uname -a"]

[[answer]]
match = "python files"
completions = ["find . --python", "```bash\\nfind . -name '*.py'\\n```", "find . -name \\"*.py\\""]

[[answer]]
match = "Write the corrected command."
completions = ["find . -type f"]
"""


def test_from_a_request_to_ranked_candidates(scripted):
    backend = scripted(SCRIPT)
    shelf = Shelf(FIND)
    proposal = pipeline(backend, shelf, Documented("-name")).propose(REQUEST, Sampling())
    assert commands(proposal) == ["find . -name '*.py'", "find . --python"]
    assert [candidate.votes for candidate in proposal.candidates] == [2, 1]
    assert [candidate.verdict for candidate in proposal.candidates] == [Verdict.SAFE, Verdict.CAUTION]
    assert proposal.candidates[0].cites == (Cite("-name", "man:find", "-name"),)
    assert proposal.candidates[0].findings == ()
    assert proposal.request == REQUEST
    assert proposal.hits == (Hit(FIND, 100.0),)
    assert proposal.model == backend.info
    assert proposal.model.name.startswith("scripted:")
    assert shelf.asked == [("find python files", RETRIEVED)]


def test_another_request_has_another_answer(scripted):
    assert commands(pipeline(scripted(SCRIPT)).propose(Request("kernel"), Sampling())) == ["uname -a"]


def test_at_most_n_completions(scripted):
    assert commands(pipeline(scripted(SCRIPT)).propose(REQUEST, Sampling(n=1))) == ["find . --python"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "answer = 5",
        "[answer]",
        "[[answer]]",
        "[[answer]]\nmatch = 'x'",
        "[[answer]]\nmatch = 5\ncompletions = []",
        "[[answer]]\nmatch = 'x'\ncompletions = 'ls'",
        "[[answer]]\nmatch = 'x'\ncompletions = [5]",
        "answer = ['ls']",
        "not toml",
    ],
)
def test_a_script_that_is_none(scripted, text):
    with pytest.raises(UsageError, match="is no script of answers"):
        pipeline(scripted(text)).propose(REQUEST, Sampling())


def test_a_script_that_is_not_there(tmp_path):
    with pytest.raises(ModelMissing, match="there is no script"):
        pipeline(ScriptedBackend(tmp_path / "none.toml")).propose(REQUEST, Sampling())


# merging and order


def test_the_same_command_in_other_words_is_one_candidate():
    proposal = proposed("ls  -a", "```\nls -a\n```", "$ ls -a", "ls -A")
    assert commands(proposal) == ["ls  -a", "ls -A"]
    assert [candidate.votes for candidate in proposal.candidates] == [3, 1]


def test_commands_that_only_look_alike_stay_apart():
    assert len(proposed('echo "$HOME"', "echo '$HOME'").candidates) == 2


def test_completions_without_a_command_are_left_out():
    assert commands(proposed("", "I'm sorry, I can't do that.", "ls")) == ["ls"]


def test_evidence_goes_before_the_models_own_order():
    proposal = proposed("find --python", "find -name x", verifiers=[Documented("-name")], n=2)
    assert commands(proposal)[0] == "find -name x"


@pytest.mark.parametrize("texts", [[""], ["", ""], ["I'm sorry, I can't do that."], ["```bash\n```"], []])
def test_no_command_at_all(texts):
    with pytest.raises(NoCandidate) as caught:
        proposed(*texts)
    assert caught.value.hint


def test_what_was_cut_off_is_never_proposed():
    with pytest.raises(NoCandidate):
        pipeline(Answers(generation("rm -rf /home/me/old", finish="length"))).propose(REQUEST, Sampling())


# verifying


def test_every_verifier_sees_every_candidate_once():
    first, second = Documented("-a", "-b"), Documented("-a", "-b")
    shelf = Shelf(FIND)
    pipeline(Answers(generation("x -a", "y -b")), shelf, first, second).propose(REQUEST, Sampling())
    for verifier in (first, second):
        assert [seen[0] for seen in verifier.seen] == ["x -a", "y -b"]
        assert all(seen[1:] == (REQUEST, (Hit(FIND, 100.0),)) for seen in verifier.seen)


def test_an_edited_command_is_verified_like_any_other():
    candidate = pipeline(Answers(), None, Documented("-name")).verify(REQUEST, "find -nam x -name y")
    assert candidate.action.command == "find -nam x -name y"
    assert [finding.span for finding in candidate.findings] == [(5, 9)]
    assert [cite.token for cite in candidate.cites] == ["-name"]
    assert candidate.verdict is Verdict.CAUTION


# repair

BAD = generation("find . --python")


def repaired(*answers, shelf=None):
    backend = Answers(BAD, *answers)
    shelf = shelf or Shelf(FIND)
    return backend, pipeline(backend, shelf, Documented("-name", "-type")).propose(REQUEST, Sampling(n=3, seed=5))


def test_an_unknown_option_is_repaired_with_a_grammar_of_the_known_ones():
    backend, proposal = repaired(generation("find . -name '*.py'"))
    assert commands(proposal) == ["find . -name '*.py'", "find . --python"]
    first, again = backend.samplings
    assert first.grammar == ""
    assert again == replace(first, n=1, grammar=again.grammar)
    check_grammar(again.grammar)
    assert '"find"' in again.grammar
    assert '("-name" | "-type")' in again.grammar


def test_the_repair_names_what_is_wrong_and_goes_on_from_the_first_prompt():
    backend, _ = repaired(generation("find . -name '*.py'"))
    first, again = backend.prompts
    assert again.prefix == first.prefix
    assert again.rest.startswith(first.rest + "find . --python\n")
    assert "find has no option --python in find(1); the nearest is -name." in again.rest


def test_there_is_one_round_at_most():
    backend, proposal = repaired(generation("find . --snake"), generation("find . -name x"))
    assert len(backend.prompts) == 2
    assert commands(proposal) == ["find . --python", "find . --snake"]


def test_without_a_complaint_there_is_none():
    backend = Answers(generation("find . -name x", "find . --python"))
    pipeline(backend, Shelf(FIND), Documented("-name")).propose(REQUEST, Sampling())
    assert len(backend.prompts) == 1


def test_a_complaint_of_another_kind_is_not_repaired():
    class Policy:
        def check(self, candidate, request, hits):
            return [Finding("policy", Level.DANGEROUS, "x has no option -y in z", (0, 1))]

    backend = Answers(generation("rm x"))
    pipeline(backend, Shelf(FIND), Policy()).propose(REQUEST, Sampling())
    assert len(backend.prompts) == 1


@pytest.mark.parametrize("text", ["find . --python", "find  .  --python", "", "I'm sorry, I can't do that."])
def test_a_repair_that_brings_nothing_new(text):
    _, proposal = repaired(generation(text))
    assert commands(proposal) == ["find . --python"]


def test_a_repair_that_was_cut_off():
    _, proposal = repaired(generation("find . -name", finish="length"))
    assert commands(proposal) == ["find . --python"]


def test_a_grammar_that_is_refused_costs_only_the_repair():
    _, proposal = repaired(GrammarError("no"))
    assert commands(proposal) == ["find . --python"]


@pytest.mark.parametrize(
    ("command", "docs", "expected"),
    [
        ("find . --x | sort --y", [FIND, doc("sort", "-u")], {"find": "-name", "sort": "-u"}),
        ("git commit --x", [doc("git", "--bare"), doc("git commit", "--amend")], {"git commit": "--amend"}),
        ("git --x", [doc("git", "--bare"), doc("git commit", "--amend")], {"git": "--bare"}),
        ("find files --x", [FIND], {"find": "-name"}),
        ("find . --x | unheard-of", [FIND], {}),
        ("A=1 find --x", [FIND], {}),
        ("find . --x |", [FIND], {}),
        ("true --x", [doc("true")], {}),
    ],
)
def test_the_grammar_knows_what_is_documented_or_is_left_out(command, docs, expected):
    backend = Answers(generation(command), generation("ls"))
    pipeline(backend, Shelf(*docs), Documented()).propose(REQUEST, Sampling())
    grammar = backend.samplings[1].grammar
    assert bool(grammar) is bool(expected)
    for program, option in expected.items():
        assert f'"{program}" (" "' in grammar
        assert f'"{option}"' in grammar
    assert grammar.count("\np") - grammar.count("\npart") - grammar.count("\nplain") == len(expected)


def test_without_a_manual_there_is_no_grammar():
    backend = Answers(BAD, generation("ls"))
    Pipeline(backend, None, None, [Documented()], CHATML).propose(REQUEST, Sampling())
    assert backend.samplings[1].grammar == ""


# documents in the prompt


@pytest.mark.parametrize(
    ("mode", "score", "installed", "shown"),
    [
        ("auto", 100.0, True, True),
        ("auto", 50.0, True, True),
        ("auto", 49.9, True, False),
        ("auto", 100.0, False, False),
        ("on", 0.1, True, True),
        ("on", 100.0, False, False),
        ("off", 100.0, True, False),
    ],
)
def test_the_gate(mode, score, installed, shown):
    backend = Answers(generation("ls"))
    gate = DocsGate(mode, threshold=50.0)
    proposal = pipeline(backend, Shelf(FIND, score=score, installed=installed), gate=gate).propose(REQUEST, Sampling())
    assert ("about find" in backend.prompts[0].rest) is shown
    assert len(proposal.hits) == 1


def test_at_most_two_documents():
    docs = [doc(f"p{i}") for i in range(4)]
    backend = Answers(generation("ls"))
    pipeline(backend, Shelf(*docs), gate=DocsGate("on")).propose(REQUEST, Sampling())
    assert [f"about p{i}" in backend.prompts[0].rest for i in range(4)] == [True, True, False, False]


def test_without_a_retriever_nothing_is_looked_up():
    backend = Answers(generation("ls"))
    proposal = Pipeline(backend, None, None, [], CHATML).propose(REQUEST, Sampling())
    assert proposal.hits == ()
    assert "From the documentation" not in backend.prompts[0].rest


def test_the_stops_of_the_chat_format_are_used():
    backend = Answers(generation("ls"))
    pipeline(backend).propose(REQUEST, Sampling(n=2, temperature=0.3, seed=9, max_tokens=50))
    assert backend.samplings == [
        Sampling(n=2, temperature=0.3, seed=9, max_tokens=50, stop=("\n```", "```", "<|im_end|>"))
    ]


# errors


class Broken(Answers):
    """A backend whose model cannot be loaded; remembers which thread tried."""

    thread = None

    def load(self):
        self.thread = threading.current_thread()
        raise ModelDamaged("the model is damaged", "pull it again")


def test_an_error_of_the_load_is_raised_where_propose_was_called():
    backend = Broken()
    with pytest.raises(ModelDamaged, match="the model is damaged"):
        pipeline(backend, Shelf(FIND)).propose(REQUEST, Sampling())
    assert backend.thread is not threading.current_thread()
    assert backend.prompts == []


@pytest.mark.parametrize("error", [ModelDamaged("gone"), ValueError("a bug")])
def test_an_error_of_the_model_comes_through(error):
    with pytest.raises(type(error), match=str(error)):
        pipeline(Answers(error)).propose(REQUEST, Sampling())


def test_the_documents_are_looked_up_while_the_model_loads():
    """Neither waits for the other: each goes on only once the other has begun."""
    loading, searching = threading.Event(), threading.Event()

    class Slow(Answers):
        def load(self):
            loading.set()
            assert searching.wait(10)

    class Waiting(Shelf):
        def search(self, query, k):
            searching.set()
            assert loading.wait(10)
            return []

    assert commands(pipeline(Slow(generation("ls")), Waiting()).propose(REQUEST, Sampling())) == ["ls"]


# no command


REFUSED = refusal()


def test_a_request_that_no_command_answers_is_refused():
    with pytest.raises(NotACommand) as caught:
        proposed(REFUSED, "ls")
    assert caught.value.exit_code == 5


def test_a_refusal_among_the_others_is_no_candidate():
    assert commands(proposed("ls", REFUSED, "pwd")) == ["ls", "pwd"]


def test_every_reading_must_refuse():
    near = Shelf(replace(FIND, examples=(Example("find python files", "find . -name '*.py'"),)))
    both, one = generation(REFUSED, REFUSED, "ls"), generation(REFUSED, "ls", "pwd")
    with pytest.raises(NotACommand):
        pipeline(Answers(both), near).propose(REQUEST, Sampling())
    assert commands(pipeline(Answers(one), near).propose(REQUEST, Sampling())) == ["ls", "pwd"]


def test_a_refusal_that_was_cut_off_is_none():
    with pytest.raises(NoCandidate) as caught:
        pipeline(Answers(generation(REFUSED, finish="length"))).propose(REQUEST, Sampling())
    assert not isinstance(caught.value, NotACommand)


# examples near the request: a second reading of the prompt


def shown(*scores, installed=True, mode="auto"):
    """The example requests in the second reading, for hits with these scores."""

    class Scored(Shelf):
        def examples(self, query, k):
            made = [Example(f"deed {i}", f"do {i}") for i in range(len(scores))]
            return [ExampleHit(one, "find", score, installed) for one, score in zip(made, scores, strict=True)][:k]

    backend = Answers(generation("ls"))
    pipeline(backend, Scored(), gate=DocsGate(mode)).propose(REQUEST, Sampling())
    (prompt,) = backend.prompts
    assert "deed" not in prompt.prefix + prompt.rest
    return [re.findall(r"deed \d", other) for other in prompt.others]


@pytest.mark.parametrize(
    ("scores", "wanted"),
    [
        ((), []),
        ((0.1,), []),
        ((0.9, 0.1), [["deed 0"]]),
        ((0.9, 0.8, 0.7, 0.6), [["deed 1", "deed 0"]]),
    ],
)
def test_near_examples_are_shown_in_a_reading_of_their_own_nearest_last(scores, wanted):
    assert shown(*scores) == wanted


def test_examples_of_what_is_not_installed_are_not_shown():
    assert shown(0.9, installed=False) == []


@pytest.mark.parametrize(
    ("n", "readings", "drawn_"), [(1, 1, 1), (3, 1, 3), (1, 2, 2), (2, 2, 2), (3, 2, 3), (5, 2, 5)]
)
def test_readings_come_before_samples(n, readings, drawn_):
    assert drawn(Prompt("", "a", ("b",) * (readings - 1)), n) == drawn_


def test_no_more_candidates_than_asked_for():
    assert commands(proposed("a", "b", "c", n=2)) == ["a", "b"]


def test_no_examples_in_zero_shot_mode():
    assert shown(0.9, mode="off") == []


# corrections


class Corrections:
    """Knows a better command for each key of `better`."""

    def __init__(self, **better):
        self.better = better

    def corrected(self, command, request):
        assert request is REQUEST
        return [self.better[command]] if command in self.better else []


def test_a_correction_is_a_candidate_of_its_own_above_what_it_corrects():
    run = pipeline(
        Answers(generation("old", "other")), None, Complains("old", "value"), corrector=Corrections(old="new")
    )
    proposal = run.propose(REQUEST, Sampling())
    assert commands(proposal) == ["new", "other", "old"]
    assert [candidate.was for candidate in proposal.candidates if candidate.action.command == "new"] == ["old"]


def test_a_correction_that_is_there_already_is_not_given_twice():
    run = pipeline(Answers(generation("old", "new")), corrector=Corrections(old="new"))
    assert sorted(commands(run.propose(REQUEST, Sampling()))) == ["new", "old"]


# figures


def test_tokens_and_times_add_up_over_both_rounds():
    _, proposal = repaired(generation("find . -name x", usage=Usage(20, 15, 5)))
    assert proposal.usage == Usage(30, 19, 8)
    assert proposal.timings.prompt == 200.0
    assert proposal.timings.generate == 20.0


def test_each_stage_is_timed():
    ticks = iter(range(1000))
    lock = threading.Lock()

    def clock():
        with lock:
            return next(ticks) / 1000

    timings = pipeline(Answers(generation("ls")), Shelf(FIND), clock=clock).propose(REQUEST, Sampling()).timings
    for stage in (timings.retrieve, timings.load, timings.verify):
        assert 1 <= round(stage) <= 5
    assert timings.total >= timings.retrieve + timings.verify


@pytest.mark.parametrize(("size", "nearness", "examples"), [(400_000_000, 0.25, 3), (1_100_000_000, 0.45, 2)])
def test_a_small_model_gets_more_examples(size, nearness, examples):
    gate = DocsGate("off").suited(size)
    assert (gate.mode, gate.nearness, gate.examples) == ("off", nearness, examples)
