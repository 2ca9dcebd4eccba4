"""The shipped records of PyTorch Hub and TensorFlow Hub: complete, loadable, and asked for in everyday words."""

from __future__ import annotations

import ast
import builtins
import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gorilla_cli.executors.python_blanks import blanks
from gorilla_cli.sources.records import RecordFile
from gorilla_cli.types import Level
from gorilla_cli.verifiers.apicode import verdict

FOLDER = Path(__file__).parent.parent / "index" / "records"
HUBS = {"torchhub": 100, "tensorflowhub": 90}
TEXTS = {"domain", "framework", "functionality", "api_name", "api_call", "example_code", "description", "licence"}
FIELDS = TEXTS | {"api_arguments", "python_environment_requirements", "performance", "requests"}
FUNCTIONS = {"torchhub": {"torch.hub.load"}, "tensorflowhub": {"hub.load", "hub.KerasLayer"}}
ALIKE = 0.8
# Ordinary words that happen to stand in a model's name: a request may say them.
PLAIN = set(
    "asia base bird birds books brain cased cassava city classification decoder denoising device disease distilled "
    "encoder enhancement europe film food for fungi half hourglass humpback labels landmarks large mel mobile "
    "multilingual music north open panoptic segmentation semi sentence slow small speech supervised tiny vision whale "
    "wide wine with words".split()
)
NEVER = re.compile(
    r"(?i)\b(py ?torch|torch ?hub|torchvision|tensor ?flow|keras|tf ?hub|nvidia|facebook|meta ai|google|deepmind"
    r"|hugging ?face|ultralytics|silero|intel)\b"
)
SANE = {
    "accuracy": (30, 100),
    "top5": (50, 100),
    "mAP": (10, 80),
    "mIoU": (20, 100),
    "parameters": (1e5, 3e9),
    "size": (1e6, 1e10),
    "flops": (1e7, 2e12),
    "F1": (30, 100),
    "BLEU": (5, 70),
}


def rows(hub: str) -> list[dict]:
    return [json.loads(line) for line in (FOLDER / f"{hub}.jsonl").read_text("utf-8").splitlines()]


def parsed(call: str) -> ast.Call:
    node = ast.parse(call, mode="eval").body
    assert isinstance(node, ast.Call), call
    return node


def literals(call: str) -> list[str]:
    """The texts in a call: the repository and entry point, or the handle, and what else is named."""
    return [node.value for node in ast.walk(parsed(call)) if isinstance(node, ast.Constant) and node.value is not None]


def tokens(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def similarity(first: Sequence[str], second: Sequence[str]) -> float:
    """ROUGE-L as F1: twice the longest common subsequence of words over the words of both."""
    row = [0] * (len(second) + 1)
    for word in first:
        diagonal = 0
        for place, other in enumerate(second, 1):
            diagonal, row[place] = row[place], diagonal + 1 if word == other else max(row[place], row[place - 1])
    return 2 * row[-1] / max(1, len(first) + len(second))


def near_duplicates(texts: Sequence[str], least: float = ALIKE) -> Iterator[tuple[int, int]]:
    """The pairs whose ROUGE-L is at least `least` (0.8: they share two thirds of the words of either).

    Only pairs that share one of their rarest words are compared: with fewer words left over, none can be so alike.
    """
    words = [tokens(text) for text in texts]
    counts = Counter(word for text in words for word in set(text))
    seen: dict[str, list[int]] = defaultdict(list)
    for place, text in enumerate(words):
        shared = math.ceil(len(text) * least / (2 - least) - 1e-9)
        rarest = sorted(text, key=lambda word: (counts[word], word))[: len(text) - shared + 1]
        others = {other for word in rarest for other in seen[word]}
        yield from ((other, place) for other in sorted(others) if similarity(words[other], text) >= least)
        for word in set(rarest):
            seen[word].append(place)


def test_near_duplicates_are_found():
    texts = [
        "find the dog in each picture of the yard",
        "write down what is said in this call",
        "find the cat in each picture of the yard",
        "find every dog on a picture, in the yard of each of us",
        "what is said in this call",
    ]
    assert list(near_duplicates(texts)) == [(0, 2), (1, 4)]
    every = [(one, two) for two in range(5) for one in range(two)]
    assert [pair for pair in every if similarity(*(tokens(texts[place]) for place in pair)) >= ALIKE] == [
        (0, 2),
        (1, 4),
    ]


@pytest.fixture(scope="module", params=HUBS)
def hub(request):
    return request.param, rows(request.param)


def test_there_are_enough_and_every_field_is_there(hub):
    name, records = hub
    assert len(records) >= HUBS[name]
    for record in records:
        assert record.keys() >= FIELDS, record["api_call"]
        assert all(isinstance(record[field], str) for field in TEXTS), record["api_call"]
        assert all(record[field].strip() for field in TEXTS - {"licence"}), record["api_call"]
    assert sum(bool(record["licence"]) for record in records) >= 0.9 * len(records)


def test_each_call_is_there_once_and_is_a_call_of_the_hub(hub):
    name, records = hub
    calls = [record["api_call"] for record in records]
    assert [call for call, times in Counter(calls).items() if times > 1] == []
    assert {ast.unparse(parsed(call).func) for call in calls} <= FUNCTIONS[name]
    assert all(literals(call)[0].startswith("https://") for call in calls if name == "tensorflowhub")


def test_the_arguments_are_those_of_the_call(hub):
    for record in hub[1]:
        documented = {argument["name"]: argument for argument in record["api_arguments"]}
        call = parsed(record["api_call"])
        for keyword in call.keywords:
            assert keyword.arg in documented, record["api_call"]
            choices = documented[keyword.arg].get("choices")
            assert not choices or ast.unparse(keyword.value) in choices, record["api_call"]


def test_the_example_makes_the_call_and_leaves_only_inputs_open(hub):
    for record in hub[1]:
        code = record["example_code"]
        tree = ast.parse(code)
        made = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert ast.unparse(parsed(record["api_call"])) in made, record["api_call"]
        assert isinstance(tree.body[0], ast.Import | ast.ImportFrom), record["api_call"]
        assert code.count("...") == len(blanks(code)), record["api_call"]
        assert ast.unparse(tree.body[-1]).startswith("result = "), record["api_call"]


def bound(tree: ast.AST) -> set[str]:
    """The names that a program binds anywhere: imports, assignments, functions and their arguments."""
    nodes = list(ast.walk(tree))
    names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    names |= {(node.asname or node.name).partition(".")[0] for node in nodes if isinstance(node, ast.alias)}
    return names | {node.name for node in nodes if isinstance(node, ast.FunctionDef)} | arguments(nodes)


def arguments(nodes: list[ast.AST]) -> set[str]:
    return {node.arg for node in nodes if isinstance(node, ast.arg)}


def test_the_examples_use_no_name_that_nothing_binds(hub):
    for record in hub[1]:
        tree = ast.parse(record["example_code"])
        read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert read - bound(tree) - set(dir(builtins)) == set(), record["api_call"]


def test_nothing_in_the_examples_is_dangerous_but_code_of_other_repositories(hub):
    for record in hub[1]:
        worst = [finding.message for finding in verdict(record["example_code"]) if finding.level == Level.DANGEROUS]
        assert [message for message in worst if not message.startswith("torch.hub.load runs code of")] == []


def test_requests_are_sentences_that_do_not_name_the_model(hub):
    for record in hub[1]:
        requests = record["requests"]
        assert 8 <= len(requests) <= 10, record["api_call"]
        names = tokens(" ".join([record["api_name"], *map(str, literals(record["api_call"]))]))
        names = {name for name in names if len(name) > 2 and not name.isdigit()} - PLAIN
        for request in requests:
            assert len(request.split()) >= 4, request
            assert not NEVER.search(request), request
            assert names.isdisjoint(tokens(request)), (record["api_call"], request, names & set(tokens(request)))


def test_no_two_requests_are_nearly_the_same(hub):
    requests = [request for record in hub[1] for request in record["requests"]]
    assert [(requests[one], requests[two]) for one, two in near_duplicates(requests)] == []


def test_requests_take_many_forms(hub):
    """No template: no opening of two words is frequent, some ask, some tell, some take two sentences."""
    requests = [request for record in hub[1] for request in record["requests"]]
    openings = Counter(" ".join(tokens(request)[:2]) for request in requests)
    assert openings.most_common(1)[0][1] < 0.03 * len(requests)
    assert sum("?" in request for request in requests) > 0.1 * len(requests)
    assert sum(bool(re.search(r"[.!?] [A-Z]", request)) for request in requests) > 0.05 * len(requests)


def test_the_loader_reads_them_all_and_their_figures_are_sane(hub):
    name, records = hub
    source = RecordFile(FOLDER / f"{name}.jsonl", f"shipped:{name}")
    loaded = list(source.records())
    assert (source.problems, [record.api_call for record in loaded]) == ((), [row["api_call"] for row in records])
    for record in loaded:
        for figure in record.figures:
            low, high = SANE.get(figure.metric, (0, 1e9))
            assert low <= figure.value <= high, (record.api_call, figure)


@pytest.mark.parametrize(
    ("hub_name", "name", "metric", "value"),
    [
        ("torchhub", "resnet50", "accuracy", 80.858),
        ("torchhub", "resnet50", "parameters", 25.6e6),
        ("torchhub", "squeezenet1_1", "size", 4.7e6),
        ("torchhub", "yolov5s", "mAP", 37.4),
        ("torchhub", "x3d_m", "top5", 92.72),
        ("torchhub", "deeplabv3_resnet101", "mIoU", 67.4),
        ("tensorflowhub", "mobilenet_v2_100_224", "accuracy", 71.8),
        ("tensorflowhub", "efficientdet d7", "mAP", 51.2),
        ("tensorflowhub", "albert_en_base", "parameters", 11.7e6),
    ],
)
def test_published_figures_arrive_as_figures(hub_name, name, metric, value):
    source = RecordFile(FOLDER / f"{hub_name}.jsonl", f"shipped:{hub_name}")
    (record,) = [record for record in source.records() if record.api_name == name]
    assert value in [figure.value for figure in record.figures if figure.metric == metric]


def test_the_usual_tasks_are_covered():
    torch_domains = {row["domain"] for row in rows("torchhub")}
    assert torch_domains >= {"Classification", "Semantic Segmentation", "Object Detection", "Video Classification"}
    assert torch_domains >= {"Audio Separation", "Text-to-Speech", "Speech-to-Text", "Voice Activity Detection"}
    assert torch_domains >= {"Depth Estimation", "Machine Translation", "Image Generation", "Optical Flow"}
    tensorflow_domains = {row["domain"] for row in rows("tensorflowhub")}
    assert tensorflow_domains >= {"Image classification", "Image feature vector", "Image object detection"}
    assert tensorflow_domains >= {"Image segmentation", "Image pose detection", "Text embedding", "Text preprocessing"}
    assert tensorflow_domains >= {"Audio embedding", "Audio event classification", "Video classification"}
