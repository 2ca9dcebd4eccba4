"""Where the tests find real models: the folder GORILLA_MODELS, else the user's own store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gorilla_cli import config
from gorilla_cli.errors import GorillaError

if TYPE_CHECKING:
    from gorilla_cli.backends.store import StoredModel

# Read at import, before a test's environment is scrubbed.
FOLDER = Path(os.environ.get("GORILLA_MODELS", "") or config.paths().models)


def stored(name: str) -> StoredModel:
    """The model `name`, or a skipped test."""
    from gorilla_cli.backends.store import ModelStore

    store = ModelStore(FOLDER)
    try:
        store.path(name, kind="")
        return store.info(name)
    except GorillaError as error:
        pytest.skip(f"{error}; {error.hint}")
