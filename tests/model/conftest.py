"""The real models: those of the folder GORILLA_MODELS, else of the user's own store; a missing one skips its tests."""

from __future__ import annotations

import pytest

from gorilla_cli.backends.llama import LlamaBackend, LlamaOptions
from tests.models import stored

CONTEXT = 320


def backend_of(model, **options):
    """A backend on two threads of the CPU, without a cache unless `prefix_dir` is given."""
    chosen = {"threads": 2, "gpu_layers": 0, "context_window": CONTEXT, **options}
    return LlamaBackend(model.path, model.name, model.sha256, LlamaOptions(**chosen))


@pytest.fixture(scope="module", params=["smollm2-135m", "qwen2.5-coder-0.5b"])
def model(request):
    return stored(request.param)


@pytest.fixture(scope="module")
def small():
    return stored("smollm2-135m")


@pytest.fixture(scope="module")
def backend(model):
    running = backend_of(model)
    yield running
    running.close()


@pytest.fixture(scope="module")
def tiny(small):
    """The smallest model, for what does not depend on the model."""
    running = backend_of(small)
    yield running
    running.close()


@pytest.fixture
def cached(small, tmp_path):
    """The smallest model with a cache in a folder of its own, and that folder."""
    running = backend_of(small, prefix_dir=tmp_path / "prefix")
    yield running, tmp_path / "prefix"
    running.close()
