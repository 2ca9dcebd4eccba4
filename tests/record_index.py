"""What tests of the record index share: a source from a list, a record from a few words, an encoder without a model."""

from __future__ import annotations

from zlib import crc32

import numpy as np

from gorilla_cli.types import ApiRecord

WORDS = {"snapshot": "image", "picture": "image", "sort": "classify"}  # one meaning


class Source:
    """Records from a list; remembers which were read."""

    def __init__(self, records, name="records:x"):
        self.name, self.listed, self.read = name, list(records), []

    def ids(self):
        return {record.id: record.stamp for record in self.listed}

    def records(self, skip=()):
        for record in self.listed:
            if record.id not in skip:
                self.read.append(record.id)
                yield record


def record(call, source="records:x", **fields):
    given = {"domain": "", "framework": "", "functionality": "", "api_name": call, "stamp": "1", **fields}
    return ApiRecord(id=f"{source}:{' '.join(call.split())}", source=source, api_call=call, **given)


class WordEncoder:
    """A direction for every word, the same for words of one meaning; a text is the sum of its words."""

    def __init__(self, name="words-1", dimensions=64):
        self.name, self.dimensions, self.asked = name, dimensions, []

    def encode(self, texts):
        self.asked += texts
        rows = np.array([self._sum(text.lower().replace(".", " ").split()) for text in texts], dtype=np.float32)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)

    def _sum(self, words):
        return sum((self._direction(WORDS.get(word, word)) for word in words), np.full(self.dimensions, 1e-6))

    def _direction(self, word):
        return np.random.default_rng(crc32(f"{self.name}{word}".encode())).standard_normal(self.dimensions)
