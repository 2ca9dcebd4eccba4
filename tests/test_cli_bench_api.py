"""`gorilla bench apibench`: from a folder of questions to a report, on real indexes, with a script for a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command_line import write_script
from tests.test_bench_apisampling import CALLS, INVENTED, QUESTIONS

DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "apibench"
WORDS = {"seer": "classify a picture", "watcher": "find moving things in videos", "reader": "read letters on a sign"}
HANDLES = {"sound": "https://tfhub.dev/acme/sound/1", "shape": "https://tfhub.dev/acme/shape/1"}
QUESTION, REQUEST = "who wrote on this wall", "a wall with writing"


def lines(rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def work(hermetic):
    """The current folder, in it the data of two hubs, training requests and a script for a model."""
    data = hermetic / "work" / "data"
    data.mkdir(parents=True)
    table = [
        {"api_call": call, "domain": "text" if name == "reader" else "sight", "functionality": WORDS[name]}
        for name, call in CALLS.items()
    ]
    asked = [{"id": q.id, "instruction": q.request, "domain": q.domain, "api_call": q.api_call} for q in QUESTIONS]
    (data / "torchhub_api.jsonl").write_text(lines(table))
    (data / "torchhub_dev.jsonl").write_text(lines(asked))
    table = [{"api_call": f"hub.load('{url}')", "domain": name, "functionality": name} for name, url in HANDLES.items()]
    asked = [{"id": "t1", "instruction": "hear a sound", "domain": "sound", "api_call": table[0]["api_call"]}]
    (data / "tensorflowhub_api.jsonl").write_text(lines(table))
    (data / "tensorflowhub_dev.jsonl").write_text(lines(asked))
    framed = f"{{'Instruction': {REQUEST}, 'Output': {{'domain"
    (data / "train.jsonl").write_text(lines([{"instruction": framed, "api_call": CALLS["reader"]}]))
    return data.parent


@pytest.fixture
def model(hermetic):
    answers = {"": ["import torch"], "read this sign": ["text"], "picture": [INVENTED], "cats": [CALLS["watcher"]]}
    return write_script(hermetic / "s.toml", answers)


@pytest.fixture
def apibench(gorilla, work, model):
    """Runs `gorilla bench apibench` on torchhub into the folder `run` below the current one."""

    def call(*arguments, out="run", hub="torchhub"):
        asking = () if "--no-model" in arguments else ("--model", model)
        return gorilla("bench", "apibench", "--data", "data", "--out", out, "--hub", hub, *asking, *arguments)

    return call


def rows(file) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_whole_run(apibench, work):
    ended = apibench("--bare", "--log", "LOG.md")
    assert ended.code == 0, ended.err
    run = work / "run"
    assert sorted(path.name for path in run.iterdir()) == ["torchhub-bare", "torchhub-retrieval", "torchhub.db"]
    samples = rows(run / "torchhub-retrieval" / "samples.jsonl")
    assert [row["calls"][0] for row in samples] == [CALLS[name] for name in ("seer", "watcher", "reader")]
    bare = rows(run / "torchhub-bare" / "samples.jsonl")
    assert [row["text"] for row in bare] == [INVENTED, CALLS["watcher"], "text"]
    assert ended.out.startswith("torchhub, retrieval, constrained to the table: 3 answers\n  exact reference  ")
    assert "torchhub, bare, unconstrained: 3 answers" in ended.out
    assert "torchhub: reference within 10 retrieved 100.0 % (43.9 to 100.0; 3/3)" in ended.out
    assert "torchhub: median time " in ended.out
    line = ended.out.splitlines()[-1]
    assert "torchhub retrieval constrained exact 100.0 % (43.9 to 100.0; 3/3)" in line
    assert (work / "LOG.md").read_text() == line + "\n"
    assert "asking torchhub-retrieval: 100 %" in ended.err


def test_the_numbers_as_json(apibench):
    shown = apibench("--json", "--bare").json
    assert [(group["mode"], group["exact"]["count"]) for group in shown["groups"]] == [("retrieval", 3), ("bare", 1)]
    assert (shown["within_10"]["torchhub"]["count"], shown["baselines"]["torchhub"]["copy"]["exact"]["count"]) == (3, 3)
    assert shown["ratio_to_bare"]["torchhub"] > 0
    assert shown["log"].startswith("20")


@pytest.mark.parametrize(
    ("arguments", "folder", "answers"),
    [
        (("--free",), "retrieval-free", [INVENTED, CALLS["watcher"], "text"]),
        (("--free", "--mode", "zero-shot"), "zero-shot-free", [INVENTED, CALLS["watcher"], "text"]),
        (("--free", "--mode", "oracle"), "oracle-free", [INVENTED, CALLS["watcher"], "text"]),
        (("--mode", "oracle"), "oracle", list(CALLS.values())),
        (("--no-model",), "no-model", list(CALLS.values())),
    ],
)
def test_each_way_to_answer_has_a_run_of_its_own(apibench, work, arguments, folder, answers):
    ended = apibench(*arguments)
    assert ended.code == 0, ended.err
    samples = rows(work / "run" / f"torchhub-{folder}" / "samples.jsonl")
    assert [row["candidates"][0] for row in samples] == answers
    assert {row["constrained"] for row in samples} == {"--free" not in arguments}
    assert [bool(row["text"]) for row in samples] == ["--free" in arguments] * 3


def test_every_hub_has_only_its_own_records(gorilla, work, model):
    (work / "data" / "huggingface_api.jsonl").write_text(lines([{"api_call": "f('a/b')", "domain": "sight picture"}]))
    asked = {"id": "h1", "instruction": "a picture", "domain": "sight picture", "api_call": "f('a/b')"}
    (work / "data" / "huggingface_dev.jsonl").write_text(lines([asked]))
    ended = gorilla("bench", "apibench", "--data", "data", "--out", "run", "--model", model, "--json")
    assert ended.code == 0, ended.err
    assert [group["hub"] for group in ended.json["groups"]] == ["torchhub", "huggingface", "tensorflowhub"]
    assert rows(work / "run" / "huggingface-retrieval" / "samples.jsonl")[0]["retrieved"] == ["f('a/b')"]


def test_training_requests_lead_to_records(apibench, work):
    asked = {"id": "q9", "instruction": f"{QUESTION} wall writing", "domain": "text", "api_call": CALLS["reader"]}
    (work / "data" / "torchhub_dev.jsonl").write_text(lines([asked]))
    without = apibench("--no-model", "--json").json["groups"][0]
    ended = apibench("--no-model", "--json", "--requests", "data/train.jsonl")
    assert ended.code == 0, ended.err
    assert (without["exact"]["count"], ended.json["groups"][0]["exact"]["count"]) == (0, 1)
    assert ended.json["groups"][0]["mode"] == "no-model+requests"
    assert "torchhub: 1 requests of 1 records" in ended.err
    assert {"torchhub.db", "torchhub-requests.db"} <= {path.name for path in (work / "run").iterdir()}


def test_an_interrupted_run_goes_on(apibench, work):
    whole = apibench().out
    file = work / "run" / "torchhub-retrieval" / "samples.jsonl"
    before = rows(file)
    index = (work / "run" / "torchhub.db").read_bytes()
    file.write_text(json.dumps(before[0]) + '\n{"id": "q2", ')
    ended = apibench()
    assert ended.code == 0, ended.err
    assert [row["calls"] for row in rows(file)] == [row["calls"] for row in before]
    assert ended.out.splitlines()[:7] == whole.splitlines()[:7]
    assert (work / "run" / "torchhub.db").read_bytes() == index


def test_more_questions_are_added_to_those_that_were_asked(apibench, work):
    file = work / "run" / "torchhub-retrieval" / "samples.jsonl"
    assert apibench("--n", "1", "--json").json["groups"][0]["exact"]["n"] == 1
    (first,) = rows(file)
    assert apibench("--json").json["groups"][0]["exact"]["n"] == 3
    assert rows(file)[0] == first
    assert apibench("--n", "2", "--json").json["groups"][0]["exact"]["n"] == 2
    assert len(rows(file)) == 3


def test_what_was_made_with_what(apibench, work):
    assert apibench("--seed", "7", "--no-grade").out == ""
    run = work / "run" / "torchhub-retrieval"
    manifest = json.loads((run / "manifest.json").read_text())
    assert (manifest["system"], manifest["split"], manifest["seed"]) == (
        "api torchhub-retrieval",
        "apibench torchhub",
        7,
    )
    assert (manifest["settings"]["candidates"], manifest["settings"]["encoder"]) == (3, "")
    assert len(manifest["model_sha256"]) == len(manifest["settings"]["records"]) == 64
    assert not (run / "results.jsonl").exists()


@pytest.mark.parametrize(
    ("change", "arguments", "said"),
    [
        (lambda work: None, ("--seed", "1"), "another seed: 0, not 1"),
        (lambda work: longer(work / "data" / "torchhub_api.jsonl"), (), "another settings: records"),
        (lambda work: longer(work.parent / "s.toml"), (), "another model_sha256"),
        (lambda work: reworded(work / "data" / "torchhub_dev.jsonl"), (), "q1 was another request then"),
    ],
)
def test_another_run_does_not_go_into_the_folder(apibench, work, change, arguments, said):
    apibench("--no-grade")
    file = work / "run" / "torchhub-retrieval" / "samples.jsonl"
    before = file.read_bytes()
    change(work)
    ended = apibench(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert file.read_bytes() == before


def longer(file) -> None:
    file.write_text(file.read_text() + "\n")


def reworded(file) -> None:
    file.write_text(file.read_text().replace("what is in", "what do you see in"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--data and --out missing"),
        (("--data", "data"), "--out missing"),
        (("--data", "data", "--out", "x", "--hub", "other"), "'other'"),
        (("--data", "data", "--out", "x", "--mode", "zero-shot"), "add --free"),
        (("--data", "data", "--out", "x", "--no-model", "--free"), "--free and --no-model exclude each other"),
        (("--data", "data", "--out", "x", "--no-model", "--bare", "--mode", "oracle"), "--bare, --mode and --no-model"),
        (("--data", "nowhere", "--out", "x", "--no-model"), "cannot read nowhere"),
        (("--data", "data", "--out", "x", "--no-model", "--n", "0"), "--n"),
        (("--published", "data", "--data", "data"), "--data and --published exclude"),
        (("--published", "data", "--no-grade"), "--no-grade and --published exclude"),
        (("--published", "data"), "data has no published answers"),
        (("--published", "data", "--hub", "torchhub"), "cannot read"),
    ],
)
def test_what_cannot_be_done_is_said(gorilla, work, arguments, said):
    ended = gorilla("bench", "apibench", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert [path.name for path in work.iterdir()] == ["data"]


def test_a_missing_model_is_told_before_an_index_is_made(gorilla, work):
    ended = gorilla(
        "bench", "apibench", "--data", "data", "--out", "x", "--hub", "torchhub", "--model", "nothing-like-it"
    )
    assert ended.code != 0
    assert "nothing-like-it" in ended.err
    assert not (work / "x").exists()


def test_bad_training_requests_are_told(apibench, work):
    (work / "data" / "train.jsonl").write_text('{"instruction": 1}\n')
    ended = apibench("--no-model", "--requests", "data/train.jsonl")
    assert (ended.code, ended.out) == (2, "")
    assert "train.jsonl:1: no texts instruction and api_call" in ended.err


# ---------------------------------------------------------------- published answers


def test_published_answers_are_graded(gorilla, work):
    responses = work / "data" / "responses"
    responses.mkdir()
    references = [{"question_id": n, "domain": "sight", "api_call": CALLS["seer"]} for n in (1, 2)]
    (responses / "torchhub_references.jsonl").write_text(lines(references))
    answers = [{"question_id": 1, "text": CALLS["seer"]}, {"question_id": 2, "text": INVENTED}]
    (responses / "torchhub_FT_0_shot.jsonl").write_text(lines(answers))
    ended = gorilla("bench", "apibench", "--published", "data", "--official", "--json", "--log", "LOG.md")
    assert ended.code == 0, ended.err
    (group,) = ended.json["groups"]
    assert (group["exact"]["count"], group["hallucination"]["count"], group["exact"]["n"]) == (1, 1, 2)
    assert sorted(group["official"]) == ["correct", "error", "hallucination"]
    assert (work / "LOG.md").read_text() == ended.json["log"] + "\n"


def test_the_published_answers_of_gorilla_get_the_published_score(gorilla):
    if not (DATA / "responses").is_dir():
        pytest.skip("APIBench's published answers are not beside the checkout")
    ended = gorilla("bench", "apibench", "--published", str(DATA), "--official", "--hub", "torchhub")
    assert ended.code == 0, ended.err
    assert "official scripts, correct        75.8 %" in ended.out


def test_a_run_on_the_data_of_apibench(gorilla, hermetic):
    if not DATA.is_dir():
        pytest.skip("APIBench is not beside the checkout")
    given = ("--data", str(DATA), "--out", "run", "--hub", "torchhub", "--no-model", "--json", "--n", "20")
    ended = gorilla("bench", "apibench", *given)
    assert ended.code == 0, ended.err
    (group,) = ended.json["groups"]
    assert (group["exact"]["n"], group["hallucination"]["count"]) == (20, 0)
    assert ended.json["within_10"]["torchhub"]["count"] >= group["exact"]["count"]
