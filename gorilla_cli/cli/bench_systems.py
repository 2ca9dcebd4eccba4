"""Which system `gorilla bench` measures: its options on the command line, and the system that they name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gorilla_cli.cli import wiring
from gorilla_cli.cli.model import _complete as complete_model
from gorilla_cli.errors import UsageError

if TYPE_CHECKING:
    from gorilla_cli.bench.options import OptionLookup
    from gorilla_cli.bench.sampling import Manifest
    from gorilla_cli.bench.systems import System
    from gorilla_cli.types import Sampling

PROGRAM = "command:"
SYSTEMS = ("gorilla", "bare", PROGRAM)


@dataclass(frozen=True)
class Flags:
    """Which system, and how it is to answer. None is the default of the system or the user's setting."""

    system: str
    model: str | None
    candidates: int | None
    seed: int
    docs: str | None


def _check_system(_ctx, _param, value: str) -> str:
    if value in ("gorilla", "bare") or (value.startswith(PROGRAM) and value.removeprefix(PROGRAM).strip()):
        return value
    raise click.BadParameter(f"{value!r} is none of gorilla, bare, command:PROGRAM ARGS")


def _complete_system(_ctx, _param, incomplete: str) -> list[str]:
    return [name for name in SYSTEMS if name.startswith(incomplete)]


_SYSTEM_OPTIONS = (
    click.option(
        "--system",
        default="gorilla",
        show_default=True,
        metavar="NAME",
        callback=_check_system,
        shell_complete=_complete_system,
        help="gorilla; bare (the model alone); or command:PROGRAM ARGS.",
    ),
    click.option("--model", metavar="NAME|FILE", shell_complete=complete_model, help="A pulled model, or a GGUF file."),
    click.option(
        "-n", "candidates", type=click.IntRange(1, 8), metavar="N", help="Candidates (default: the setting; bare: 1)."
    ),
    click.option("--seed", type=int, default=0, show_default=True, help="Seed of the candidates after the first."),
    click.option("--docs", type=click.Choice(("auto", "on", "off")), help="Documentation in gorilla's prompt."),
)


def system_options(command: Callable) -> Callable:
    """The options that say which system answers; their values are the fields of `Flags`."""
    for option in reversed(_SYSTEM_OPTIONS):
        command = option(command)
    return command


def system_of(flags: Flags, counted: bool) -> tuple[System, dict[str, Any]]:
    """The system that the flags name and the settings that change what it answers.

    `counted`: look the options of its candidates up. A list that is not counted is about an unknown machine, so what
    is installed on this one does not weigh. Raises ModelMissing, IndexMissing, UsageError.
    """
    if flags.docs is not None and flags.system != "gorilla":
        raise UsageError(f"--docs means nothing to {flags.system}", "leave it out")
    if flags.system.startswith(PROGRAM):
        return _program(flags, counted), {}
    from gorilla_cli import config

    chosen = wiring.settings()
    name, bare = flags.model or chosen.model, flags.system == "bare"
    sampling = _sampling(flags.candidates or (1 if bare else chosen.candidates), flags.seed)
    settings = {"candidates": sampling.n, "temperature": sampling.temperature, "top_p": sampling.top_p}
    settings |= {"max_tokens": sampling.max_tokens, "context_window": chosen.context_window}
    settings |= {"threads": chosen.threads or config.physical_cores(), "gpu_layers": chosen.gpu_layers}
    if bare:
        return _bare(name, sampling, counted), settings
    docs = flags.docs or chosen.docs
    return _gorilla(name, sampling, docs, counted), {**settings, "docs": docs}


def _sampling(n: int, seed: int) -> Sampling:
    from gorilla_cli.types import Sampling

    chosen = wiring.settings()
    return Sampling(n=n, temperature=chosen.temperature, seed=seed, max_tokens=chosen.max_tokens)


def _gorilla(name: str, sampling: Sampling, docs: str, counted: bool) -> System:
    from dataclasses import replace

    from gorilla_cli import config
    from gorilla_cli.bench.systems import GorillaSystem
    from gorilla_cli.pipeline import DocsGate
    from gorilla_cli.verifiers.programs import ProgramVerifier

    pipeline = wiring.pipeline(name, DocsGate(docs))
    if not counted:
        verifiers = [one for one in pipeline.verifiers if not isinstance(one, ProgramVerifier)]
        pipeline = replace(pipeline, verifiers=verifiers)
    return GorillaSystem(pipeline, sampling, config.platform(), _lookup() if counted else None)


def _bare(name: str, sampling: Sampling, counted: bool) -> System:
    from gorilla_cli.bench.systems import BareSystem
    from gorilla_cli.prompts.chat import chat_format

    backend, form, _ = wiring.backend_named(name)
    return BareSystem(backend, chat_format(form), sampling, _lookup() if counted else None)


def _program(flags: Flags, counted: bool) -> System:
    import shlex
    import shutil

    from gorilla_cli.bench.systems import ProgramSystem

    if flags.model is not None or flags.candidates is not None:
        raise UsageError("--model and -n mean nothing to another program", "leave them out")
    words = flags.system.removeprefix(PROGRAM)
    try:
        argv = tuple(shlex.split(words))
    except ValueError as error:
        raise UsageError(f"--system {PROGRAM}{words}: {error}", "close the quotation") from None
    if not argv or shutil.which(argv[0]) is None:
        raise UsageError(f"there is no program {argv[0] if argv else words}", "give its path")
    return ProgramSystem(argv, _lookup() if counted else None)


def _lookup() -> OptionLookup:
    from gorilla_cli.bench.options import OptionLookup
    from gorilla_cli.verifiers.parser import Parser

    parser = Parser()
    click.get_current_context().call_on_close(parser.close)
    return OptionLookup(parser, wiring.knowledge())


def manifest_of(flags: Flags, system: System, settings: dict[str, Any], split: str, tasks_sha256: str) -> Manifest:
    """What a run of `system` is made with. `split` is "" for a list of somebody's own."""
    import platform

    from gorilla_cli import __version__, config
    from gorilla_cli.bench.sampling import Manifest, commit_of

    return Manifest(
        system=flags.system,
        model=system.info.name,
        model_sha256=system.info.sha256,
        settings=settings,
        seed=flags.seed,
        commit=commit_of(Path(config.__file__).parent.parent),
        version=__version__,
        split=split,
        tasks_sha256=tasks_sha256,
        started=wiring.now(),
        platform=f"{platform.platform()}, {config.physical_cores()} cores",
        llama_cpp=_version_of("llama-cpp-python"),
    )


def _version_of(distribution: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
