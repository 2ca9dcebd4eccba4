"""The shipped Hugging Face records: complete, written as runnable programs, and asked for in many distinct ways."""

from __future__ import annotations

import ast
import builtins
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gorilla_cli.sources.records import RecordFile
from gorilla_cli.types import Figure, Finding, Level
from gorilla_cli.verifiers.apicode import verdict

FILE = Path(__file__).parent.parent / "index" / "records" / "huggingface.jsonl"
TEXTS = ("domain", "framework", "functionality", "api_name", "api_call", "example_code", "description")
FIELDS = {*TEXTS, "api_arguments", "python_environment_requirements", "performance", "requests", "licence", "languages"}
# Parts of model ids that people use as plain words; any other part of an id would give the model away.
ORDINARY = set(
    """age answering arabic base beans bedroom big book butterflies captioning cat chat chinese church classifier
    clinical clothes code comment depth disease distilled document dot emotion emotions encoder english
    enhancement expert expression face facial fashion financial fish food formal french game generation
    generator genre genres german grammar handwritten hard hat hate image indoor informal insecure instruct
    invoices iris irony japanese keyword language large legal license logistic long machine manga medium
    multilingual music names news ocr panoptic paraphrase paraphraser parser photo plant plate portuguese
    printed punctuation quality question recidivism recognition regression resolution reward russian scribble
    sentence sentiment small sms spam spanish speaker speech spelling statement story structure summary super
    table text tiny titanic to tone toxic toxicity transformer translation uncased variations video voice weight
    wine""".split()
)
TASKS = """Text Classification; Token Classification; Question Answering; Zero-Shot Classification; Translation;
    Summarization; Fill-Mask; Feature Extraction; Sentence Similarity; Text Generation; Text2Text Generation;
    Conversational; Table Question Answering; Document Question Answering; Visual Question Answering;
    Image Classification; Object Detection; Image Segmentation; Depth Estimation; Image-to-Text; Text-to-Image;
    Image-to-Image; Unconditional Image Generation; Video Classification; Zero-Shot Image Classification;
    Automatic Speech Recognition; Audio Classification; Text-to-Speech; Audio-to-Audio; Voice Activity Detection;
    Tabular Classification; Tabular Regression; Reinforcement Learning; Text-to-Video"""
SHARES = {"accuracy", "top5", "mAP", "mIoU", "F1", "exact_match", "WER", "CER", "BLEU", "AUC", "error", "EER", "PQ"}
SHARES |= {"ROUGE-1", "ROUGE-2", "ROUGE-L", "pass@1", "MRR@10", "NDCG@10"}
OTHERS = {"perplexity", "FID", "IS", "PESQ", "SI-SNR", "SI-SNRi", "SI-SDRi", "mean_reward"}
SCALES = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9, " MB": 1e6, " GB": 1e9}
NEAR = 0.8

Row = dict[str, Any]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]


def test_enough_records_with_every_field(rows):
    assert len(rows) >= 230
    assert [row["api_name"] for row in rows if set(row) != FIELDS] == []
    assert [(row["api_name"], key) for row in rows for key in TEXTS if not row[key].strip()] == []


def test_no_call_occurs_twice(rows):
    assert [call for call, times in Counter(row["api_call"] for row in rows).items() if times > 1] == []


@pytest.mark.parametrize("task", [task.strip() for task in TASKS.split(";")])
def test_every_usual_task_has_a_record(rows, task):
    families = ("", "Natural Language Processing ", "Computer Vision ", "Multimodal ", "Audio ", "Tabular ")
    assert {family + task for family in families} & {row["domain"] for row in rows}


def test_the_call_is_an_expression_that_names_its_model(rows):
    for row in rows:
        call = ast.parse(row["api_call"], mode="eval").body
        texts = {node.value for node in ast.walk(call) if isinstance(node, ast.Constant)}
        assert isinstance(call, ast.Call), row["api_call"]
        assert {row["api_name"], "hf-hub:" + row["api_name"]} & texts, row["api_call"]


def test_the_example_imports_what_it_calls_and_makes_the_call(rows):
    for row in rows:
        code = row["example_code"]
        nodes = list(ast.walk(ast.parse(code)))
        known = {name.asname or name.name for node in nodes if isinstance(node, _IMPORTS) for name in node.names}
        first = next(node.id for node in ast.walk(ast.parse(row["api_call"])) if isinstance(node, ast.Name))
        assert row["api_call"] in code, row["api_name"]
        assert first in known, row["api_name"]


_IMPORTS = (ast.Import, ast.ImportFrom)


def test_the_example_defines_every_name_it_uses(rows):
    for row in rows:
        assert not _undefined(ast.parse(row["example_code"])), (row["api_name"], row["example_code"])


def _undefined(tree: ast.Module) -> set[str]:
    nodes = list(ast.walk(tree))
    known = {name.asname or name.name for node in nodes if isinstance(node, _IMPORTS) for name in node.names}
    names = [node for node in nodes if isinstance(node, ast.Name)]
    known |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
    return {node.id for node in names} - known - set(dir(builtins))


def test_the_example_ends_in_a_value_or_a_written_file(rows):
    assert [row["api_name"] for row in rows if not isinstance(ast.parse(row["example_code"]).body[-1], ast.Expr)] == []


def test_no_example_lets_a_repository_run_code_silently(rows):
    assert [row["api_name"] for row in rows if "trust_remote_code" in row["example_code"]] == []


def test_only_pickled_tables_are_judged_dangerous(rows):
    """The hub's own scikit-learn files are pickles; nothing else may need more than a confirmation."""
    found = {row["api_name"]: _worst(row["example_code"]) for row in rows}
    dangerous = {name for name, finding in found.items() if finding and finding.level is Level.DANGEROUS}
    assert {name for name in dangerous if "unpickles" not in found[name].message} == set()
    assert len(dangerous) <= 5


def _worst(code: str) -> Finding | None:
    return max(verdict(code), key=lambda finding: finding.level, default=None)


def test_the_source_reads_every_record(rows):
    source = RecordFile(FILE, "shipped:huggingface")
    records = list(source.records(set()))
    assert source.problems == ()
    assert [record.api_call for record in records] == [row["api_call"] for row in rows]
    assert [record.id for record in records if record.kind != "python" or not record.requests] == []
    sst = next(record for record in records if record.api_name.endswith("sst-2-english"))
    assert Figure("accuracy", "SST-2", 91.3) in sst.figures
    assert Figure("parameters", "", 67e6) in sst.figures


def test_arguments_are_described(rows):
    for row in rows:
        described = [one.get("type") and one.get("description") for one in row["api_arguments"].values()]
        assert described and all(described), row["api_name"]
        given = {keyword.arg for keyword in ast.parse(row["api_call"], mode="eval").body.keywords}
        assert given <= set(row["api_arguments"]), row["api_name"]


def test_figures_are_sane(rows):
    seen = Counter(metric for row in rows for metric, _ in _figures(row))
    for row in rows:
        for metric, value in _figures(row):
            low, high = _range(metric)
            assert low <= value <= high, (row["api_name"], metric, value)
    assert seen["parameters"] > len(rows) * 0.8
    assert seen["accuracy"] > 50


def _figures(row: Row) -> Iterator[tuple[str, float]]:
    entries = row["performance"] if isinstance(row["performance"], list) else [row["performance"]]
    for entry in entries:
        for metric, value in entry.items():
            if metric != "dataset":
                yield metric, _number(value)


def _number(value: str | float) -> float:
    if isinstance(value, str):
        match = re.fullmatch(r"([\d.]+)([KMB]?|\s[MG]B)", value)
        assert match, value
        return float(match[1]) * SCALES[match[2]]
    return float(value)


def _range(metric: str) -> tuple[float, float]:
    ranges = {"parameters": (1e5, 2e10), "size": (1e6, 1e11), **dict.fromkeys(SHARES, (0.5, 100.0))}
    return ranges[metric] if metric in ranges else {name: (-1000.0, 1000.0) for name in OTHERS}[metric]


def test_size_fits_the_parameters(rows):
    """Weights take between one and nine bytes each, whatever their number format."""
    for row in rows:
        figures = dict(_figures(row))
        if {"parameters", "size"} <= set(figures):
            assert 1.0 <= figures["size"] / figures["parameters"] <= 9, (row["api_name"], figures)


def test_eight_to_ten_requests_of_at_least_four_words(rows):
    assert [row["api_name"] for row in rows if not 8 <= len(row["requests"]) <= 10] == []
    assert [said for row in rows for said in row["requests"] if len(said.split()) < 4] == []


def test_no_request_gives_the_model_away(rows):
    for row in rows:
        parts = {part for part in _words(row["api_name"]) if len(part) > 1 and not part.isdigit()} - ORDINARY
        for said in row["requests"]:
            assert not parts & set(_words(said)), (row["api_name"], said)


@pytest.mark.parametrize(
    "name", "transformers diffusers pytorch tensorflow huggingface openai bert gpt whisper".split()
)
def test_no_request_names_a_library_or_a_vendor(rows, name):
    assert [said for row in rows for said in row["requests"] if name in _words(said)] == []


def test_requests_are_distinct(rows):
    near = [(first, second) for first, second in _pairs(rows) if _rouge_l(_words(first), _words(second)) >= NEAR]
    assert near == []


def test_near_duplicates_are_found():
    rows = [{"requests": ["Which word is missing in this line?"]}, {"requests": ["Which word is missing in the line?"]}]
    assert [_rouge_l(_words(first), _words(second)) for first, second in _pairs(rows)] == [pytest.approx(6 / 7)]


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def _pairs(rows: list[Row]) -> Iterator[tuple[str, str]]:
    """The pairs of requests that share enough words to come near, each once."""
    said = [one for row in rows for one in row["requests"]]
    words = [_words(one) for one in said]
    places: dict[str, list[int]] = defaultdict(list)
    for number, mine in enumerate(words):
        shared = Counter(other for word in set(mine) for other in places[word])
        for other, times in shared.items():
            repeated = len(mine) - len(set(mine))
            if 2 * (times + repeated) >= NEAR * (len(mine) + len(words[other])):
                yield said[other], said[number]
        for word in set(mine):
            places[word].append(number)


def _rouge_l(first: list[str], second: list[str]) -> float:
    """F1 of the longest common subsequence of words (Lin 2004)."""
    row = [0] * (len(second) + 1)
    for mine in first:
        before = 0
        for column, other in enumerate(second, start=1):
            before, row[column] = row[column], before + 1 if mine == other else max(row[column], row[column - 1])
    return 2 * row[-1] / (len(first) + len(second))
