"""The program around a call."""

import ast
from dataclasses import replace

import pytest

from gorilla_cli.apis.code import complete_code
from gorilla_cli.types import ApiRecord

PIPE = ApiRecord(
    "s:1",
    "s",
    "Natural Language Processing Text Classification",
    "Hugging Face Transformers",
    "sentiment",
    "acme/mood",
    "pipeline('text-classification', model='acme/mood')",
)


def with_call(call: str, example: str = "", **changes) -> str:
    record = replace(PIPE, api_call=call, example_code=example, **changes)
    return complete_code(record, call)


def test_the_records_own_example_is_used_when_it_makes_the_call():
    example = "from transformers import pipeline\nm = pipeline(\"text-classification\", model='acme/mood')\nm('fine')"
    assert (
        with_call(PIPE.api_call, example)
        == example.replace("pipeline(\"text-classification\", model='acme/mood')", PIPE.api_call) + "\n"
    )


@pytest.mark.parametrize("example", ["", "pip install acme", "m = pipeline('text-classification', model='other')", "("])
def test_an_example_of_something_else_is_not_used(example):
    code = with_call(PIPE.api_call, example)
    assert code == f"from transformers import pipeline\n\nTEXT = ...\nmodel = {PIPE.api_call}\nmodel(TEXT)\n"


@pytest.mark.parametrize(
    ("call", "first", "has"),
    [
        ("torch.hub.load('a/b', 'c')", "import torch", "model.eval()"),
        ("hub.KerasLayer('https://tfhub.dev/a/1')", "import tensorflow_hub as hub", "hub.KerasLayer"),
        ("AutoModel.from_pretrained('a/b')", "from transformers import AutoModel", "AutoModel.from_pretrained"),
        ("StableDiffusionPipeline.from_pretrained('a/b')", "from diffusers import StableDiffusionPipeline", "a/b"),
        ("SentenceTransformer('a/b')", "from sentence_transformers import SentenceTransformer", "encode(TEXT)"),
        ("json.dumps([1])", "import json", "json.dumps([1])"),
        ("os.path.join('a', 'b')", "import os.path", "os.path.join('a', 'b')"),
    ],
)
def test_templates_are_whole_programs(call, first, has):
    code = with_call(call)
    ast.parse(code)
    assert code.split("\n")[0] == first
    assert has in code


@pytest.mark.parametrize(
    ("domain", "blank"),
    [
        ("Computer Vision Image Classification", "IMAGE"),
        ("Audio Automatic Speech Recognition", "AUDIO"),
        ("Natural Language Processing Table Question Answering", "TABLE"),
        ("Multimodal Text-to-Image", "PROMPT"),
        ("Natural Language Processing Translation", "TEXT"),
    ],
)
def test_the_blank_is_named_after_what_goes_in(domain, blank):
    assert f"\n{blank} = ...\n" in with_call("pipeline('x')", domain=domain, functionality="")


def test_a_call_of_the_network_stays_as_it_is():
    call = "GET https://example.org/pets"
    assert with_call(call, kind="http") == call


def test_the_example_is_for_the_records_own_call_only():
    example = "import textwrap\ntext = 'x'\ntextwrap.shorten(text, width=9)"
    record = replace(PIPE, api_call="textwrap.shorten(text, width=9)", example_code=example)
    assert complete_code(record, record.api_call) == example + "\n"
    assert complete_code(record, "textwrap.shorten(TEXT)") == "import textwrap\n\ntextwrap.shorten(TEXT)\n"


@pytest.mark.parametrize(
    ("call", "example", "first"),
    [
        ("statistics.NormalDist.from_samples(DATA)", "", "import statistics"),
        ("a.b.C.D.make(1)", "", "import a.b"),
        ("A.b(1)", "", "import A"),
        ("datetime.datetime.fromisoformat(DATE)", "import datetime\n\ndatetime.datetime.fromisoformat(x)",
         "import datetime"),
        ("a.b.c(1)", "import a, a.b\nimport a.b.c.d\nimport abc", "import a.b"),
        ("a.b.c(1)", "import abc", "import a.b"),
        ("a.b.c(1)", "not python (", "import a.b"),
        ("len(TEXT)", "", "len(TEXT)"),
    ],
)  # fmt: skip
def test_what_is_imported_is_a_module(call, example, first):
    record = replace(PIPE, api_call="documented()", example_code=example)
    assert complete_code(record, call).split("\n")[0] == first
