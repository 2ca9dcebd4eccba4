"""What every Backend promises, over each implementation. The one that runs a real model: `-m model`."""

from __future__ import annotations

import math

import pytest

from gorilla_cli.backends.scripted import ScriptedBackend
from gorilla_cli.errors import ModelDamaged, ModelMissing
from gorilla_cli.types import Generation, ModelInfo, Prompt, Sampling, Weighing
from tests.models import stored

SCRIPT = """
[[answer]]
match = "files"
completions = ["ls", "ls -a", "ls -A", "find ."]
"""
PROMPT = Prompt(
    "<|im_start|>system\nYou write shell commands.<|im_end|>\n",
    "<|im_start|>user\nlist files<|im_end|>\n<|im_start|>assistant\n",
)


def scripted(folder):
    file = folder / "script.toml"
    file.write_text(SCRIPT)
    return ScriptedBackend(file)


def llama(folder):
    from gorilla_cli.backends.llama import LlamaBackend, LlamaOptions

    model = stored("smollm2-135m")
    options = LlamaOptions(threads=2, gpu_layers=0, context_window=1024, prefix_dir=folder / "prefix")
    return LlamaBackend(model.path, model.name, model.sha256, options)


@pytest.fixture(params=[scripted, pytest.param(llama, marks=pytest.mark.model)], ids=["scripted", "llama.cpp"])
def backend(request, tmp_path):
    backend = request.param(tmp_path)
    yield backend
    if hasattr(backend, "close"):
        backend.close()


def test_it_says_what_it_is(backend):
    backend.load()
    assert isinstance(backend.info, ModelInfo)
    assert all((backend.info.name, backend.info.sha256, backend.info.backend))


def test_loading_twice_and_generating_without_loading(backend):
    first = backend.generate(PROMPT, Sampling(n=1, max_tokens=8))
    backend.load()
    backend.load()
    assert texts(backend.generate(PROMPT, Sampling(n=1, max_tokens=8))) == texts(first)


def texts(generation):
    return [completion.text for completion in generation.completions]


@pytest.mark.parametrize("n", [1, 2, 4])
def test_n_completions_the_first_of_them_the_same_for_every_n(backend, n):
    generation = backend.generate(PROMPT, Sampling(n=n, max_tokens=8, seed=1))
    assert isinstance(generation, Generation)
    assert len(generation.completions) == n
    assert texts(generation)[0] == texts(backend.generate(PROMPT, Sampling(n=1, max_tokens=8)))[0]


def test_the_same_sampling_gives_the_same_completions(backend):
    sampling = Sampling(n=3, max_tokens=12, seed=7, temperature=1.0)
    assert texts(backend.generate(PROMPT, sampling)) == texts(backend.generate(PROMPT, sampling))


def test_the_figures_of_a_generation(backend):
    generation = backend.generate(PROMPT, Sampling(n=2, max_tokens=8))
    usage = generation.usage
    assert usage.prompt > usage.cached >= 0
    assert usage.generated == sum(completion.tokens for completion in generation.completions)
    assert generation.prompt_ms >= 0
    assert generation.generate_ms >= 0
    for completion in generation.completions:
        assert completion.finish in ("stop", "length")
        assert completion.mean_logprob <= 0
        assert 0 <= completion.tokens <= 8


OPTIONS = ("find .", "qzx %% vvk", "ls")


@pytest.mark.parametrize("others", [(), ("<|im_start|>user\nshow files<|im_end|>\n<|im_start|>assistant\n",)])
def test_a_weighing_has_a_row_for_each_reading_and_a_number_for_each_option(backend, others):
    weighing = backend.weigh(Prompt(PROMPT.prefix, PROMPT.rest, others), OPTIONS)
    assert isinstance(weighing, Weighing)
    assert [len(row) for row in weighing.logprobs] == [len(OPTIONS)] * (1 + len(others))
    assert all(math.isfinite(logprob) and logprob <= 0 for row in weighing.logprobs for logprob in row)
    assert weighing.prompt_ms >= 0


def test_what_would_be_written_is_likelier_than_what_would_not(backend):
    (row,) = backend.weigh(PROMPT, OPTIONS).logprobs
    by_option = dict(zip(OPTIONS, row, strict=True))
    assert min(by_option, key=by_option.get) == "qzx %% vvk"


def test_weighing_generates_nothing_and_changes_no_answer(backend):
    before = texts(backend.generate(PROMPT, Sampling(n=1, max_tokens=8)))
    usage = backend.weigh(PROMPT, OPTIONS).usage
    assert usage.generated == 0
    assert usage.prompt >= usage.cached >= 0
    assert texts(backend.generate(PROMPT, Sampling(n=1, max_tokens=8))) == before


def test_asking_twice_weighs_the_same_in_any_order(backend):
    (first,) = backend.weigh(PROMPT, OPTIONS).logprobs
    (again,) = backend.weigh(PROMPT, OPTIONS).logprobs
    (backwards,) = backend.weigh(PROMPT, OPTIONS[::-1]).logprobs
    assert again == pytest.approx(first, abs=0.2)
    assert backwards[::-1] == pytest.approx(first, abs=0.2)


def test_a_model_that_is_not_there(tmp_path):
    with pytest.raises(ModelMissing, match="there is no script") as caught:
        ScriptedBackend(tmp_path / "none.toml").load()
    assert caught.value.hint


@pytest.mark.model
@pytest.mark.parametrize("content", [b"", b"GGUF", b"no model at all" * 100])
def test_a_file_that_is_no_model(tmp_path, content):
    from gorilla_cli.backends.llama import LlamaBackend, LlamaOptions

    (tmp_path / "model.gguf").write_bytes(content)
    with pytest.raises(ModelDamaged):
        LlamaBackend(tmp_path / "model.gguf", "x", "", LlamaOptions(threads=1)).load()
