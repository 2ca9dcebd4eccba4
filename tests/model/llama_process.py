"""One job for a real model in a process of its own; a JSON object of arguments in, a JSON object out.

Jobs: `generate` with a prefix folder, `reference`, `interrupt` a long prompt, `grammars` to be tried on a vocabulary.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from gorilla_cli.backends.llama import LlamaBackend, LlamaOptions
from gorilla_cli.errors import GorillaError
from gorilla_cli.types import Prompt, Sampling

SAMPLING = Sampling(n=1, max_tokens=16)


def backend(job: dict) -> LlamaBackend:
    folder = Path(job["prefix_dir"]) if job.get("prefix_dir") else None
    options = LlamaOptions(threads=2, gpu_layers=0, context_window=job.get("context", 1024), prefix_dir=folder)
    return LlamaBackend(Path(job["path"]), "model", job["sha256"], options)


def generate(job: dict) -> dict:
    """One completion, or the name of the error."""
    running = backend(job)
    try:
        made = running.generate(Prompt(job["prefix"], job["rest"]), Sampling(**job.get("sampling", {"n": 1})))
    except GorillaError as error:
        return {"error": type(error).__name__}
    return {"text": made.completions[0].text, "cached": made.usage.cached, "prompt": made.usage.prompt}


def interrupt(job: dict) -> dict:
    """Start a long prompt, say so, wait for SIGINT; where it stopped, and what a short prompt gives afterwards."""
    running = backend(job)
    running.load()
    context = running._loaded  # the position in the KV cache is nobody else's business
    at = []

    def evaluated() -> int:
        return context._lib.llama_memory_seq_pos_max(context._memory, 0) + 1

    def handler(_number, _frame):
        at.append(evaluated())
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, handler)
    interrupted = False
    print("started", flush=True)
    try:
        running.generate(Prompt("", job["long"]), SAMPLING)
    except KeyboardInterrupt:
        interrupted = True
    after = evaluated()
    short = running.generate(Prompt("", job["short"]), SAMPLING).completions[0].text
    return {"interrupted": interrupted, "at": at, "after": after, "short": short}


def reference(job: dict) -> dict:
    """The greedy completion of the library's own interface; as in LlamaContext, without repacked weights."""
    import llama_cpp.llama_cpp as library
    from llama_cpp import Llama

    real = library.llama_model_default_params

    def without_repacking():
        params = real()
        params.use_extra_bufts = False
        return params

    library.llama_model_default_params = without_repacking
    sizes = {"n_ctx": job["context"], "n_batch": job["batch"], "n_ubatch": job["batch"]}
    llama = Llama(job["path"], **sizes, n_threads=2, n_threads_batch=2, flash_attn=True, verbose=False)
    tokens = llama.tokenize(job["text"].encode(), add_bos=llama._model.add_bos_token(), special=True)
    made = llama.create_completion(
        tokens, max_tokens=job["max_tokens"], temperature=0.0, repeat_penalty=1.0, stop=job["stop"]
    )["choices"][0]
    return {"text": made["text"], "finish": made["finish_reason"], "prompt": len(tokens)}


def grammars(job: dict) -> dict:
    """Which of the grammars llama.cpp takes."""
    import llama_cpp

    silent = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(silent, None)
    params = llama_cpp.llama_model_default_params()
    params.vocab_only = True
    loaded = llama_cpp.llama_model_load_from_file(job["path"].encode(), params)
    vocab = llama_cpp.llama_model_get_vocab(loaded)
    taken = [bool(llama_cpp.llama_sampler_init_grammar(vocab, text.encode(), b"root")) for text in job["texts"]]
    return {"taken": taken}


if __name__ == "__main__":
    arguments = json.load(sys.stdin)
    print(json.dumps(globals()[arguments.pop("job")](arguments)))
