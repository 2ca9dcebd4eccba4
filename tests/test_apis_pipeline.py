"""An API request on its way, over a real index of records: limits, the best three, blanks, values, free mode, edits."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from gorilla_cli.apis.checking import ProgramVerifier
from gorilla_cli.apis.pipeline import ApiPipeline, told
from gorilla_cli.backends.grammar import check_grammar
from gorilla_cli.errors import NoCandidate, UsageError
from gorilla_cli.executors.python_blanks import blanks, filled
from gorilla_cli.prompts.chat import chat_format
from gorilla_cli.render import api_json
from gorilla_cli.retrieval.records import RecordIndex
from gorilla_cli.types import (
    ApiRecord,
    Argument,
    Completion,
    Figure,
    Generation,
    ModelInfo,
    Prompt,
    Request,
    Sampling,
    Usage,
    Verdict,
    Weighing,
)
from gorilla_cli.verifiers.apicode import CodeVerifier
from gorilla_cli.verifiers.apimatch import CallVerifier
from tests.record_index import Source, record

NLP, CV = "Natural Language Processing Text Classification", "Computer Vision Image Classification"


@dataclass
class Writer:
    """A backend that writes the same text every time and finds one kind likely; remembers what it was asked."""

    text: str = "{}"
    likely: str = ""
    prompts: list[Prompt] = field(default_factory=list)
    samplings: list[Sampling] = field(default_factory=list)
    weighed: list[tuple[str, ...]] = field(default_factory=list)
    info: ModelInfo = ModelInfo("writer", "0" * 64, "test")

    def load(self) -> None:
        """There is nothing to load."""

    def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        if sampling.grammar:
            check_grammar(sampling.grammar)
        self.prompts.append(prompt)
        self.samplings.append(sampling)
        return Generation((Completion(self.text, 3, -0.5, "stop"),), Usage(20, 8, 3), 5.0, 7.0)

    def weigh(self, prompt: Prompt, options: Sequence[str]) -> Weighing:
        self.prompts.append(prompt)
        self.weighed.append(tuple(options))
        return Weighing((tuple(0.0 if one == self.likely else -20.0 for one in options),), Usage(10, 4, 0), 2.0)


def vision(name: str, millions: float | None = None, **fields) -> ApiRecord:
    figures = () if millions is None else (Figure("parameters", "", millions * 1e6),)
    call = f"torch.hub.load('pytorch/vision', '{name}')"
    given = {"domain": CV, "framework": "PyTorch", "functionality": "classify images", "api_name": name, **fields}
    return record(call, figures=figures, **given)


SHORTEN = record(
    "textwrap.shorten(text, width)",
    domain="text",
    functionality="shorten a text",
    api_name="textwrap.shorten",
    api_arguments=(
        Argument("text", required=True, description="what is shortened"),
        Argument("width", "int", required=True),
        Argument("placeholder", default="' [...]'"),
    ),
    example_code="import textwrap\n\ntextwrap.shorten(text, width)",
)
CUSTOMER = record(
    "GET https://shop.example/customers/{id}",
    domain="shop",
    functionality="show a customer of the shop",
    api_name="showCustomer",
    kind="http",
    api_arguments=(
        Argument("id", "integer, in path", required=True),
        Argument("full", "boolean, in query"),
    ),
    environment_requirements=("secret account: bearer token",),
)
MOOD = record(
    "pipeline('text-classification', model='acme/mood')",
    domain=NLP,
    framework="Hugging Face Transformers",
    functionality="sentiment of reviews",
    api_name="acme/mood",
    description="Tells glad from sad. Trained on reviews.",
    licence="mit",
)
RECORDS = [vision("tiny", 4), vision("middle", 9.5), vision("huge", 600), vision("silent"), SHORTEN, CUSTOMER, MOOD]


@pytest.fixture
def index(tmp_path):
    made = RecordIndex(tmp_path / "records.db")
    made.sync(Source(RECORDS))
    yield made
    made.close()


@pytest.fixture
def made(index):
    """Makes the pipeline over the index, with what is given changed; the backend is the first argument."""

    def make(backend: Writer, **changes) -> ApiPipeline:
        ticks = itertools.count()
        verifiers = [CallVerifier(index), ProgramVerifier(CodeVerifier())]
        pipeline = ApiPipeline(backend, index, verifiers, chat_format("chatml"), clock=lambda: next(ticks) / 1000)
        return replace(pipeline, **changes)

    return make


def calls(proposal) -> list[str]:
    return [candidate.action.call for candidate in proposal.proposal.candidates]


def names(proposal) -> list[str]:
    return [one.api_name for one in proposal.records]


# limits


def test_limits_are_applied_and_what_they_left_out_is_counted(made):
    proposal = made(Writer()).propose(Request("classify images with under 10 million parameters"), Sampling(n=3))
    assert set(names(proposal)) == {"tiny", "middle"}
    assert [(one.metric, one.relation, one.value) for one in proposal.hand.constraints] == [("parameters", "<", 1e7)]
    assert proposal.hand.failed == 1
    assert proposal.hand.unknown["parameters"] >= 1


def test_limits_that_contradict_each_other(made):
    text = "classify images with more than 20 million parameters and under 10 million parameters"
    with pytest.raises(UsageError, match="nothing can satisfy both"):
        made(Writer()).propose(Request(text), Sampling())


def test_a_limit_that_no_record_satisfies(made):
    with pytest.raises(NoCandidate, match="no record found satisfies 'under 1 million parameters'; .* no parameters"):
        made(Writer()).propose(Request("classify images with under 1 million parameters"), Sampling())


def test_nothing_like_it(made):
    backend = Writer()
    with pytest.raises(NoCandidate, match="no API record is like that request"):
        made(backend).propose(Request("qqqq zzzz"), Sampling())
    assert backend.prompts == []


def test_an_unknown_mode(made):
    with pytest.raises(UsageError, match="there is no mode 'guess'"):
        made(Writer(), mode="guess").propose(Request("classify images"), Sampling())


# by default, calls of records


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_best_records_are_the_candidates_and_known_calls(made, n):
    proposal = made(Writer()).propose(Request("classify images"), Sampling(n=n))
    assert len(proposal.proposal.candidates) == len(proposal.records) == n
    assert calls(proposal) == [hit.record.api_call for hit in proposal.hand.hits[:n]]
    for candidate, one in zip(proposal.proposal.candidates, proposal.records, strict=True):
        assert candidate.action.record == one.id
        assert [cite.doc for cite in candidate.cites] == [one.id]
        assert candidate.action.code == f"import torch\n\nmodel = {one.api_call}\nmodel.eval()\n"


def test_no_model_writes_where_a_call_is_fixed(made):
    backend = Writer()
    made(backend).propose(Request("classify images"), Sampling())
    assert backend.samplings == []


def test_the_model_says_which_kind_is_meant(made):
    request = Request("sentiment of images")
    scores = {}
    for kind in (CV, NLP):
        backend = Writer(likely=kind)
        hits = made(backend).propose(request, Sampling(n=8)).hand.hits
        scores[kind] = {hit.record.api_name: hit.score for hit in hits}
        assert set(backend.weighed[0]) >= {CV, NLP}
    assert scores[NLP]["acme/mood"] > scores[CV]["acme/mood"]
    assert scores[CV]["tiny"] > scores[NLP]["tiny"]


def test_a_model_with_a_format_of_its_own_is_not_asked_for_the_kind(made):
    backend = Writer()
    made(backend, chat_format=chat_format("gorilla")).propose(Request("sentiment of images"), Sampling())
    assert backend.weighed == []


def test_the_program_leaves_the_input_to_the_person(made):
    proposal = made(Writer()).propose(Request("sentiment of reviews"), Sampling(n=1))
    program = proposal.proposal.candidates[0].action.code
    assert [blank.name for blank in blanks(program)] == ["TEXT"]
    assert MOOD.api_call in program
    told_of = [finding.message for finding in proposal.proposal.candidates[0].findings]
    assert told_of[:2] == [f"{NLP} · Hugging Face Transformers · mit", "Tells glad from sad"]


def test_what_is_known_of_a_record_is_told_and_raises_no_verdict():
    one = replace(MOOD, figures=(Figure("accuracy", "Reviews", 91.25),), environment_requirements=("transformers",))
    assert [finding.message for finding in told(one)] == [
        f"{NLP} · Hugging Face Transformers · mit",
        "Tells glad from sad",
        "accuracy 91.25 % on Reviews",
        "needs: transformers",
    ]
    assert {finding.level for finding in told(one)} == {0}


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (Figure("accuracy", "ImageNet", 69.758), "accuracy 69.76 % on ImageNet"),
        (Figure("parameters", "", 11_689_512), "11.69 M parameters"),
        (Figure("size", "", 44_700_000), "44.7 MB to download"),
        (Figure("BLEU", "WMT14", 28.4), "BLEU 28.4 on WMT14"),
    ],
)
def test_figures_as_people_write_them(figure, text):
    assert [finding.message for finding in told(record("f()", figures=(figure,)))] == [text]


# open arguments


def test_open_arguments_are_filled_in_under_a_grammar_of_their_names(made):
    backend = Writer('{"text": "a long story", "width": 9, "invented": 1, "placeholder": null}')
    proposal = made(backend).propose(Request("shorten a text: a long story to 9 letters"), Sampling(n=1, max_tokens=77))
    (candidate,) = proposal.proposal.candidates
    assert candidate.action.call == "textwrap.shorten('a long story', 9)"
    assert candidate.action.code == "import textwrap\n\ntextwrap.shorten('a long story', 9)\n"
    assert (candidate.verdict, [cite.doc for cite in candidate.cites]) == (Verdict.SAFE, [SHORTEN.id])
    (sampling,) = backend.samplings
    assert (sampling.n, sampling.max_tokens) == (1, 77)
    assert all(f'"\\"{name}\\": "' in sampling.grammar for name in ("text", "width", "placeholder"))
    assert "textwrap.shorten(text, width)" in backend.prompts[-1].rest
    assert "text: what is shortened" in backend.prompts[-1].rest


@pytest.mark.parametrize(
    ("written", "left"), [('{"width": 9}', ["TEXT"]), ("{}", ["TEXT", "WIDTH"]), ("not json", ["TEXT", "WIDTH"])]
)
def test_what_nobody_said_is_a_blank(made, written, left):
    proposal = made(Writer(written)).propose(Request("shorten a text"), Sampling(n=1))
    program = proposal.proposal.candidates[0].action.code
    assert [blank.name for blank in blanks(program)] == left


def test_only_the_first_is_filled_in(made):
    backend = Writer('{"text": "x"}')
    proposal = made(backend).propose(Request("sentiment of reviews, a text"), Sampling(n=3))
    assert names(proposal)[0] == "acme/mood"
    assert "textwrap.shorten(TEXT, WIDTH)" in calls(proposal)
    assert backend.samplings == []


# requests over the network


def test_a_request_is_built_with_its_values_and_the_secret_stays_behind_its_name(made):
    backend = Writer('{"id": 81, "full": true}')
    pipeline = made(backend, secrets=lambda: {"account": "hunter2"})
    proposal = pipeline.propose(Request("show customer 81 of the shop"), Sampling(n=1))
    (candidate,) = proposal.proposal.candidates
    assert candidate.action.code.split("\n")[0] == "GET https://shop.example/customers/81?full=true"
    assert "Authorization: Bearer <secret:account>" in candidate.action.code
    assert candidate.action.call == CUSTOMER.api_call
    assert "hunter2" not in repr(proposal) + repr(backend)
    (secret,) = proposal.secrets
    assert (secret.name, secret.value, secret.origin) == ("account", "hunter2", "https://shop.example:443")


def test_without_secrets_none_is_named(made):
    proposal = made(Writer('{"id": 81}')).propose(Request("show customer 81 of the shop"), Sampling(n=1))
    assert "secret" not in proposal.proposal.candidates[0].action.code
    assert proposal.secrets == ()


@pytest.mark.parametrize("written", ["{}", '{"id": null}', '{"id": "no number"}', '{"other": 1}', "x"])
def test_a_request_without_a_needed_value_is_no_candidate(made, written):
    pipeline = made(Writer(written))
    text = "show a customer of the shop"
    with pytest.raises(NoCandidate, match="does not say enough"):
        pipeline.propose(Request(text), Sampling(n=1))


def test_a_request_that_cannot_be_made_leaves_the_others(made):
    proposal = made(Writer()).propose(Request("show a customer of the shop classify images"), Sampling(n=3))
    assert CUSTOMER.api_call not in calls(proposal)
    assert proposal.records
    assert len(proposal.records) == len(proposal.proposal.candidates)


# written by the model


def free(made, text: str, **changes):
    return made(Writer(text), free=True, **changes).propose(Request("sentiment of reviews"), Sampling(n=3))


def test_a_known_call_gets_its_program(made):
    proposal = free(made, MOOD.api_call)
    (candidate,) = proposal.proposal.candidates
    assert (proposal.records, candidate.action.record) == ((MOOD,), MOOD.id)
    assert [blank.name for blank in blanks(candidate.action.code)] == ["TEXT"]
    assert [cite.doc for cite in candidate.cites] == [MOOD.id]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pipeline('text-classification', model='acme/none')", "no record in the index has this call"),
        ("textwrap.shorten('x', 3, colour='red')", "colour is not a documented argument of textwrap.shorten"),
        ("textwrap.shorten('x')", "width is missing of textwrap.shorten"),
        ("not python (", "no record in the index has this call"),
    ],
)
def test_an_invented_call_and_a_wrong_argument_are_told_apart(made, text, message):
    proposal = free(made, text)
    (candidate,) = proposal.proposal.candidates
    assert proposal.records == (None,)
    assert (candidate.action.call, candidate.action.record) == (text, "")
    assert message in [finding.message for finding in candidate.findings]
    assert candidate.verdict >= Verdict.CAUTION
    assert candidate.cites == ()


def test_a_request_that_the_model_writes_can_be_sent(made):
    (candidate,) = free(made, "GET https://shop.example/customers/81\n").proposal.candidates
    assert candidate.action.code == "GET https://shop.example/customers/81"
    assert candidate.verdict is Verdict.CAUTION


def test_what_the_model_writes_is_judged_as_code(made):
    assert free(made, "__import__('os').system('rm -rf ~')").proposal.candidates[0].verdict is Verdict.DANGEROUS


@pytest.mark.parametrize("text", ["", "  \n"])
def test_a_model_that_writes_nothing(made, text):
    with pytest.raises(NoCandidate, match="the model wrote no call"):
        free(made, text)


def test_the_best_record_is_shown_in_retrieval_mode_alone(made):
    shown = {}
    for mode in ("retrieval", "zero-shot"):
        backend = Writer("f()")
        made(backend, free=True, mode=mode).propose(Request("sentiment of reviews"), Sampling())
        shown[mode] = MOOD.api_call in backend.prompts[-1].rest
        assert backend.samplings[-1].grammar == ""
    assert shown == {"retrieval": True, "zero-shot": False}


# verified again


def test_a_program_that_was_filled_in_is_still_the_documented_call(made):
    pipeline = made(Writer())
    (candidate,) = pipeline.propose(Request("sentiment of reviews"), Sampling(n=1)).proposal.candidates
    again = pipeline.verify(Request("x"), filled(candidate.action.code, {"TEXT": "what a day"}))
    assert again.action.code == candidate.action.code.replace("...", "'what a day'")
    assert [cite.doc for cite in again.cites] == [MOOD.id]
    assert again.verdict == candidate.verdict


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (f"{MOOD.api_call.replace('mood', 'none')}('x')\n", "no record in the index has this call"),
        ("import textwrap\ntextwrap.shorten('x', 1, colour=2)\n", "colour is not a documented argument"),
        ("no python (", "no record in the index has this call"),
        ("", "no record in the index has this call"),
    ],
)
def test_an_edited_program_is_checked_as_any_other(made, program, message):
    again = made(Writer()).verify(Request("x"), program)
    assert [finding for finding in again.findings if message in finding.message]
    assert again.action.code == program
    assert again.verdict >= Verdict.CAUTION


def test_another_call_beside_the_documented_one_is_judged_too(made):
    program = f"import os\nos.system('rm -rf ~')\n{MOOD.api_call}\n"
    assert made(Writer()).verify(Request("x"), program).verdict is Verdict.DANGEROUS


# an edited record


def test_an_edited_record_changes_the_next_answer_and_nothing_else(made, index):
    names_of = [f"animal{number}" for number in range(10)]
    listed = [record(f"load('{name}')", functionality=f"recognise {name}", api_name=name) for name in names_of]
    source = Source(listed, "records:zoo")
    source.listed = [replace(one, source="records:zoo", id=f"records:zoo:{one.api_call}") for one in listed]
    index.sync(source)
    pipeline = made(Writer())

    def answers() -> list[str]:
        requests = [Request(f"recognise {name}") for name in names_of]
        return [pipeline.propose(request, Sampling(n=1)).proposal.candidates[0].action.code for request in requests]

    before = answers()
    assert all(f"load('{name}')" in code for name, code in zip(names_of, before, strict=True))
    for number, name in enumerate(names_of):
        call = f"load('{name}', version={number})"
        source.listed[number] = replace(source.listed[number], api_call=call, id=f"records:zoo:{call}", stamp="2")
        index.sync(source)
        after = answers()
        assert call in after[number]
        assert [one for one, code in enumerate(after) if code != before[one]] == [number]
        before = after


# what is told of it


def test_times_and_tokens_add_up(made):
    proposal = made(Writer('{"text": "x"}')).propose(Request("shorten a text about images"), Sampling(n=1)).proposal
    assert proposal.model.name == "writer"
    assert proposal.usage == Usage(30, 12, 3)
    assert (proposal.timings.prompt, proposal.timings.generate) == (7.0, 7.0)
    assert proposal.timings.retrieve == pytest.approx(1)
    assert proposal.timings.verify == pytest.approx(1)
    assert proposal.timings.total > 0


def test_the_proposal_as_json(made):
    found = made(Writer()).propose(Request("classify images with under 10 million parameters"), Sampling(n=2))
    held = found.hand
    data = json.loads(json.dumps(api_json(found.proposal, held.constraints, held.failed, held.unknown)))
    assert [one["call"] for one in data["candidates"]] == calls(found)
    assert [one["record"] for one in data["candidates"]] == [one.id for one in found.records]
    assert {one["kind"] for one in data["candidates"]} == {"api"}
    assert data["constraints"]
