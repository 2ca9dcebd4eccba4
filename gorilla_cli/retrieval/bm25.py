"""BM25 over a few candidate documents with the statistics of the whole corpus. Imports numpy: import it when needed.

It must not fetch or filter anything; the index does.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from rank_bm25 import BM25Plus

from gorilla_cli.retrieval.candidates import Statistics

K1, B = 2.5, 0.5  # fields weigh by repetition, so counts saturate later than in prose, and long documents are rich ones


class CorpusBM25(BM25Plus):
    """BM25+ (Lv and Zhai 2011, as rank_bm25 has it) for a sample of a corpus.

    `delta` is 0: rank_bm25 adds its constant to every document, also to those without the term, which would drown the
    priors multiplied later. What stays of BM25+ is an idf that is never negative, log((N + 1) / n).
    """

    def __init__(
        self,
        documents: Sequence[Sequence[str]],
        lengths: Sequence[int],
        corpus: Statistics,
        k1: float = K1,
        b: float = B,
    ) -> None:
        """`documents` may be reduced to the query's tokens; `lengths` are the whole documents', in tokens."""
        self._lengths, self._corpus = lengths, corpus
        super().__init__(documents, k1=k1, b=b, delta=0)

    def _initialize(self, corpus: Sequence[Sequence[str]]) -> Mapping[str, int]:
        self.doc_len = list(self._lengths)
        self.doc_freqs = [Counter(document) for document in corpus]
        self.corpus_size = self._corpus.docs
        self.avgdl = self._corpus.tokens / self._corpus.docs
        return self._corpus.frequencies

    def scores(self, query: Sequence[str]) -> list[float]:
        """One score per document, in order; 0 when it has no term of `query`."""
        if not self.doc_len:
            return []
        return self.get_batch_scores(query, list(range(len(self.doc_len))))

    def best_possible(self, query: Sequence[str]) -> float:
        """The score of a document of average length that has every token of `query` once, known or not; never 0."""
        size = self._corpus.docs
        idf = (math.log((size + 1) / self._corpus.frequencies.get(token, 1)) for token in query)
        return sum(idf) or 1.0
