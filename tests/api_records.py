"""A few API records for tests of the command line: plain Python that runs anywhere, and models with figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gorilla_cli.retrieval.records import RecordIndex
from gorilla_cli.sources.records import RecordFile

WRAP: dict[str, Any] = {
    "domain": "Text",
    "framework": "textwrap",
    "functionality": "wrap a paragraph into short lines",
    "api_name": "textwrap.TextWrapper",
    "api_call": "textwrap.TextWrapper(width=20)",
    "example_code": "import textwrap\n\nTEXT = ...\nwrapper = textwrap.TextWrapper(width=20)\nwrapper.fill(TEXT)\n",
    "description": "Turns a paragraph into lines of at most twenty characters.",
}
SHORTEN: dict[str, Any] = {
    "domain": "Text",
    "framework": "textwrap",
    "functionality": "truncate prose to a number of characters",
    "api_name": "textwrap.shorten",
    "api_call": "textwrap.shorten(text, width)",
    "api_arguments": [
        {"name": "text", "type": "str", "description": "what to truncate", "required": True},
        {"name": "width", "type": "int", "description": "the most characters", "required": True},
    ],
    "description": "Truncates prose at a blank so that it fits.",
}
REMOVE: dict[str, Any] = {
    "domain": "Files",
    "framework": "shutil",
    "functionality": "delete a directory tree",
    "api_name": "shutil.rmtree",
    "api_call": "shutil.rmtree('made')",
    "example_code": "import shutil\n\nshutil.rmtree('made')\n",
    "description": "Deletes a directory tree and all that is in it.",
}


def classifier(name: str, **measured: float) -> dict[str, Any]:
    """A model that says what is in a picture. `measured`: its parameters and accuracy."""
    call = f"torch.hub.load('pytorch/vision', '{name}')"
    about = {"functionality": "classify what is in a picture", "description": f"An image classifier called {name}."}
    return {
        **{"domain": "Image classification", "framework": "PyTorch Hub", "api_name": name, "api_call": call},
        **about,
        "figures": [
            {"metric": metric, "dataset": "ImageNet" if metric == "accuracy" else "", "value": value}
            for metric, value in measured.items()
        ],
    }


CLASSIFIERS = [
    classifier("tiny", parameters=3e6, accuracy=61.0),
    classifier("medium", parameters=8e6, accuracy=76.5),
    classifier("huge", parameters=80e6, accuracy=85.0),
    classifier("unmeasured"),
]
ROWS = [WRAP, SHORTEN, REMOVE, *CLASSIFIERS]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A file of records, a row to a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def build(index: Path, rows: list[dict[str, Any]]) -> None:
    """An index of these rows alone, as the source "records:own"; their file is not remembered."""
    index.parent.mkdir(parents=True, exist_ok=True)
    RecordIndex(index).sync(RecordFile(write(index.with_suffix(".jsonl"), rows), "own"))
