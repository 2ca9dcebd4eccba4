"""The llama.cpp backend: several completions from one prompt evaluation, the fixed prefix's KV state kept on disk.

A prompt may have several readings: the same request after different evidence. They share the fixed prefix, and the
completions of all of them are written together, see `decoding`.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gorilla_cli.backends.decoding import Draft, decode_together
from gorilla_cli.backends.grammar import check_grammar
from gorilla_cli.errors import GorillaError
from gorilla_cli.types import Completion, Generation, ModelInfo, Prompt, Sampling, Usage, Weighing

if TYPE_CHECKING:
    from gorilla_cli.backends.llama_context import LlamaContext

T = TypeVar("T")
SEQUENCES = 24  # readings of the prompt and the completions that branch off; shared cells cost nothing
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
        self._readings: list[list[int]] = []  # the tokens of the readings evaluated last
        self._prefix = -1  # the sequence that holds the fixed prefix and nothing else
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
            self._context, self._readings, self._prefix = None, [], -1

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

    def weigh(self, prompt: Prompt, options: Sequence[str]) -> Weighing:
        """The log-probability of each option after each reading of `prompt`; nothing is written."""
        if not all(options):
            raise GorillaError("an option is empty")
        self.load()
        self._loaded.abort.clear()
        return _interruptible(lambda: self._weigh(prompt, options), self._loaded.abort.set)

    @property
    def _loaded(self) -> LlamaContext:
        if self._context is None:
            raise GorillaError("the model is not loaded")
        return self._context

    def _generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        started = time.perf_counter()
        readings, usage = self._evaluate(prompt)
        evaluated = time.perf_counter()
        completions = self._complete(readings, sampling)
        finished = time.perf_counter()
        return Generation(
            completions=tuple(completions),
            usage=usage + Usage(generated=sum(completion.tokens for completion in completions)),
            prompt_ms=(evaluated - started) * 1000,
            generate_ms=(finished - evaluated) * 1000,
        )

    def _weigh(self, prompt: Prompt, options: Sequence[str]) -> Weighing:
        started = time.perf_counter()
        context = self._loaded
        readings, usage = self._evaluate(prompt)
        tokens = [context.tokenize(option) for option in options]
        rows = [[context.logprob(row, option[0]) for option in tokens] for row in range(len(readings))]
        for row, sequence in zip(rows, readings, strict=True):
            for place, more in self._continued(sequence, tokens).items():
                row[place] += more
        return Weighing(tuple(map(tuple, rows)), usage, (time.perf_counter() - started) * 1000)

    def _continued(self, sequence: int, options: Sequence[Sequence[int]]) -> dict[int, float]:
        """Option -> log-probability of its tokens but the first after `sequence`. As many options at once as fit.

        The sequence is left as it was.
        """
        found: dict[int, float] = {}
        left = [place for place, tokens in enumerate(options) if len(tokens) > 1]
        while left:
            batch = self._fitting(left, options)
            found |= self._at_once(sequence, {place: options[place] for place in batch})
            left = left[len(batch) :]
        return found

    def _fitting(self, places: Sequence[int], options: Sequence[Sequence[int]]) -> list[int]:
        """The first of `places` whose options fit one batch; one at least."""
        context = self._loaded
        room, free = context.n_batch, sum(not held for held in context.held)
        sizes = itertools.accumulate(len(options[place]) - 1 for place in places)
        return [place for place, size in zip(places[:free], sizes, strict=False) if size <= room] or list(places[:1])

    def _at_once(self, sequence: int, options: Mapping[int, Sequence[int]]) -> dict[int, float]:
        context = self._loaded
        length = len(context.held[sequence])
        rows: list[tuple[int, int, int, bool]] = []
        targets: dict[int, tuple[int, int]] = {}  # option -> its sequence and its first row
        for place, tokens in options.items():
            target = self._free_sequence([taken for taken, _ in targets.values()])
            context.fork(sequence, target)
            targets[place] = target, len(rows)
            rows += [(token, length + i, target, True) for i, token in enumerate(tokens[:-1])]
        context.decode(rows)
        found = {
            place: sum(context.logprob(first + i, token) for i, token in enumerate(options[place][1:]))
            for place, (_, first) in targets.items()
        }
        for target, _ in targets.values():
            context.trim(target, 0)
        return found

    def _evaluate(self, prompt: Prompt) -> tuple[list[int], Usage]:
        """Bring a sequence to each reading of the prompt, and have the logits of their last tokens in that order.

        Gives the sequences. A reading goes on from its fixed prefix, or from an earlier reading that it continues.
        """
        context = self._loaded
        prefix = context.first_token() + context.tokenize(prompt.prefix) if prompt.prefix else context.first_token()
        readings = [prefix + context.tokenize(rest) for rest in (prompt.rest, *prompt.others)]
        if not all(readings):
            raise GorillaError("the prompt is empty")
        needed = sum(map(len, readings)) - len(prefix) * (len(readings) - 1)
        if needed > context.n_ctx:
            raise context.too_long()  # before seconds are spent on it
        restored = self._have_prefix(prefix)
        sequences = self._forked(readings, len(prefix))
        known = [len(context.held[sequence]) for sequence in sequences]
        for sequence, reading in zip(sequences, readings, strict=True):
            start = len(context.held[sequence])
            context.evaluate(reading[start:-1], start, sequence)
        last = [(reading[-1], len(reading) - 1, at, True) for at, reading in zip(sequences, readings, strict=True)]
        context.decode(last)
        self._readings = readings
        return sequences, Usage(sum(map(len, readings)), sum(known) if restored else sum(known[1:]))

    def _forked(self, readings: Sequence[Sequence[int]], prefix: int) -> list[int]:
        """A sequence for each of `readings` that holds a beginning of it; all others but the prefix's are emptied."""
        context = self._loaded
        kept = {self._prefix}
        begun = [self._longest_beginning(reading, prefix) for reading in readings]
        for sequence in set(range(context.n_seq)) - kept - {source for _, source in begun}:
            context.trim(sequence, 0)
        targets: list[int] = []
        for length, source in begun:
            free = self._free_sequence(targets)
            if length:
                context.fork(source, free)
                context.trim(free, length)
            targets.append(free)
        for sequence in set(range(context.n_seq)) - kept - set(targets):
            context.trim(sequence, 0)
        return targets

    def _longest_beginning(self, reading: Sequence[int], prefix: int) -> tuple[int, int]:
        """How much of `reading` but its last token is held, and by which sequence.

        Beyond the prefix only where it goes on after a whole earlier reading: where numbers lie in the cache changes
        the last bits of their sums, and the same request must give the same answer whatever was asked before.
        """
        held = self._loaded.held
        continued = any(len(old) < len(reading) and old == list(reading[: len(old)]) for old in self._readings)
        most = len(reading) - 1 if continued else min(prefix, len(reading) - 1)
        shared = [min(_same_beginning(tokens, reading), most) for tokens in held]
        return max(shared), shared.index(max(shared))

    def _free_sequence(self, taken: Sequence[int] = ()) -> int:
        held = self._loaded.held
        return next(place for place, tokens in enumerate(held) if not tokens and place not in taken)

    def _have_prefix(self, prefix: Sequence[int]) -> bool:
        """Have `prefix` in a sequence: held, from disk, or evaluated and written there. False when it cost time.

        One at a time: another one is quickly read again, and where a prefix lies changes the last bits of sums.
        """
        context = self._loaded
        if not prefix or (self._prefix >= 0 and context.held[self._prefix] == prefix):
            return True
        for sequence in range(context.n_seq):
            context.trim(sequence, 0)
        self._readings, self._prefix = [], 0
        store = self._prefix_file(prefix)
        if store and store.intact() and context.load_state(store.file, len(prefix), 0) == list(prefix):
            return True
        context.trim(0, 0)  # a whole file can still be the wrong one
        context.evaluate(prefix, 0)
        if store:
            store.write(lambda file: context.save_state(file, 0))
        return False

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

    def _complete(self, readings: Sequence[int], sampling: Sampling) -> list[Completion]:
        """Decode all completions together after the readings that the given sequences hold."""
        context = self._loaded
        drafts = [Draft(context.sampler(**_sampler_settings(sampling, i, len(readings)))) for i in range(sampling.n)]
        try:
            decode_together(context, drafts, readings, sampling)
        finally:
            for draft in drafts:
                draft.sampler.close()
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


def _interruptible(work: Callable[[], T], abort: Callable[[], None]) -> T:
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
