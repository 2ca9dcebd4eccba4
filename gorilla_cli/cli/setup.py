"""`gorilla setup`: everything the first request needs, in one command that can be repeated."""

from __future__ import annotations

import click

from gorilla_cli.cli import wiring


@click.command(epilog="\b\nExamples:\n  gorilla setup\n  gorilla setup --model qwen2.5-coder-0.5b")
@click.option("--model", metavar="NAME|FILE", help="The model to pull and use (default: the configured one).")
@click.option("--if-needed", is_flag=True, help="Do nothing when model and index are there.")
def setup(model: str | None, if_needed: bool) -> None:
    """Pull the model, build the index of what is installed here, and warm both up."""
    name = model or wiring.settings().model
    if if_needed and _ready(name):
        return
    terminal = wiring.terminal()
    pulled = _pull(name, terminal)
    if model and model != wiring.settings().model:
        from gorilla_cli import config

        config.store(wiring.paths(), "model", pulled)
    _index(terminal)
    _warm(pulled, terminal)
    terminal.say("Ready. Try: gorilla show the ten biggest files here")


def _ready(name: str) -> bool:
    from gorilla_cli.errors import GorillaError

    try:
        return wiring.store().path(name).exists() and wiring.paths().index.exists()
    except GorillaError:
        return False


def _pull(name: str, terminal) -> str:
    from gorilla_cli.cli.model import pull_model

    return pull_model(name, terminal)


def _index(terminal) -> None:
    from gorilla_cli.cli.index import build_index

    build_index(terminal, fresh=False, wait=False)


def _warm(name: str, terminal) -> None:
    """Evaluate the fixed prefix once, so that its KV state is on disk before the first request."""
    from gorilla_cli.cli.ask import request_of
    from gorilla_cli.pipeline import DocsGate
    from gorilla_cli.prompts.shell import shell_prompt
    from gorilla_cli.types import Sampling

    with terminal.spinner("warming up"):
        pipeline = wiring.pipeline(name, DocsGate("off"))
        prompt = shell_prompt(request_of("list files", None), "", pipeline.chat_format)
        pipeline.backend.generate(prompt, Sampling(n=1, max_tokens=1))
