"""The published scripts' rules with their faults, on a small table; `test_bench_apibench` has the published figures."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gorilla_cli.bench.apiofficial import Official, cut

TORCH = [
    ("torch.hub.load(repo_or_dir='acme/nets', model='resnet', pretrained=True)", "short"),
    ("torch.hub.load(repo_or_dir='acme/nets', model='fcn_resnet', pretrained=True)", "long"),
    ("torch.hub.load(repo_or_dir='acme/zoo:hub', model='dcgan')", "tagged"),
]
TENSOR = [
    ("hub.load('https://hub.example/sight/1')", "sight"),
    ("hub.KerasLayer('https://hub.example/sound/1', trainable=False)", "sound"),
]
FACE = [
    ("./run.sh --model acme/none", "command"),
    ("PunctuationModel()", "empty"),
    ("pipeline('fill-mask', model='acme/tiny')", "mask"),
    ("AutoModel.from_pretrained('acme/tiny')", "model"),
]
SCORERS = {"torchhub": TORCH, "tensorflowhub": TENSOR, "huggingface": FACE}


def outcome(hub, answer, domain):
    return Official(hub, SCORERS[hub]).outcome(answer, domain)


@pytest.mark.parametrize(
    ("text", "hub", "part"),
    [
        ("<<<api_call>>>: f(1), <<<api_provider>>>: X", "tensorflowhub", "f(1)"),
        ("'api_call': f(1) or (2), 'api_provider': 'X (y)'", "torchhub", "f(1) or (2)"),
        ("api_call f(1), api_provider", "huggingface", "(1)"),
        ("api_call: f one", "huggingface", "f on"),
        ("f(1)", "tensorflowhub", "f(1)"),
        ("f(1)", "torchhub", None),
    ],
)
def test_the_call_is_cut_out_of_the_answer(text, hub, part):
    assert cut(text, hub) == part


@pytest.mark.parametrize(
    ("hub", "answer", "domain", "wanted"),
    [
        ("torchhub", "api_call: torch.hub.load('acme/nets', 'resnet'), api_provider", "short", "correct"),
        # a required argument that is only a part of the given one counts, and the first row of the file wins
        ("torchhub", "api_call: torch.hub.load('acme/nets', 'fcn_resnet'), api_provider", "long", "error"),
        ("torchhub", "api_call: torch.hub.load('acme/nets', 'fcn_resnet'), api_provider", "short", "correct"),
        # when nothing in the answer has the function's name, its last part is looked at, whatever that is
        ("torchhub", "api_call: torch.invented('acme/nets', 'resnet'), api_provider", "short", "hallucination"),
        ("torchhub", "api_call: invented('acme/nets'+'resnet'), api_provider", "short", "hallucination"),
        ("torchhub", "api_call: torch.hub.load('acme/zoo', 'dcgan'), api_provider", "tagged", "hallucination"),
        ("torchhub", "torch.hub.load('acme/nets', 'resnet')", "short", "error"),
        ("torchhub", "api_call: torch.hub.load('acme/none', 'resnet'), api_provider", "short", "hallucination"),
        ("tensorflowhub", "hub.load('https://hub.example/sight/1')", "sight", "correct"),
        ("tensorflowhub", "hub.load('https://hub.example/sight/1')", "sound", "error"),
        ("tensorflowhub", "hub.load('https://hub.example/sight/12', x=1)", "sight", "correct"),
        ("tensorflowhub", "'https://hub.example/sight/1'", "sight", "correct"),
        ("tensorflowhub", "hub.KerasLayer('https://hub.example/sound/1')", "sound", "hallucination"),
        ("tensorflowhub", "hub.KerasLayer('https://hub.example/sound/1', trainable=False)", "sound", "correct"),
        ("tensorflowhub", "", "sight", "hallucination"),
        ("huggingface", "api_call: pipeline('fill-mask', model='acme/tiny'), api_provider", "mask", "correct"),
        ("huggingface", "api_call: AutoModel.from_pretrained('acme/tinybert'), api_provider", "model", "correct"),
        ("huggingface", "api_call: PunctuationModel(), api_provider", "empty", "hallucination"),
        ("huggingface", "./run.sh --model acme/none", "command", "hallucination"),
    ],
)
def test_outcomes_with_the_faults_of_the_scripts(hub, answer, domain, wanted):
    assert outcome(hub, answer, domain) == wanted


@settings(deadline=None)
@given(st.text() | st.text(st.sampled_from("api_cl:()'\"\n provider=")), st.sampled_from(sorted(SCORERS)))
def test_every_text_has_an_outcome(text, hub):
    assert outcome(hub, text, "x") in ("correct", "error", "hallucination")
