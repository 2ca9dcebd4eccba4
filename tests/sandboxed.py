"""Which tests need the sandbox of the benchmark, and why they cannot run where there is none."""

from __future__ import annotations

import functools

import pytest

from gorilla_cli.bench.sandbox import NoSandbox, need_sandbox


@functools.cache
def missing() -> str:
    try:
        need_sandbox()
    except NoSandbox as error:
        return f"{error} ({error.hint})"
    return ""


@pytest.fixture(scope="session")
def sandbox():
    """Skips where commands cannot be locked in, with the reason."""
    if missing():
        pytest.skip(missing())
