"""Grades, baselines and the report on a small folder of our own, and the published figures where APIBench is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gorilla_cli.bench.apibench import (
    HUBS,
    Hub,
    Question,
    baselines,
    chosen,
    found_within,
    grade,
    numbers,
    read_hub,
    read_published,
    read_results,
    read_samples,
    report,
    sample_row,
    tally,
    text_of,
    write_rows,
)
from gorilla_cli.bench.report import Share
from gorilla_cli.errors import UsageError

DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "apibench"

CALLS = {name: f"torch.hub.load(repo_or_dir='acme/nets', model='{name}')" for name in ("seer", "watcher", "reader")}
ROWS = ((CALLS["seer"], "sight"), (CALLS["watcher"], "sight"), (CALLS["reader"], "text"))
QUESTIONS = (
    Question("q1", "what is in this picture", "sight", CALLS["seer"]),
    Question("q2", "tell cats from dogs", "sight", CALLS["watcher"]),
    Question("q3", "read this sign", "text", CALLS["reader"]),
    Question("q4", "which animal is this", "sight", CALLS["seer"]),
)
INVENTED = "torch.hub.load('acme/nets', 'oracle')"


@pytest.fixture
def hub():
    return Hub("torchhub", ROWS, QUESTIONS)


def sample(id, *calls, text="", mode="retrieval", **values):
    question = next((question for question in QUESTIONS if question.id == id), Question(id, "", "", ""))
    return sample_row(question, "torchhub", mode, calls=calls, text=text, **values)


SAMPLES = [
    sample("q1", "torch.hub.load('acme/nets', 'seer', pretrained=True)", seconds=1.0, tokens=20, constrained=True),
    sample("q2", CALLS["seer"], CALLS["watcher"], seconds=3.0, constrained=True),
    sample("q3", CALLS["seer"], seconds=2.0, constrained=True),
    sample("q1", text=f"<<<api_call>>>: {INVENTED}, <<<api_provider>>>: X", mode="zero-shot"),
    sample("q2", text="I would ask a vet", mode="zero-shot"),
    sample("unknown", CALLS["seer"]),
    {**sample("q1", CALLS["seer"]), "hub": "huggingface"},
]


@pytest.fixture
def results(hub, tmp_path):
    write_rows(tmp_path / "samples.jsonl", SAMPLES)
    grade(tmp_path / "samples.jsonl", tmp_path / "results.jsonl", {"torchhub": hub}, official=True)
    return read_results(tmp_path / "results.jsonl")


def test_each_answer_to_a_known_question_is_graded(results):
    kept = ("id", "mode", "outcome", "exact", "any_exact", "silent", "official")
    assert [tuple(row[name] for name in kept) for row in results] == [
        ("q1", "retrieval", "correct", True, True, False, "correct"),
        ("q2", "retrieval", "correct", False, True, False, "correct"),
        ("q3", "retrieval", "error", False, False, False, "error"),
        ("q1", "zero-shot", "hallucination", False, False, False, "hallucination"),
        ("q2", "zero-shot", "hallucination", False, False, True, "error"),
    ]
    assert [row["call"] for row in results] == [CALLS["seer"]] * 3 + [""] * 2


def test_without_the_official_scripts_there_is_no_outcome_of_theirs(hub, tmp_path):
    write_rows(tmp_path / "samples.jsonl", SAMPLES)
    rows = grade(tmp_path / "samples.jsonl", tmp_path / "results.jsonl", {"torchhub": hub})
    assert [row for row in rows if "official" in row] == []
    assert [group.official for group in report(rows).groups] == [{}, {}]


def test_the_three_outcomes_sum_to_all(results):
    found = tally(results)
    assert (found.exact, found.correct, found.error) == (Share(1, 5), Share(2, 5), Share(1, 5))
    assert (found.hallucination, found.silent, found.any_exact) == (Share(2, 5), Share(1, 5), Share(2, 5))


def test_the_constant_answers_and_the_copy(hub):
    found = baselines(hub, QUESTIONS, lambda request: [CALLS["reader"], CALLS["seer"]])
    assert (found.domain, found.domain_share) == ("sight", Share(3, 4))
    assert (found.constant.exact, found.constant.correct, found.constant.error) == (
        Share(2, 4),
        Share(3, 4),
        Share(1, 4),
    )
    assert (found.copy.exact, found.copy.correct, found.copy.hallucination) == (Share(1, 4), Share(1, 4), Share(0, 4))


def test_a_retriever_that_finds_nothing_copies_nothing(hub):
    found = baselines(hub, QUESTIONS, lambda request: [])
    assert (found.copy.silent, found.copy.hallucination) == (Share(4, 4), Share(4, 4))


@pytest.mark.parametrize(("k", "count"), [(0, 0), (1, 1), (2, 3), (3, 4), (9, 4)])
def test_the_reference_is_found_within_the_first_k(hub, k, count):
    calls = [CALLS["reader"], CALLS["seer"], CALLS["watcher"]]
    assert found_within(hub, QUESTIONS, lambda request: calls, k) == Share(count, 4)


def test_no_questions_give_empty_shares(hub):
    found = baselines(hub, ())
    assert (found.domain_share, found.constant.exact, found.copy) == (Share(0, 0), Share(0, 0), None)
    assert text_of(report([])).startswith("Domain correct")


def test_the_report_for_people(hub, results):
    found = report(results, {"torchhub": baselines(hub, QUESTIONS, lambda request: [CALLS["seer"]])})
    text = text_of(found)
    blocks = text.split("\n\n")
    assert blocks[0].splitlines() == [
        "torchhub, retrieval, constrained to the table: 3 answers",
        "  exact reference                  33.3 % (6.1 to 79.2; 1/3)",
        "  domain correct                   66.7 % (20.8 to 93.9; 2/3)",
        "  error (other domain)             33.3 % (6.1 to 79.2; 1/3)",
        "  hallucination                     0.0 % (0.0 to 56.1; 0/3)",
        "    no call at all                  0.0 % (0.0 to 56.1; 0/3)",
        "  exact, any call shown            66.7 % (20.8 to 93.9; 2/3)",
        "  official scripts, correct        66.7 % (20.8 to 93.9; 2/3)",
        "  official scripts, error          33.3 % (6.1 to 79.2; 1/3)",
        "  official scripts, hallucination   0.0 % (0.0 to 56.1; 0/3)",
        "  the most frequent domain         75.0 % (30.1 to 95.4; 3/4) sight",
        "  constant call, exact             50.0 % (15.0 to 85.0; 2/4)",
        "  constant call, domain            75.0 % (30.1 to 95.4; 3/4)",
        "  first retrieved, exact           50.0 % (15.0 to 85.0; 2/4)",
        "  first retrieved, domain          75.0 % (30.1 to 95.4; 3/4)",
        "  seconds                         median 2.00, p90 3.00",
    ]
    assert blocks[1].startswith("torchhub, zero-shot, unconstrained: 2 answers")
    assert "seconds" not in blocks[1]
    assert text.endswith("hallucination is 0 by construction.")


def test_only_a_constrained_run_is_free_of_hallucination_by_construction(results):
    assert "by construction" not in text_of(report([row for row in results if not row["constrained"]]))


def test_the_report_as_json(hub, results):
    document = json.loads(json.dumps(numbers(report(results, {"torchhub": baselines(hub, QUESTIONS)}))))
    first, second = document["groups"]
    assert (first["hub"], first["mode"], first["constrained"]) == ("torchhub", "retrieval", True)
    assert {name: first[name]["count"] for name in ("exact", "correct", "error", "hallucination")} == {
        "exact": 1,
        "correct": 2,
        "error": 1,
        "hallucination": 0,
    }
    assert (first["seconds"], second["seconds"]) == ({"median": 2.0, "p90": 3.0}, None)
    assert second["official"]["error"]["count"] == 1
    assert document["baselines"]["torchhub"]["domain_share"]["value"] == 0.75
    assert document["baselines"]["torchhub"]["copy"] is None


@pytest.mark.parametrize("n", [0, 1, 3, 4, 9])
def test_questions_are_chosen_the_same_way_for_the_same_seed(n):
    picked = chosen(QUESTIONS, n, seed=7)
    assert picked == chosen(QUESTIONS, n, seed=7)
    assert len(picked) == (min(n, 4) or 4)
    assert picked == [question for question in QUESTIONS if question in picked]


def test_another_seed_chooses_others():
    assert len({tuple(chosen(QUESTIONS, 2, seed)) for seed in range(20)}) > 1


# ---------------------------------------------------------------- files


def write_folder(folder, dev=None):
    """A folder of one hub, its questions as given or ours."""
    rows = [{"api_call": call, "domain": domain} for call, domain in ROWS]
    (folder / "torchhub_api.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = [
        json.dumps({"id": q.id, "instruction": q.request, "domain": q.domain, "api_call": q.api_call})
        for q in QUESTIONS
    ]
    (folder / "torchhub_dev.jsonl").write_text("\n".join(lines if dev is None else dev))
    return folder


def test_a_folder_is_read(tmp_path, hub):
    assert read_hub(write_folder(tmp_path), "torchhub") == hub


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "torchhub_dev.jsonl:2: it is no JSON"),
        ("[]", "torchhub_dev.jsonl:2: it is no object"),
        ('{"id": 3}', "torchhub_dev.jsonl:2: id is missing or of a wrong type"),
        ('{"id": "a", "instruction": "b", "domain": "c"}', "api_call is missing or of a wrong type"),
        ("[" * 100_000, "torchhub_dev.jsonl:2: it is no JSON"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, problem):
    good = json.dumps({"id": "a", "instruction": "b", "domain": "c", "api_call": "d"})
    with pytest.raises(UsageError, match=problem) as caught:
        read_hub(write_folder(tmp_path, [good, line]), "torchhub")
    assert caught.value.hint


@pytest.mark.parametrize("read", [read_hub, read_published])
def test_a_missing_file_or_hub_is_told(tmp_path, read):
    with pytest.raises(UsageError, match="cannot read"):
        read(tmp_path, "torchhub")
    with pytest.raises(UsageError, match="there is no hub 'x'"):
        read(tmp_path, "x")


def test_published_answers_are_matched_by_number(tmp_path):
    responses = write_folder(tmp_path) / "responses"
    responses.mkdir()
    references = [{"question_id": n, "domain": ROWS[n][1], "api_call": ROWS[n][0]} for n in (2, 1)]
    write_rows(responses / "torchhub_references.jsonl", references)
    answers = [{"question_id": n, "text": f"answer {n}"} for n in (1, 2, 3)]
    write_rows(responses / "torchhub_FT_0_shot.jsonl", answers)
    hub, samples = read_published(tmp_path, "torchhub")
    assert [(row["id"], row["text"], row["calls"]) for row in samples] == [
        ("torchhub-1", "answer 1", []),
        ("torchhub-2", "answer 2", []),
    ]
    assert [(question.id, question.api_call) for question in hub.questions] == [
        ("torchhub-1", CALLS["watcher"]),
        ("torchhub-2", CALLS["reader"]),
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"calls": None}, "sample 1 has no list of calls"),
        ({"calls": [1]}, "sample 1 has no list of calls"),
        ({"text": None}, "text is missing"),
        ({"hub": "else"}, "there is no hub 'else'"),
        ({"seconds": "3"}, "the seconds of sample 1 are no number"),
    ],
)
def test_a_bad_sample_is_named(tmp_path, change, problem):
    write_rows(tmp_path / "samples.jsonl", [{**SAMPLES[0], **change}])
    with pytest.raises(UsageError, match=problem):
        read_samples(tmp_path / "samples.jsonl")


# ---------------------------------------------------------------- the published answers of Gorilla


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The results of both published files, by hub, with their baselines."""
    if not (DATA / "responses").is_dir():
        pytest.skip("APIBench's published answers are not beside the checkout")
    folder = tmp_path_factory.mktemp("published")
    found = {}
    for name in ("torchhub", "tensorflowhub"):
        hub, samples = read_published(DATA, name)
        write_rows(folder / "samples.jsonl", samples)
        rows = grade(folder / "samples.jsonl", folder / "results.jsonl", {name: hub}, official=True)
        found[name] = (report(rows).groups[0], baselines(hub, hub.questions))
    return found


def percent(share):
    return round(100 * share.value, 2)


@pytest.mark.parametrize(
    ("hub", "n", "figures"),
    [("torchhub", 186, (75.81, 16.13, 8.06)), ("tensorflowhub", 685, (83.94, 5.26, 10.80))],
)
def test_official_gives_the_published_scores(published, hub, n, figures):
    shares = published[hub][0].official
    assert shares["correct"].n == n
    assert tuple(percent(shares[name]) for name in ("correct", "hallucination", "error")) == figures


@pytest.mark.parametrize(
    ("hub", "figures"),
    [("torchhub", (9.68, 84.41, 7.53, 8.06)), ("tensorflowhub", (55.77, 89.34, 3.36, 7.30))],
)
def test_the_strict_scores_of_the_published_answers(published, hub, figures):
    found = published[hub][0].tally
    assert tuple(map(percent, (found.exact, found.correct, found.hallucination, found.error))) == figures


@pytest.mark.parametrize(("hub", "share"), [("torchhub", 84.95), ("tensorflowhub", 29.93)])
def test_the_constant_answer_on_the_published_questions(published, hub, share):
    assert percent(published[hub][1].domain_share) == share


@pytest.mark.parametrize("name", HUBS)
def test_the_development_questions_name_calls_of_the_table(name):
    if not DATA.is_dir():
        pytest.skip("APIBench is not beside the checkout")
    hub = read_hub(DATA, name)
    wrong = [question.id for question in hub.questions if not hub.judged(question.api_call, question).exact]
    assert (len(hub.questions), wrong) == ({"torchhub": 60, "huggingface": 200, "tensorflowhub": 150}[name], [])
