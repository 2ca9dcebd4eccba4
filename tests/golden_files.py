"""Compares a text with the file of that name under tests/golden; see the README there for how to rewrite them."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"
REWRITE = bool(os.environ.get("GORILLA_REWRITE"))  # read at import: each test runs in a scrubbed environment


def check_golden(name: str, text: str) -> None:
    """`text` must be what the file `name` holds, byte for byte."""
    file = FOLDER / name
    if REWRITE:
        file.write_bytes(text.encode())
    assert text.encode() == file.read_bytes()
