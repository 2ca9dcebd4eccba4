"""What answers APIBench's questions, the records it chooses from, its rows, and the figures that only a run has."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest

from gorilla_cli.apis.pipeline import ApiPipeline
from gorilla_cli.backends.scripted import ScriptedBackend
from gorilla_cli.bench import apisampling, sampling
from gorilla_cli.bench.apibench import Hub, Question, baselines, graded, read_samples, report
from gorilla_cli.bench.apisampling import (
    ApiSystem,
    BareCallSystem,
    Measured,
    OracleRetriever,
    RecordsByCall,
    RetrievalSystem,
    Rows,
    Training,
    WithRequests,
    asked_of,
    log_line,
    measured_numbers,
    measured_text,
    noted_search,
    ratio_of,
    read_training,
    request_in,
    what_ran,
    within,
)
from gorilla_cli.bench.report import Share
from gorilla_cli.bench.systems import Answer
from gorilla_cli.errors import ModelMissing, StateError, UsageError
from gorilla_cli.prompts.chat import chat_format
from gorilla_cli.retrieval.records import RecordIndex
from gorilla_cli.sources.records import RecordFile, with_stamp
from gorilla_cli.types import Completion, Generation, Sampling, Usage
from tests.bench_runs import MANIFEST
from tests.command_line import write_script
from tests.record_index import Source, record

DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "apibench"

CALLS = {name: f"torch.hub.load(repo_or_dir='acme/nets', model='{name}')" for name in ("seer", "watcher", "reader")}
ROWS = ((CALLS["seer"], "sight"), (CALLS["watcher"], "sight"), (CALLS["reader"], "text"))
QUESTIONS = (
    Question("q1", "what is in this picture", "sight", CALLS["seer"]),
    Question("q2", "find moving cats in videos", "sight", "torch.hub.load('acme/nets', 'watcher')"),
    Question("q3", "read this sign", "text", CALLS["reader"]),
)
RECORDS = [
    record(CALLS["seer"], domain="sight", functionality="classify a picture"),
    record(CALLS["watcher"], domain="sight", functionality="follow things through videos"),
    record(CALLS["reader"], domain="text", functionality="read letters on a sign"),
]
INVENTED = "torch.hub.load('acme/nets', 'oracle')"


@pytest.fixture
def hub():
    return Hub("torchhub", ROWS, QUESTIONS)


@pytest.fixture
def index(tmp_path):
    made = RecordIndex(tmp_path / "hub.db")
    made.sync(Source(map(with_stamp, RECORDS)))
    return made


def system(index, script, *, free=False, mode="retrieval", form="chatml"):
    pipeline = ApiPipeline(ScriptedBackend(script), index, [], chat_format(form), mode=mode, free=free)
    return ApiSystem(pipeline, Sampling(n=3), itertools.count(0.0, 0.5).__next__)


@pytest.fixture
def script(tmp_path):
    """The model is sure of the text domain for one question, and writes an invented call for another."""
    write_script(tmp_path / "s.toml", {"read this sign": ["text"], "picture": [INVENTED], "cats": [""]})
    return tmp_path / "s.toml"


# ---------------------------------------------------------------- what answers


def test_a_constrained_answer_is_the_documented_calls_of_the_best_records(index, script):
    answer = system(index, script)("read this sign")
    assert answer.candidates[0] == CALLS["reader"]
    assert set(answer.candidates) <= set(CALLS.values())
    assert (answer.refused, answer.error, answer.seconds) == (False, "", 0.5)


def test_tokens_are_those_of_the_whole_request(index, script):
    answer = system(index, script)("read or classify a picture of a sign")
    assert answer.tokens.prompt > 0  # the kinds were weighed
    assert answer.tokens.generated == 0


@pytest.mark.parametrize("mode", ["retrieval", "zero-shot"])
def test_a_free_answer_is_what_was_written(index, script, mode):
    assert system(index, script, free=True, mode=mode)("what is in this picture").candidates == (INVENTED,)


@pytest.mark.parametrize(
    ("request_", "free", "refused", "said"),
    [
        ("xyzzy", False, True, "no API record is like that request"),
        ("a picture classifier under 2 million parameters", False, True, "no record found satisfies"),
        ("find moving cats in videos", True, True, "the model wrote no call"),
        (
            "classify a picture, under 5 million parameters, more than 5 million parameters",
            False,
            False,
            "satisfy both",
        ),
    ],
)
def test_a_question_without_an_answer_is_a_row_that_says_why(index, script, request_, free, refused, said):
    answer = system(index, script, free=free)(request_)
    assert (answer.candidates, answer.refused) == ((), refused)
    assert said in answer.error


@pytest.mark.parametrize("make", [lambda index, file: system(index, file), lambda index, file: bare(file)])
def test_a_missing_model_ends_the_run(index, tmp_path, make):
    with pytest.raises(ModelMissing):
        make(index, tmp_path / "nowhere.toml")("read or classify a picture of a sign")


def test_warming_up_asks_something(index, script):
    answers = system(index, script)
    answers.load()
    answers.warm_up()
    assert answers.clock() == 1.0  # one request has looked at the clock twice
    assert len(answers.info.sha256) == 64


def test_retrieval_alone_gives_the_first_records(index):
    answers = RetrievalSystem(index, itertools.count(0.0, 0.5).__next__)
    answers.load()
    answers.warm_up()
    answer = answers("a sign with letters \x1b on a picture")
    assert answer.candidates == tuple(
        hit.record.api_call for hit in index.search("a sign with letters  on a picture", 3)
    )
    assert len(answer.candidates) == 2
    assert (answer.refused, answer.seconds) == (False, 0.5)
    assert answers("xyzzy").refused
    assert answers.info.name == ""


class Recorder:
    """A backend that keeps what it was asked."""

    info = ScriptedBackend(Path("x")).info

    def __init__(self, text):
        self.text, self.asked = text, []

    def load(self):
        self.asked.append("load")

    def generate(self, prompt, sampling):
        self.asked.append((prompt, sampling))
        return Generation((Completion(self.text, 4, -0.1, "stop"),), Usage(9, 0, 4))

    def weigh(self, prompt, options):
        raise AssertionError("nothing is weighed")


def bare(file, form="chatml"):
    return BareCallSystem(ScriptedBackend(file), chat_format(form), 40)


def test_the_bare_model_gets_the_plain_question_and_one_line():
    backend = Recorder(" f(1) ")
    answers = BareCallSystem(backend, chat_format("chatml"), 40, itertools.count(0.0, 0.5).__next__)
    answers.load()
    assert answers("read this {request} sign\x07") == Answer(("f(1)",), seconds=0.5, tokens=Usage(9, 0, 4))
    prompt, asked = backend.asked[1]
    assert (prompt.prefix, prompt.others) == ("", ())
    assert "\nread this {request} sign\nAnswer with one line of Python.<" in prompt.rest
    assert prompt.rest.endswith("```python\n")
    assert (asked.n, asked.temperature, asked.max_tokens, asked.grammar) == (1, 0.0, 40, "")
    assert asked.stop == ("\n", *chat_format("chatml").stop)


def test_a_model_with_a_format_of_its_own_gets_no_fence():
    assert (
        not BareCallSystem(Recorder(""), replace(chat_format("chatml"), demonstrations=False), 40)
        .prompt("x")
        .rest.endswith("```python\n")
    )


def test_an_empty_line_is_no_answer():
    answer = BareCallSystem(Recorder(" "), chat_format("chatml"), 40)("x")
    assert (answer.candidates, answer.refused) == ((), True)


# ---------------------------------------------------------------- records to choose from


def test_the_oracle_has_the_record_of_the_reference_in_hand(hub):
    oracle = OracleRetriever(hub, RECORDS)
    found = {question.id: [hit.record for hit in oracle.search(question.request, 9)] for question in QUESTIONS}
    assert found == {"q1": [RECORDS[0]], "q2": [RECORDS[1]], "q3": [RECORDS[2]]}
    assert (oracle.search("read this sign", 0), oracle.search("another", 9)) == ([], [])
    assert len(oracle.search(apisampling.WARM_UP, 9)) == 1


def test_the_oracle_has_both_records_of_a_question_asked_twice(hub):
    twice = replace(hub, questions=(QUESTIONS[0], replace(QUESTIONS[2], request=QUESTIONS[0].request)))
    found = OracleRetriever(twice, RECORDS).search(QUESTIONS[0].request, 9)
    assert [hit.record for hit in found] == [RECORDS[0], RECORDS[2]]


def test_a_reference_without_a_record_is_told(hub):
    with pytest.raises(UsageError, match="the reference of q2 has no record"):
        OracleRetriever(hub, RECORDS[:1])


def test_an_oracle_answers_through_the_real_pipeline(hub, script):
    answers = system(OracleRetriever(hub, RECORDS), script)
    assert [answers(question.request).candidates for question in QUESTIONS] == [(call,) for call in CALLS.values()]


@pytest.mark.parametrize(
    ("call", "found"),
    [
        (CALLS["seer"], 0),
        (CALLS["seer"].replace(", ", ",   "), 0),
        ("torch.hub.load('acme/nets', 'reader', pretrained=True)", 2),
        (INVENTED, None),
        ("", None),
    ],
)
def test_the_record_of_a_call(hub, call, found):
    assert RecordsByCall(hub, RECORDS).of(call) == (None if found is None else RECORDS[found])


def test_the_record_that_writes_a_call_so_comes_before_one_of_the_same_call(hub):
    other = record(CALLS["seer"].replace(")", ", pretrained=True)"))
    by_call = RecordsByCall(hub, [*RECORDS, other])
    assert by_call.of(other.api_call) == other
    assert by_call.of("torch.hub.load('acme/nets', 'seer', verbose=False)") == RECORDS[0]


def test_requests_are_found_and_change_the_stamp(tmp_path):
    plain = Source(map(with_stamp, RECORDS))
    source = WithRequests(plain, {RECORDS[0].id: ["which bird sings", "which bird sings"], "unknown": ["x"]})
    assert source.name == plain.name
    assert [one.requests for one in source.records()] == [("which bird sings",), (), ()]
    assert [id for id, stamp in source.ids().items() if stamp != plain.ids()[id]] == [RECORDS[0].id]
    assert [one.id for one in source.records(skip={RECORDS[0].id})] == [one.id for one in RECORDS[1:]]
    index = RecordIndex(tmp_path / "requests.db")
    index.sync(plain)
    assert index.search("which bird sings", 1) == []
    assert index.sync(source).kept == 2
    assert index.search("which bird sings", 1)[0].record.api_call == CALLS["seer"]


@pytest.mark.parametrize(
    ("instruction", "request_"),
    [
        ("read a sign", "read a sign"),
        ("{'Instruction': I need an API, that reads., 'Output': {'domain': 'x'", "I need an API, that reads."),
        ("{'Instruction': 'Read it', 'Output': {}}", "Read it"),
        ("{'Instruction': Read\n it , 'Output': a, 'Output': b", "Read it"),
        ("{'Instruction': cut off before the", "cut off before the"),
        ("  \x1b[1m{'Instruction' is a word  ", "[1m{'Instruction' is a word"),
        ("{'Instruction': , 'Output': x", ""),
        ("'", "'"),
    ],
)
def test_the_request_of_an_instruction(instruction, request_):
    assert request_in(instruction) == request_


def write_lines(file, *lines):
    file.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return file


def test_training_files_are_read(tmp_path):
    one = write_lines(tmp_path / "1.jsonl", {"instruction": "{'Instruction': a, 'Output': ", "api_call": "f()\x07"})
    two = write_lines(
        tmp_path / "2.jsonl", {"instruction": "b", "api_call": "g()"}, {"instruction": "", "api_call": ""}
    )
    found = read_training([one, two])
    assert found.pairs == (("a", "f()"), ("b", "g()"))
    assert len({found.sha256, read_training([one]).sha256, read_training([two]).sha256, ""}) == 4
    assert read_training([]) == Training((), "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{\n", "no JSON"),
        ("[]\n", "no texts instruction and api_call"),
        ('{"instruction": "x"}\n', "no texts instruction and api_call"),
        ('{"instruction": 1, "api_call": "x"}\n', "no texts instruction and api_call"),
    ],
)
def test_a_bad_training_row_is_named(tmp_path, line, said):
    file = write_lines(tmp_path / "t.jsonl", {"instruction": "b", "api_call": "g()"}, line)
    with pytest.raises(UsageError, match=f"t.jsonl:2: {said}"):
        read_training([file])


def test_a_missing_training_file_is_told(tmp_path):
    with pytest.raises(StateError, match="cannot read"):
        read_training([tmp_path / "nowhere.jsonl"])


def test_no_question_is_among_the_requests_and_no_call_of_another_hub(hub):
    pairs = [
        ("What is in this PICTURE?", CALLS["seer"]),
        ("which animal is this", "torch.hub.load('acme/nets', 'seer')"),
        ("name the animal", CALLS["seer"]),
        ("translate a letter", "pipeline('translation', model='acme/letters')"),
        ("follow a ball", CALLS["watcher"]),
    ]
    assert Training(tuple(pairs), "x").by_record(hub, RECORDS) == {
        RECORDS[0].id: ["which animal is this", "name the animal"],
        RECORDS[1].id: ["follow a ball"],
    }


# ---------------------------------------------------------------- rows


def test_a_run_is_written_graded_and_goes_on(hub, index, script, tmp_path):
    asked, file = asked_of(hub), tmp_path / "samples.jsonl"
    search = lambda request: apisampling.retrieved(index, request)  # noqa: E731
    rows = Rows(hub, "retrieval", True, search)
    assert sampling.sample(asked, system(index, script), file, rows) == 3
    whole = file.read_text()
    first, second, third = (json.loads(line) for line in whole.splitlines())
    assert third["calls"] == third["candidates"]
    assert (third["text"], third["mode"], third["hub"], third["constrained"]) == ("", "retrieval", "torchhub", True)
    assert (third["seconds"], third["retrieved"][0]) == (0.5, CALLS["reader"])
    assert third["tokens"] == third["usage"]["generated"] == 0
    file.write_text("".join(whole.splitlines(keepends=True)[:1]) + '{"id": "q2"')
    assert sampling.sample(asked, system(index, script), file, rows) == 2
    assert file.read_text() == whole
    assert [graded(row, hub)["exact"] for row in read_samples(file)] == [True, True, True]
    assert noted_search(file)("read this sign") == third["retrieved"]
    assert noted_search(file)("another") == []
    assert within(hub, noted_search(file)) == Share(3, 3)
    assert baselines(hub, QUESTIONS, noted_search(file)).copy.exact == Share(3, 3)


def test_what_was_written_freely_is_kept_as_text(hub):
    row = Rows(hub, "zero-shot", False)(asked_of(hub)[0], Answer((INVENTED,), tokens=Usage(30, 20, 9)))
    assert (row["calls"], row["text"], row["candidates"]) == ([], INVENTED, [INVENTED])
    assert (row["tokens"], row["usage"]) == (9, {"prompt": 30, "cached": 20, "generated": 9})
    assert row["retrieved"] is None
    assert graded(row, hub)["outcome"] == "hallucination"


def test_a_question_that_could_not_be_answered_has_a_row_too(hub):
    answer = Answer(refused=True, error="no record found")
    row = Rows(hub, "retrieval", True)(asked_of(hub)[0], answer)
    assert (row["calls"], row["text"], row["refused"], row["error"]) == ([], "", True, "no record found")
    assert graded(row, hub)["silent"]


# ---------------------------------------------------------------- figures


def seconds(**by_id):
    return [{"id": id, "seconds": value} for id, value in by_id.items()]


@pytest.mark.parametrize(
    ("ours", "theirs", "ratio"),
    [
        (seconds(a=1.0, b=3.0, c=2.0), seconds(a=1.0, b=1.0, c=1.0), 2.0),
        (seconds(a=1.0, b=9.0), seconds(a=2.0, c=9.0), 0.5),
        (seconds(a=1.0, b=None), seconds(a=2.0, b=1.0), 0.5),
        (seconds(a=1.0), seconds(b=1.0), None),
        (seconds(a=1.0), seconds(a=0.0), None),
        ([], [], None),
    ],
)
def test_the_time_against_the_bare_model(ours, theirs, ratio):
    assert ratio_of(ours, theirs) == ratio


@pytest.fixture
def found(hub):
    rows = [
        Rows(hub, "retrieval", True)(asked_of(hub)[0], Answer((CALLS["seer"],), seconds=2.0)),
        Rows(hub, "bare", False)(asked_of(hub)[0], Answer((INVENTED,), seconds=1.0)),
    ]
    beside = {"torchhub": baselines(hub, QUESTIONS, lambda request: [CALLS["reader"]])}
    return Measured(report([graded(row, hub) for row in rows], beside), {"torchhub": Share(2, 3)}, {"torchhub": 2.0})


def test_the_report_of_a_run(found):
    text = measured_text(found)
    assert "torchhub, retrieval, constrained to the table: 1 answers\n" in text
    assert text.splitlines()[-2:] == [
        "torchhub: reference within 10 retrieved  66.7 % (20.8 to 93.9; 2/3)",
        "torchhub: median time 2.00 of the bare model's",
    ]
    document = json.loads(json.dumps(measured_numbers(found)))
    assert (document["within_10"]["torchhub"]["count"], document["ratio_to_bare"]) == (2, {"torchhub": 2.0})
    assert [group["mode"] for group in document["groups"]] == ["retrieval", "bare"]


def test_a_constrained_answer_without_a_call_is_told_apart(hub):
    row = Rows(hub, "retrieval", True)(asked_of(hub)[0], Answer(refused=True))
    text = measured_text(Measured(report([graded(row, hub)])))
    assert text.splitlines()[-1] == "torchhub, retrieval: 1 got no call, which counts as an error"
    assert graded(row, hub)["outcome"] == "error"


def test_the_line_for_the_log(found):
    line = log_line(found, "small", "2026-01-02")
    assert line == (
        "2026-01-02 gorilla bench apibench, small: torchhub retrieval constrained "
        "exact 100.0 % (20.7 to 100.0; 1/1), correct 100.0 % (20.7 to 100.0; 1/1), error 0.0 % (0.0 to 79.3; 0/1), "
        "hallucination 0.0 % (0.0 to 79.3; 0/1), silent 0.0 % (0.0 to 79.3; 0/1), constant exact 33.3 %, "
        "domain 66.7 %, first retrieved exact 33.3 %, within 10 66.7 %, median 2.00 s, 2.00 of bare; "
        "torchhub bare free exact 0.0 % (0.0 to 79.3; 0/1), correct 0.0 % (0.0 to 79.3; 0/1), "
        "error 0.0 % (0.0 to 79.3; 0/1), hallucination 100.0 % (20.7 to 100.0; 1/1), "
        "silent 0.0 % (0.0 to 79.3; 0/1), median 1.00 s"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"settings": {"encoder": "x"}, "commit": "abc" * 10},
            "small, by words and meaning, seed 0, commit abcabcabcabc",
        ),
        ({"model": "", "settings": {}}, "no model, by words, seed 0, version 1.0"),
    ],
)
def test_what_ran_in_a_few_words(changes, said):
    assert what_ran(replace(MANIFEST, **changes)) == said


# ---------------------------------------------------------------- the published data


def test_the_training_requests_of_torchhub_belong_to_records():
    if not DATA.is_dir():
        pytest.skip("APIBench is not beside the checkout")
    from gorilla_cli.bench.apibench import read_hub

    training, hub = read_training([DATA / "torchhub_train.jsonl"]), read_hub(DATA, "torchhub")
    found = training.by_record(hub, RecordFile(DATA / "torchhub_api.jsonl", "torchhub").records())
    assert (len(training.pairs), sum(map(len, found.values()))) == (837, 837)
    assert [request for request, _ in training.pairs if "Instruction" in request or "Output" in request] == []


@pytest.mark.parametrize("name", ["torchhub", "huggingface", "tensorflowhub"])
def test_every_reference_has_a_record(name):
    if not DATA.is_dir():
        pytest.skip("APIBench is not beside the checkout")
    from gorilla_cli.bench.apibench import read_hub

    hub = read_hub(DATA, name)
    oracle = OracleRetriever(hub, RecordFile(DATA / f"{name}_api.jsonl", name).records())
    calls = [oracle.search(question.request, 1)[0].record.api_call for question in hub.questions]
    assert all(hub.judged(call, question).exact for call, question in zip(calls, hub.questions, strict=True))
