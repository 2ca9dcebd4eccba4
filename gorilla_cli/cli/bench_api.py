"""`gorilla bench apibench`: answers APIBench's questions and grades them. The work is in the wing `bench`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from gorilla_cli.cli import api_wiring, wiring
from gorilla_cli.cli.bench_asking import FOLDER, append, ask, json_option, log_option
from gorilla_cli.cli.bench_systems import Flags as SystemFlags
from gorilla_cli.cli.bench_systems import manifest_of
from gorilla_cli.cli.model import _complete as complete_model
from gorilla_cli.errors import UsageError

if TYPE_CHECKING:
    from gorilla_cli.apis.pipeline import ApiPipeline
    from gorilla_cli.bench.apibench import Baselines, Hub, Row
    from gorilla_cli.bench.apisampling import Measured, Training
    from gorilla_cli.bench.systems import System
    from gorilla_cli.protocols import Backend, Encoder, RecordRetriever, RecordSource

HUBS = ("torchhub", "huggingface", "tensorflowhub")
FREE_OF_MODEL = ("mode", "free", "model", "bare")  # what says how a model answers
FOR_PUBLISHED = ("published", "official", "hub", "as_json", "log")


@dataclass(frozen=True)
class Flags:
    """What was asked for on the command line."""

    data: Path | None
    out: Path | None
    hub: tuple[str, ...]
    mode: str
    free: bool
    no_model: bool
    bare: bool
    n: int
    seed: int
    model: str | None
    requests: tuple[Path, ...]
    no_grade: bool
    published: Path | None
    official: bool
    as_json: bool
    log: Path | None


@click.command(
    epilog="\b\nExamples:\n  gorilla bench apibench --data apibench --out runs/api\n"
    "  gorilla bench apibench --data apibench --out runs/api --hub torchhub --free --mode oracle\n"
    "  gorilla bench apibench --published apibench --official"
)
@click.option("--data", type=FOLDER, metavar="FOLDER", help="APIBench's files, {hub}_api.jsonl and {hub}_dev.jsonl.")
@click.option("--out", type=FOLDER, metavar="FOLDER", help="Where the indexes and the runs are kept.")
@click.option("--hub", type=click.Choice(HUBS), multiple=True, help="Only this hub; may be repeated.")
@click.option(
    "--mode",
    type=click.Choice(("zero-shot", "retrieval", "oracle")),
    default="retrieval",
    show_default=True,
    help="Records in hand: none, those found, that of the reference.",
)
@click.option("--free", is_flag=True, help="Let the model write the call.")
@click.option("--no-model", is_flag=True, help="Answer with the first records found.")
@click.option("--bare", is_flag=True, help="Ask the model alone too, to compare the time.")
@click.option("--n", type=click.IntRange(1), metavar="N", default=None, help="Only N questions of each hub.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the choice and of the model.")
@click.option("--model", metavar="NAME|FILE", shell_complete=complete_model, help="A pulled model, or a GGUF file.")
@click.option(
    "--requests",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    metavar="FILE",
    help="JSON lines of instruction and api_call: requests of the records; may be repeated.",
)
@click.option("--no-grade", is_flag=True, help="Do not grade the answers now.")
@click.option("--published", type=FOLDER, metavar="FOLDER", help="Grade the published answers in FOLDER instead.")
@click.option("--official", is_flag=True, help="Grade by the published scripts too.")
@json_option
@log_option
@click.pass_context
def apibench(ctx: click.Context, n: int | None, **options) -> None:
    """Answer APIBench, grade the calls, report.

    Each hub gets an index of its own records in the folder of --out, and each way to answer a run there:
    torchhub-retrieval, torchhub-oracle-free. An interrupted run goes on. By default every call is one of the records;
    nothing is run. With --published answers that are in a folder already are graded.
    """
    flags = Flags(n=n or 0, **options)
    _check(flags, {name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE})
    if flags.published is not None:
        _print(_published(flags.published, flags), flags, "published answers", wiring.now()[:10])
        return
    runs = _runs(flags)
    for run in runs:
        run.answer()
    if not flags.no_grade:
        _grade(runs, flags)


def _check(flags: Flags, given: set[str]) -> None:
    """Raises UsageError for options that mean nothing together."""
    if flags.published is not None:
        _refuse(given - set(FOR_PUBLISHED), "--published")
        return
    missing = [f"--{name}" for name in ("data", "out") if getattr(flags, name) is None]
    if missing:
        raise UsageError(f"{' and '.join(missing)} missing", "give both folders, or --published")
    if flags.no_model:
        _refuse(given & set(FREE_OF_MODEL), "--no-model")
    if flags.mode == "zero-shot" and not flags.free:
        raise UsageError("a constrained call always comes from a record in hand", "add --free to --mode zero-shot")


def _refuse(names: set[str], beside: str) -> None:
    if names:
        listed = ", ".join(sorted("--" + {"as_json": "json"}.get(name, name).replace("_", "-") for name in names))
        raise UsageError(f"{listed} and {beside} exclude each other", "leave one out")


# ---------------------------------------------------------------- answering


class Rooms:
    """The model, the encoder and the training requests of one command, each made once and when first needed."""

    def __init__(self, flags: Flags) -> None:
        self.flags = flags

    @cached_property
    def model(self) -> tuple[Backend, str]:
        """The backend and the name of its chat format. Raises ModelMissing, UsageError."""
        return wiring.backend_named(self.flags.model or wiring.settings().model)[:2]

    @cached_property
    def encoder(self) -> Encoder | None:
        return api_wiring.encoder()

    @cached_property
    def training(self) -> Training:
        from gorilla_cli.bench.apisampling import read_training

        return read_training(self.flags.requests)


@dataclass(frozen=True)
class Run:
    """One hub answered in one way, in a folder of its own: `name` is bare, no-model, or the mode."""

    rooms: Rooms
    whole: Hub
    name: str

    @property
    def flags(self) -> Flags:
        return self.rooms.flags

    @cached_property
    def hub(self) -> Hub:
        """The hub with the questions that are asked: the same ones for the same --n and --seed."""
        from gorilla_cli.bench.apibench import chosen

        return replace(self.whole, questions=tuple(chosen(self.whole.questions, self.flags.n, self.flags.seed)))

    @property
    def bare(self) -> bool:
        return self.name == "bare"

    @property
    def constrained(self) -> bool:
        return not self.bare and not self.flags.free

    @property
    def mode(self) -> str:
        """As the report calls it."""
        return self.name + ("+requests" if self.flags.requests and not self.bare else "")

    @property
    def folder(self) -> Path:
        return self.flags.out / "-".join(self._parts())

    def _parts(self) -> Iterator[str]:
        yield self.whole.name
        yield self.name
        if not self.bare:
            yield from ["free"] * self.flags.free + ["requests"] * bool(self.flags.requests)

    @property
    def samples(self) -> Path:
        from gorilla_cli.bench.report import SAMPLES

        return self.folder / SAMPLES

    @property
    def manifest(self) -> Path:
        from gorilla_cli.bench.report import MANIFEST

        return self.folder / MANIFEST

    def answer(self) -> None:
        """Ask what has no answer yet. Raises UsageError when the folder is of another run."""
        from gorilla_cli.bench import sampling
        from gorilla_cli.bench.apisampling import Rows, asked_of, retrieved

        asked, index = asked_of(self.hub), None if self.bare else self.index()
        sampling.check_requests(asked, self.samples)
        system = self.system(index)
        system.load()
        flags = SystemFlags(f"api {self.folder.name}", None, None, self.flags.seed, None)
        manifest = manifest_of(flags, system, self.settings(), f"apibench {self.hub.name}", sampling.digest_of(asked))
        sampling.begin(self.manifest, manifest, self.samples)
        search = None if index is None else lambda request: retrieved(index, request)
        rows = Rows(self.hub, self.mode, self.constrained, search)
        ask(system, asked, self.samples, rows, f"asking {self.folder.name}")

    def settings(self) -> dict[str, Any]:
        """What changes the answers, and the time they take."""
        from hashlib import sha256

        from gorilla_cli import config
        from gorilla_cli.bench.apisampling import SHOWN

        chosen, encoder = wiring.settings(), self.rooms.encoder
        found: dict[str, Any] = {"threads": chosen.threads or config.physical_cores()}
        if not self.bare:
            found |= {"candidates": SHOWN, "encoder": encoder.name if encoder else ""}
            found |= {"records": sha256(self.table.read_bytes()).hexdigest(), "requests": self.rooms.training.sha256}
        if self.flags.no_model:
            return found
        found |= {"max_tokens": chosen.max_tokens, "context_window": chosen.context_window}
        return {**found, "gpu_layers": chosen.gpu_layers}

    @property
    def table(self) -> Path:
        return self.flags.data / f"{self.whole.name}_api.jsonl"

    def index(self) -> RecordRetriever:
        """The index of the hub's records and nothing else, brought up to date. Raises StateError."""
        from gorilla_cli import registry
        from gorilla_cli.bench.apisampling import WithRequests

        source, requests = self.source(), self.requests()
        name = self.whole.name + ("-requests" if requests else "")
        index = registry.factory("retrieval", "records")(self.flags.out / f"{name}.db", self.rooms.encoder)
        with wiring.terminal().spinner(f"indexing {name}"):
            index.sync(WithRequests(source, requests) if requests else source)
        return index

    def source(self) -> RecordSource:
        """The records of the hub."""
        return api_wiring.record_file(self.table, self.whole.name)

    def requests(self) -> dict[str, list[str]]:
        """The training requests of the hub's records, by record."""
        if not self.flags.requests:
            return {}
        found = self.rooms.training.by_record(self.whole, self.source().records())
        count = sum(map(len, found.values()))
        wiring.terminal().say(f"{self.whole.name}: {count} requests of {len(found)} records")
        return found

    def system(self, index: RecordRetriever | None) -> System:
        """What answers. Raises ModelMissing, UsageError."""
        from gorilla_cli.bench.apisampling import SHOWN, ApiSystem, BareCallSystem, RetrievalSystem
        from gorilla_cli.prompts.chat import chat_format
        from gorilla_cli.types import Sampling

        if self.flags.no_model:
            return RetrievalSystem(index)
        backend, form = self.rooms.model
        tokens = wiring.settings().max_tokens
        if self.bare:
            return BareCallSystem(backend, chat_format(form), tokens)
        sampling = Sampling(n=SHOWN, temperature=0.0, seed=self.flags.seed, max_tokens=tokens)
        return ApiSystem(self.pipeline(index), sampling)

    def pipeline(self, index: RecordRetriever) -> ApiPipeline:
        """The rooms of an API request on this index; the oracle's records in the place of what is found."""
        from gorilla_cli import registry
        from gorilla_cli.apis.checking import ProgramVerifier
        from gorilla_cli.apis.pipeline import ApiPipeline
        from gorilla_cli.bench.apisampling import OracleRetriever
        from gorilla_cli.prompts.chat import chat_format

        backend, form = self.rooms.model
        oracle = self.name == "oracle"
        return ApiPipeline(
            backend=backend,
            retriever=OracleRetriever(self.whole, self.source().records()) if oracle else index,
            verifiers=[
                registry.factory("verifiers", "calls")(index),
                ProgramVerifier(registry.factory("verifiers", "code")()),
            ],
            chat_format=chat_format(form),
            mode="retrieval" if oracle else self.name,
            free=self.flags.free,
        )


def _runs(flags: Flags) -> list[Run]:
    """The runs of the chosen hubs; all files are read before the first question is asked."""
    from gorilla_cli.bench.apibench import read_hub

    rooms = Rooms(flags)
    if not flags.no_model:
        _ = rooms.model  # a missing one is told before an index takes its minutes
    names = ["no-model" if flags.no_model else flags.mode, *["bare"] * flags.bare]
    hubs = [read_hub(flags.data, hub) for hub in HUBS if hub in (flags.hub or HUBS)]
    return [Run(rooms, hub, name) for name in names for hub in hubs]


# ---------------------------------------------------------------- grading


def _grade(runs: Sequence[Run], flags: Flags) -> None:
    from gorilla_cli.bench.apisampling import what_ran
    from gorilla_cli.bench.sampling import read_manifest

    manifest = read_manifest(runs[0].manifest)
    _print(_measured(runs, flags.official), flags, what_ran(manifest), manifest.started[:10])


def _measured(runs: Sequence[Run], official: bool) -> Measured:
    """Grades all runs. Raises UsageError for damaged files, GorillaError when `official` lacks its parser."""
    from gorilla_cli.bench.apibench import baselines, grade, report
    from gorilla_cli.bench.apisampling import Measured, noted_search, within
    from gorilla_cli.bench.report import RESULTS

    graded: list[tuple[Run, list[Row]]] = []
    beside: dict[str, Baselines] = {}
    shares = {}
    for run in runs:
        hub = run.hub
        graded.append((run, grade(run.samples, run.folder / RESULTS, {hub.name: hub}, official)))
        if not run.bare:
            search = noted_search(run.samples)
            beside[hub.name], shares[hub.name] = baselines(hub, hub.questions, search), within(hub, search)
    found = report((row for _, rows in graded for row in rows), beside)
    return Measured(found, shares, _ratios(graded))


def _ratios(graded: Sequence[tuple[Run, list[Row]]]) -> dict[str, float]:
    from gorilla_cli.bench.apisampling import ratio_of

    bare = {run.whole.name: rows for run, rows in graded if run.bare}
    ours = {run.whole.name: rows for run, rows in graded if not run.bare}
    found = {hub: ratio_of(rows, bare.get(hub, ())) for hub, rows in ours.items()}
    return {hub: ratio for hub, ratio in found.items() if ratio is not None}


def _published(folder: Path, flags: Flags) -> Measured:
    """The grades of the published answers. Raises UsageError when there are none."""
    from gorilla_cli.bench.apibench import PUBLISHED_MODE, baselines, graded, read_published, report
    from gorilla_cli.bench.apisampling import Measured

    there = [hub for hub in HUBS if (folder / "responses" / f"{hub}_{PUBLISHED_MODE}.jsonl").exists()]
    if not flags.hub and not there:
        raise UsageError(f"{folder} has no published answers", "give the folder in which responses/ is")
    rows: list[Row] = []
    beside: dict[str, Baselines] = {}
    for name in [hub for hub in HUBS if hub in (flags.hub or there)]:
        hub, samples = read_published(folder, name)
        rows += [graded(sample, hub, flags.official) for sample in samples]
        beside[name] = baselines(hub, hub.questions)
    return Measured(report(rows, beside))


def _print(found: Measured, flags: Flags, what: str, date: str) -> None:
    from gorilla_cli.bench.apisampling import log_line, measured_numbers, measured_text

    line = log_line(found, what, date)
    print(
        json.dumps({**measured_numbers(found), "log": line}) if flags.as_json else f"{measured_text(found)}\n\n{line}"
    )
    if flags.log is not None:
        append(flags.log, line)
