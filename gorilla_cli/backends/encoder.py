"""Turns sentences into vectors with a BERT encoder in llama.cpp: what is close in meaning is close in direction.

One text at a time and on the processor, so that a text's vector does not depend on what was asked beside it. Does not
search, and writes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gorilla_cli.backends.llama_context import LlamaContext
from gorilla_cli.backends.wordpiece import SPECIAL_PIECES, WordPiece
from gorilla_cli.errors import GorillaError, ModelDamaged, StateError

if TYPE_CHECKING:
    import numpy as np

MAX_TOKENS = 256  # all-MiniLM-L6-v2 was trained on no more
WORD_START = "\u2581"
MEAN_POOLING = 1


class LlamaEncoder:
    """The encoder in the GGUF file `path`, loaded when it is first needed. Threads may share it."""

    def __init__(self, path: Path, sha256: str, threads: int) -> None:
        self._path, self._sha256, self._threads = path, sha256, threads
        self._lock = threading.Lock()
        self._context: _EncoderContext | None = None

    @property
    def name(self) -> str:
        return f"llama.cpp:{self._sha256[:16]}:{MAX_TOKENS}"

    @property
    def dimensions(self) -> int:
        """Length of a vector. Raises as `encode`."""
        with self._lock:
            return self._loaded().dimensions

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """float32 of shape (len(texts), dimensions), rows of length 1: the mean over a text's first 256 tokens.

        Raises ModelDamaged when the file is no such encoder, StateError when there is no memory for it.
        """
        import numpy as np

        rows = np.empty((len(texts), self.dimensions), np.float32)
        for row, text in zip(rows, texts, strict=True):
            with self._lock:
                row[:] = self._loaded().vector(text)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny)

    def close(self) -> None:
        """Give the memory back; the next text loads the file again."""
        with self._lock:
            if self._context is not None:
                self._context.close()
            self._context = None

    def _loaded(self) -> _EncoderContext:
        if self._context is None:
            self._context = _EncoderContext(self._path, self._threads)
        return self._context


class _EncoderContext(LlamaContext):
    """A llama.cpp context that gives the mean of the last layer instead of logits."""

    def __init__(self, path: Path, threads: int) -> None:
        super().__init__(path, n_ctx=MAX_TOKENS, n_seq=1, threads=threads, gpu_layers=0)
        self.dimensions: int = self._lib.llama_model_n_embd(self._model)
        try:
            if self._lib.llama_pooling_type(self._context) != MEAN_POOLING:
                raise ValueError("it does not pool by the mean")
            self._pieces = WordPiece(self._vocabulary())
        except ValueError as problem:
            self.close()
            hint = "pull one: gorilla model pull all-minilm-l6-v2"
            raise ModelDamaged(f"{path.name} is no sentence encoder: {problem}", hint) from None

    def _make_context(self, threads: int):
        params = self._lib.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = self.n_batch = self.n_ctx
        params.n_threads = params.n_threads_batch = threads
        params.embeddings, params.n_seq_max, params.no_perf = True, 1, True
        context = self._lib.llama_init_from_model(self._model, params)
        if not context:
            self._lib.llama_model_free(self._model)
            raise StateError("there is not enough memory for the sentence encoder", "close other programs")
        return context

    def vector(self, text: str) -> np.ndarray:
        """The mean over the tokens of `text`: float32 of shape (dimensions,), not yet of length 1."""
        import numpy as np

        tokens = self._pieces.ids(text, MAX_TOKENS)
        batch = self._batch
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i], batch.logits[i] = token, i, True
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
        if code := self._lib.llama_encode(self._context, batch):
            raise GorillaError(f"llama.cpp failed with code {code}")
        found = self._lib.llama_get_embeddings_seq(self._context, 0)
        return np.ctypeslib.as_array(found, (self.dimensions,)).copy()

    def _vocabulary(self) -> list[str]:
        """The pieces as BERT writes them: those that go on a word begin with ##."""
        read = self._lib.llama_vocab_get_text
        return [_piece(read(self._vocab, number).decode("utf-8", "replace")) for number in range(self.n_vocab)]


def _piece(stored: str) -> str:
    if stored.startswith(WORD_START):
        return stored[1:]
    return stored if stored in SPECIAL_PIECES else "##" + stored
