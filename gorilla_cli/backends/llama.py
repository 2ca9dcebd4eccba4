"""The llama.cpp backend: several completions from one prompt evaluation, the fixed prefix's KV state kept on disk.

A prompt may have several readings: the same request after different evidence. They share the fixed prefix, and the
completions of all of them are written together, see `decoding`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gorilla_cli.backends.decoding import Draft, decode_together
from gorilla_cli.backends.grammar import check_grammar
from gorilla_cli.errors import GorillaError
from gorilla_cli.types import Completion, Generation, ModelInfo, Prompt, Sampling, Usage

if TYPE_CHECKING:
    from gorilla_cli.backends.llama_context import LlamaContext

SEQUENCES = 12  # readings of the prompt and the completions that branch off; shared cells cost nothing
KEPT_PREFIXES = 6  # prefix files beyond the newest few are removed


@dataclass(frozen=True)
class LlamaOptions:
    """How to run the model. `threads` 0 lets llama.cpp decide; `gpu_layers` -1 offloads all layers."""

    threads: int = 0
    gpu_layers: int = -1
    context_window: int = 4096
    prefix_dir: Path | None = None


class LlamaBackend:
    """Runs one GGUF file in this process. Not thread-safe: one `generate` at a time; `load` may run ahead."""

    def __init__(self, path: Path, name: str, sha256: str, options: LlamaOptions) -> None:
        self._path, self._name, self._sha256, self._options = path, name, sha256, options
        self._context: LlamaContext | None = None
        self._held: list[int] = []  # the tokens whose KV state sequence 0 holds
        self._lock = threading.Lock()

    @property
    def info(self) -> ModelInfo:
        offloads = self._context is not None and self._context.offloads
        return ModelInfo(self._name, self._sha256, "llama.cpp gpu" if offloads else "llama.cpp cpu")

    def load(self) -> None:
        """Map the weights and make the context, once. Raises ModelDamaged, StateError."""
        from gorilla_cli.backends.llama_context import LlamaContext

        with self._lock:
            if self._context is None:
                self._context = LlamaContext(
                    self._path,
                    n_ctx=self._options.context_window,
                    n_seq=SEQUENCES,
                    threads=self._options.threads or os.cpu_count() or 1,
                    gpu_layers=self._options.gpu_layers,
                )

    def close(self) -> None:
        if self._context is not None:
            self._context.close()
            self._context, self._held = None, []

    def count_tokens(self, text: str) -> int:
        self.load()
        return len(self._loaded.tokenize(text))

    def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """`sampling.n` completions of `prompt`. An interrupt stops the evaluation at once and is raised again."""
        if sampling.grammar:
            check_grammar(sampling.grammar)
        self.load()
        self._loaded.abort.clear()
        return _interruptible(lambda: self._generate(prompt, sampling), self._loaded.abort.set)

    @property
    def _loaded(self) -> LlamaContext:
        if self._context is None:
            raise GorillaError("the model is not loaded")
        return self._context

    def _generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        started = time.perf_counter()
        lengths, cached = self._evaluate(prompt)
        evaluated = time.perf_counter()
        completions = self._complete(lengths, sampling)
        finished = time.perf_counter()
        return Generation(
            completions=tuple(completions),
            usage=Usage(sum(lengths), cached, sum(completion.tokens for completion in completions)),
            prompt_ms=(evaluated - started) * 1000,
            generate_ms=(finished - evaluated) * 1000,
        )

    def _evaluate(self, prompt: Prompt) -> tuple[list[int], int]:
        """Bring one sequence to each reading of the prompt, and have the logits of their last tokens in that order.

        Gives the length of each, and how many tokens of all were not evaluated again. Sequence 0 has the first one.
        """
        context = self._loaded
        prefix = context.first_token() + context.tokenize(prompt.prefix) if prompt.prefix else context.first_token()
        readings = [prefix + context.tokenize(rest) for rest in (prompt.rest, *prompt.others)]
        if not all(readings):
            raise GorillaError("the prompt is empty")
        if sum(map(len, readings)) - len(prefix) * (len(readings) - 1) > context.n_ctx:
            raise context.too_long()  # before seconds are spent on it
        cached = self._evaluate_first(readings[0][:-1], prefix)
        for sequence, tokens in enumerate(readings[1:], 1):
            known = _same_beginning(self._held, tokens[:-1])
            context.trim(sequence, 0)  # an interrupt may have left something there
            context.fork(0, sequence)
            context.trim(sequence, known)
            context.evaluate(tokens[known:-1], known, sequence)
            cached += known
        context.decode([(tokens[-1], len(tokens) - 1, i, True) for i, tokens in enumerate(readings)])
        return [len(tokens) for tokens in readings], cached

    def _evaluate_first(self, tokens: list[int], prefix: Sequence[int]) -> int:
        """Bring sequence 0 to `tokens`; how many of them were not evaluated again."""
        context = self._loaded
        position = cached = _same_beginning(self._held, tokens)
        if position < len(prefix) and (store := self._prefix_file(prefix)) is not None:
            cached = self._restore_prefix(prefix, store)
            position = min(len(prefix), len(tokens))
        context.trim(0, position)
        self._held = tokens[:position]
        context.evaluate(tokens[position:], position)
        self._held = tokens
        return min(cached, len(tokens))

    def _restore_prefix(self, prefix: Sequence[int], store: PrefixFile) -> int:
        """Bring sequence 0 to `prefix`, from disk or evaluated and written there; how many tokens came for free."""
        context = self._loaded
        self._held = []
        context.trim(0, 0)
        if store.intact() and context.load_state(store.file, len(prefix)) == list(prefix):
            return len(prefix)
        context.trim(0, 0)  # a whole file can still be the wrong one
        context.evaluate(prefix, 0)
        store.write(lambda file: context.save_state(file, prefix))
        return 0

    def _prefix_file(self, prefix: Sequence[int]) -> PrefixFile | None:
        """Where the KV state of `prefix` lies: keyed by all that changes its bytes."""
        import llama_cpp

        folder = self._options.prefix_dir
        if folder is None or not prefix:
            return None
        key = hashlib.sha256(
            repr((self._sha256, llama_cpp.__version__, list(prefix), self._loaded.offloads, "f16")).encode()
        )
        return PrefixFile(folder / f"{key.hexdigest()[:32]}.kv")

    def _complete(self, lengths: Sequence[int], sampling: Sampling) -> list[Completion]:
        """Decode all completions together after the readings that the first sequences hold."""
        context = self._loaded
        drafts = [Draft(context.sampler(**_sampler_settings(sampling, i, len(lengths)))) for i in range(sampling.n)]
        try:
            decode_together(context, drafts, lengths, sampling)
        finally:
            for draft in drafts:
                draft.sampler.close()
            for sequence in range(1, context.n_seq):
                context.trim(sequence, 0)
            context.trim(0, len(self._held))
        return [draft.completion() for draft in drafts]


@dataclass(frozen=True)
class PrefixFile:
    """A KV state on disk, its checksum beside it: llama.cpp trusts what it reads, so damage must not reach it."""

    file: Path

    def intact(self) -> bool:
        """Does the file have the size and CRC-32 that were written with it?"""
        try:
            expected = self._seal.read_text()
            data = self.file.read_bytes()
        except (OSError, UnicodeDecodeError):
            return False
        return expected == _seal_of(data)

    def write(self, save: Callable[[Path], None]) -> None:
        """Let `save` write a temporary file, then put it in place. A full disk only costs the speed-up."""
        temporary = self.file.with_suffix(f".{os.getpid()}.tmp")
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            save(temporary)
            self._seal.write_text(_seal_of(temporary.read_bytes()))
            os.replace(temporary, self.file)
            self._prune()
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()

    @property
    def _seal(self) -> Path:
        return self.file.with_suffix(".seal")

    def _prune(self) -> None:
        files = sorted(self.file.parent.glob("*.kv"), key=lambda file: file.stat().st_mtime, reverse=True)
        for old in files[KEPT_PREFIXES:]:
            old.unlink(missing_ok=True)
            old.with_suffix(".seal").unlink(missing_ok=True)


def _seal_of(data: bytes) -> str:
    return f"{len(data)} {zlib.crc32(data):08x}"


def _sampler_settings(sampling: Sampling, index: int, readings: int) -> dict:
    return {
        "temperature": 0.0 if index < readings else sampling.temperature,
        "top_p": sampling.top_p,
        "seed": (sampling.seed + index) & 0xFFFFFFFF,
        "grammar": sampling.grammar,
    }


def _same_beginning(left: Sequence[int], right: Sequence[int]) -> int:
    """Length of the common prefix."""
    for i, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return i
    return min(len(left), len(right))


def _interruptible(work: Callable[[], Generation], abort: Callable[[], None]) -> Generation:
    """`work()` on another thread, so that Ctrl-C reaches the main one while native code runs; then abort and wait."""
    from gorilla_cli.backends.llama_context import Aborted

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        try:
            return future.result()
        except BaseException:
            abort()
            with contextlib.suppress(Aborted, GorillaError):
                future.result()
            raise
