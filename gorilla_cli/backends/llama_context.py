"""One llama.cpp model with one context, as a few small calls over the low-level API. Decides nothing.

The high-level `llama_cpp.Llama` keeps a score array of n_ctx x n_vocab and one sequence; several completions of
one evaluated prompt, and a KV state file for the fixed prefix, need the calls underneath.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gorilla_cli import config
from gorilla_cli.errors import GorillaError, ModelDamaged, StateError

if TYPE_CHECKING:
    import numpy as np

CPU_BATCH = 128  # a little faster than 64, and larger ones are not; an interrupt does not wait for a batch
GPU_BATCH = 512
WAITING = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1000"}
ABORTED = 2  # llama_decode's own code
_log_lines: list[str] = []  # llama.cpp's log is kept for error messages and never reaches the screen
_log_callback = None


class Aborted(Exception):
    """The abort flag stopped an evaluation."""


def _library():
    """llama_cpp, quiet, with threads that sleep while they wait for each other.

    OpenMP threads spin at every barrier by default: beside any other busy process that makes an answer twenty times
    slower. libgomp reads its settings when it is loaded.
    """
    config.set_for_libraries(WAITING)
    import llama_cpp

    _quiet(llama_cpp)
    return llama_cpp


def _quiet(library) -> None:
    """Send llama.cpp's log into `_log_lines`. The callback must outlive every call, so it is kept here."""
    global _log_callback
    if _log_callback is None:

        @library.llama_log_callback
        def keep(level, text, _user_data):
            _log_lines.append(text.decode("utf-8", "replace").strip())
            del _log_lines[:-20]

        _log_callback = keep
        library.llama_log_set(keep, None)
        library.llama_backend_init()


class AbortFlag:
    """Stops a running `llama_decode` from another thread, without the interpreter lock.

    llama.cpp calls a C function between graph nodes and stops when it is non-zero. libc's `strlen` on a buffer of
    ours is such a function: an empty string goes on, a set first byte stops.
    """

    def __init__(self, callback_type) -> None:
        self._buffer = ctypes.create_string_buffer(2)
        self.callback = ctypes.cast(ctypes.CDLL(None).strlen, callback_type)
        self.data = ctypes.cast(self._buffer, ctypes.c_void_p)

    def set(self) -> None:
        self._buffer[0] = b"\x01"

    def clear(self) -> None:
        self._buffer[0] = b"\x00"


class LlamaContext:
    """A loaded model and a context of `n_ctx` tokens for `n_seq` sequences that share one KV cache.

    Raises ModelDamaged when llama.cpp refuses the file, StateError when there is no memory for the context.
    """

    def __init__(self, path: Path, *, n_ctx: int, n_seq: int, threads: int, gpu_layers: int) -> None:
        self._lib = llama_cpp = _library()
        self.offloads = bool(llama_cpp.llama_supports_gpu_offload()) and gpu_layers != 0
        self._model = self._load_model(path, gpu_layers if self.offloads else 0)
        self.abort = AbortFlag(llama_cpp.ggml_abort_callback)
        self.n_batch = GPU_BATCH if self.offloads else CPU_BATCH
        self.n_ctx, self.n_seq = n_ctx, n_seq
        self._context = self._make_context(threads)
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        self.n_vocab = llama_cpp.llama_vocab_n_tokens(self._vocab)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._batch = llama_cpp.llama_batch_init(max(self.n_batch, n_seq), 0, 1)
        self.held: list[list[int]] = [[] for _ in range(n_seq)]  # the tokens whose KV state each sequence holds

    def _load_model(self, path: Path, gpu_layers: int):
        params = self._lib.llama_model_default_params()
        params.n_gpu_layers = 0x7FFFFFFF if gpu_layers < 0 else gpu_layers
        # Repacking weights at load costs more than it gains in one request, keeps the file from being shared between
        # processes, and its AMX kernels crash on some virtual machines (0.3.36).
        params.use_extra_bufts = False
        model = self._lib.llama_model_load_from_file(os.fsencode(path), params)
        if not model:
            reason = _log_lines[-1] if _log_lines else "no reason given"
            raise ModelDamaged(f"llama.cpp cannot load {path.name}: {reason}", "pull it again: gorilla model pull")
        return model

    def _make_context(self, threads: int):
        params = self._lib.llama_context_default_params()
        params.n_ctx, params.n_seq_max, params.kv_unified = self.n_ctx, self.n_seq, True
        params.n_batch = params.n_ubatch = self.n_batch
        params.n_threads = params.n_threads_batch = threads
        params.abort_callback, params.abort_callback_data = self.abort.callback, self.abort.data
        params.no_perf = True
        context = self._lib.llama_init_from_model(self._model, params)
        if not context:
            self._lib.llama_model_free(self._model)
            raise StateError(
                f"there is not enough memory for a context window of {self.n_ctx} tokens",
                "lower it: gorilla config set context_window 2048",
            )
        return context

    def close(self) -> None:
        """Give the memory back. The object is of no use afterwards."""
        if self._context:
            self._lib.llama_batch_free(self._batch)
            self._lib.llama_free(self._context)
            self._lib.llama_model_free(self._model)
            self._context = self._model = None

    def tokenize(self, text: str) -> list[int]:
        """Token ids of `text`; special tokens such as <|im_start|> are recognised, none is added."""
        data = text.encode("utf-8", "replace")
        size = len(data) + 8
        tokens = (self._lib.llama_token * size)()
        count = self._lib.llama_tokenize(self._vocab, data, len(data), tokens, size, False, True)
        if count < 0:
            raise GorillaError("the request cannot be tokenised by this model")
        return list(tokens[:count])

    def first_token(self) -> list[int]:
        """The beginning-of-text token where the model wants one, else nothing."""
        if self._lib.llama_vocab_get_add_bos(self._vocab):
            return [self._lib.llama_vocab_bos(self._vocab)]
        return []

    def piece(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(256)
        size = self._lib.llama_token_to_piece(self._vocab, token, buffer, 256, 0, False)
        return buffer.raw[: max(0, size)]

    def ends(self, token: int) -> bool:
        """Is `token` an end of generation?"""
        return bool(self._lib.llama_vocab_is_eog(self._vocab, token))

    def evaluate(self, tokens: Sequence[int], start: int, sequence: int = 0) -> None:
        """Evaluate `tokens` as part of `sequence` from position `start`; no logits are kept."""
        for offset in range(0, len(tokens), self.n_batch):
            part = tokens[offset : offset + self.n_batch]
            self.decode([(token, start + offset + i, sequence, False) for i, token in enumerate(part)])

    def decode(self, rows: Sequence[tuple[int, int, int, bool]]) -> None:
        """Evaluate rows of (token, position, sequence, keep logits), at most `n_batch`, each at its sequence's end.

        Raises Aborted; then the sequences hold what they held before.
        """
        batch = self._batch
        batch.n_tokens = len(rows)
        for i, (token, position, sequence, wanted) in enumerate(rows):
            batch.token[i], batch.pos[i], batch.logits[i] = token, position, wanted
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, sequence
        code = self._lib.llama_decode(self._context, batch)
        if code:
            for sequence in {row[2] for row in rows}:
                self.trim(sequence, len(self.held[sequence]))
        if code == ABORTED:
            raise Aborted
        if code == 1:
            raise self.too_long()
        if code:
            raise GorillaError(f"llama.cpp failed with code {code}")
        for token, _, sequence, _ in rows:
            self.held[sequence].append(token)

    def too_long(self) -> GorillaError:
        return GorillaError(
            f"the request does not fit the context window of {self.n_ctx} tokens",
            "shorten it, or: gorilla config set context_window 8192",
        )

    def logits(self, row: int) -> np.ndarray:
        """The logits of a row of the last `decode`: float32, shape (n_vocab,), valid until the next one."""
        import numpy as np

        return np.ctypeslib.as_array(self._lib.llama_get_logits_ith(self._context, row), (self.n_vocab,))

    def logprob(self, row: int, token: int) -> float:
        """log softmax of the logits of a row of the last `decode` at `token`, in nats."""
        import numpy as np

        logits = self.logits(row)
        top = float(logits.max())
        return float(logits[token]) - top - float(np.log(np.exp(logits - top).sum()))

    def sampler(self, *, temperature: float, top_p: float, seed: int, grammar: str = "") -> Sampler:
        return Sampler(self._lib, self._context, self._vocab, temperature, top_p, seed, grammar)

    def trim(self, sequence: int, length: int) -> None:
        """Forget what `sequence` holds from position `length` on."""
        self._lib.llama_memory_seq_rm(self._memory, sequence, length, -1)
        del self.held[sequence][length:]

    def fork(self, source: int, target: int) -> None:
        """Let `target` hold what `source` holds; cells are shared, nothing is copied."""
        self.trim(target, 0)
        self._lib.llama_memory_seq_cp(self._memory, source, target, -1, -1)
        self.held[target] = list(self.held[source])

    def save_state(self, file: Path, sequence: int) -> None:
        """Write the KV state of `sequence` and the tokens it holds. Raises OSError when it cannot be written."""
        tokens = self.held[sequence]
        array = (self._lib.llama_token * len(tokens))(*tokens)
        if not self._lib.llama_state_seq_save_file(self._context, os.fsencode(file), sequence, array, len(tokens)):
            raise OSError(f"llama.cpp could not write {file.name}")

    def load_state(self, file: Path, capacity: int, sequence: int) -> list[int]:
        """Restore `sequence` from `file`; the tokens it holds, or an empty list when the file does not fit."""
        tokens = (self._lib.llama_token * capacity)()
        count = ctypes.c_size_t()
        size = self._lib.llama_state_seq_load_file(
            self._context, os.fsencode(file), sequence, tokens, capacity, ctypes.byref(count)
        )
        if not size:
            self.trim(sequence, 0)
            return []
        self.held[sequence] = list(tokens[: count.value])
        return self.held[sequence]


class Sampler:
    """A llama.cpp sampler chain for one sequence. Temperature 0 is greedy."""

    def __init__(self, library, context, vocab, temperature: float, top_p: float, seed: int, grammar: str) -> None:
        self._lib, self._context = library, context
        self._chain = library.llama_sampler_chain_init(library.llama_sampler_chain_default_params())
        if grammar:
            self._add(library.llama_sampler_init_grammar(vocab, grammar.encode(), b"root"))
        if temperature <= 0:
            self._add(library.llama_sampler_init_greedy())
            return
        self._add(library.llama_sampler_init_top_k(40))
        self._add(library.llama_sampler_init_top_p(top_p, 1))
        self._add(library.llama_sampler_init_temp(temperature))
        self._add(library.llama_sampler_init_dist(seed))

    def _add(self, sampler) -> None:
        if not sampler:
            raise GorillaError("llama.cpp refused the grammar")
        self._lib.llama_sampler_chain_add(self._chain, sampler)

    def sample(self, row: int) -> int:
        """The next token after a row of the last `decode`."""
        return self._lib.llama_sampler_sample(self._chain, self._context, row)

    def close(self) -> None:
        self._lib.llama_sampler_free(self._chain)


def build_report() -> dict[str, str]:
    """What the installed llama.cpp is: its version, the devices it sees and its CPU features, for `doctor`."""
    llama_cpp = _library()
    return {
        "version": llama_cpp.__version__,
        "gpu": "yes" if llama_cpp.llama_supports_gpu_offload() else "no",
        "devices": ", ".join(_devices(llama_cpp)) or "none",
        "features": llama_cpp.llama_print_system_info().decode("utf-8", "replace").strip(),
    }


def _devices(library) -> list[str]:
    """Names of the devices in ggml's registry, such as CPU or CUDA0; the bindings do not wrap these calls."""
    ggml = library.llama_cpp._lib
    ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    ggml.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    ggml.ggml_backend_dev_get.restype = ctypes.c_void_p
    ggml.ggml_backend_dev_name.argtypes = [ctypes.c_void_p]
    ggml.ggml_backend_dev_name.restype = ctypes.c_char_p
    count = ggml.ggml_backend_dev_count()
    return [ggml.ggml_backend_dev_name(ggml.ggml_backend_dev_get(i)).decode() for i in range(count)]
