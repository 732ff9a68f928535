"""The command line of what runs inside the Kaggle kernel: predict a submission, score one, say what the machine can do.

A command is a class of its options and a method that carries it out, which imports what it needs when it runs. Of typer
only what every version of the last years has is used: the kernel may have another one than this machine.
"""

import math
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from inference.engines.quiet import hush_libraries
from inference.fusion.ensemble import Average, Models, in_cascade, read_member, read_writing
from inference.options import LimitSeconds, NoCalibration, Ray, Vectors, choice_option, model_option
from inference.scoring import ExportRun, Score
from shared.artifacts.disk import sentence_of
from shared.counted import count
from shared.settings.sections import Engine

if TYPE_CHECKING:
    from inference.engines.serving import Serving
    from inference.fusion.calibration import Ensemble


def main(arguments: list[str]) -> int:
    """Run one command and return its exit status.

    2 and a sentence on standard error for what a person got wrong and for what the disk refused; 3 for a valid
    submission in spite of a failure.
    """
    hush_libraries()
    try:
        app(arguments, prog_name="python -m inference", obj=arguments)
    except SystemExit as end:  # how every command ends, with its status
        return int(end.code or 0)
    except Exception as error:
        if not (text := sentence_of(error)):
            raise
        print(f"error: {text}", file=sys.stderr)
    return 2


def _end(command: "Predict | Score | ExportRun | Doctor") -> None:
    raise typer.Exit(command.run())


app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"max_content_width": 120},
    result_callback=_end,
    help="Predict a submission, score one against known answers, or say what this machine can do.",
)


@app.command("predict")
@dataclass(frozen=True)
class Predict:
    """Write submission.csv.

    A plain but valid one stands there after about a second, and better ones follow until all is done.

    \b
    Example:
      python -m inference predict --profile t4x2 --competition data/eedi --embedder DIR --reranker DIR \\
        --out submission.csv --limit-seconds 32400
    """

    context: typer.Context
    profile: Annotated[str, typer.Option(help="A section of inference/machine/profiles.toml.")]
    competition: Annotated[
        Path, typer.Option(help="Folder with test.csv and misconception_mapping.csv (and rationales.csv).")
    ]
    embedder: Annotated[list[str], model_option("embedder")]
    reranker: Annotated[list[str], model_option("reranker")]
    out: Annotated[Path | None, typer.Option(help="The submission.csv to write.")] = None
    writer: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of a language model that writes about every row first.")
    ] = None
    writer_adapter: Annotated[Path | None, typer.Option(metavar="DIR", help="LoRA on top of the writer.")] = None
    writer_gpus: Annotated[int, typer.Option(help="GPUs that share a copy of it; 0: as many as its weights need.")] = 0
    writer_shots: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Solved examples for it; its folder's shots.json unless said."),
    ] = None
    average: Annotated[str, choice_option(Average.__args__, "What several models blend.")] = "score"
    engine: Annotated[str, choice_option(Engine.__args__, "What computes.")] = "vllm"
    depth: Annotated[
        int | None,
        typer.Option(help="How many candidates are reranked: the calibration's, else those of the model's evaluation."),
    ] = None
    cascade: Annotated[
        str,
        typer.Option(
            metavar="DEPTH[@GAP],...",
            help="How many of the first candidates each further reranker reads, and how many logits behind the best.",
        ),
    ] = ""
    no_calibration: NoCalibration = False
    vectors: Vectors = None
    limit_seconds: LimitSeconds = None
    margin_seconds: Annotated[float, typer.Option(help="Before that limit; half of it is for a stall.")] = 300.0
    ray: Ray = None
    workers: Annotated[int, typer.Option(help="Of the Ray cluster, with a GPU each.")] = 1
    verify: Annotated[
        bool, typer.Option("--verify", help="Hash every file of the models, also those that did not change.")
    ] = False
    task: Annotated[str, typer.Option(help="What is asked, as params.toml says: the reranker's own unless said.")] = ""
    show: Annotated[int, typer.Option(min=0, help="Print what was found for so many rows, in words.")] = 0
    question: Annotated[
        str | None, typer.Option(help="Ask about one wrong answer to this question instead of a file's.")
    ] = None
    correct: Annotated[str | None, typer.Option(help="The correct answer to --question.")] = None
    wrong: Annotated[str | None, typer.Option(help="The wrong answer to --question.")] = None
    verified: Annotated[bool, typer.Option("--verified", hidden=True)] = False  # the kernel has just hashed them
    deadline: Annotated[float | None, typer.Option(hidden=True)] = None  # of the guarded process, by its clock

    def run(self) -> int:
        from inference.predict.watchdog import run_guarded
        from shared.artifacts.locks import die_with_parent

        if (self.question, self.correct, self.wrong) != (None, None, None):
            return self._ask()
        self._refuse()
        if self.deadline is not None:
            die_with_parent(signal.SIGKILL)  # nobody else would end this process in time
        elif self.limit_seconds is not None:
            return run_guarded(self.context.obj, self.out, self.limit_seconds, self.margin_seconds, time.monotonic())
        return self._predict()

    def _refuse(self) -> None:
        """Raise ValueError for what cannot work, before anything is read or written."""
        from inference.predict.terminal.refusals import refuse_competition, refuse_machine, refuse_place
        from shared.task.current import task_of_model, use

        limit, margin = self.limit_seconds, self.margin_seconds
        if self.out is None:
            raise ValueError("say --out FILE, the submission.csv to write, or ask with --question TEXT")
        if limit is not None and self.ray is not None:
            raise ValueError("--limit-seconds is for one machine: leave it or --ray out")
        if limit is not None and not 0 <= margin < limit:
            raise ValueError(f"--margin-seconds {margin:g} is not between 0 and --limit-seconds, {limit:g}")
        for text in (*self.embedder, *self.reranker):
            read_member(text)
        in_cascade(list(map(read_member, self.reranker)), self.cascade)
        if self.ray is None:  # a cluster has machines of its own
            refuse_machine(self.profile)
        refuse_place(self.out)
        use(self.task or task_of_model(read_member(self.reranker[0]).folder))
        refuse_competition(self.competition)

    def _ask(self) -> int:
        """Predict for one question, and print what was found."""
        from inference.predict.terminal.question import Question, write_question

        if None in (self.question, self.correct, self.wrong):
            raise ValueError("say all of --question, --correct and --wrong")
        if self.limit_seconds is not None or self.ray is not None:
            raise ValueError("--question is answered here and at once: leave --limit-seconds and --ray out")
        with TemporaryDirectory() as folder:
            out, place = self.out or Path(folder, "submission.csv"), Path(folder)
            replace(self, out=out)._refuse()
            write_question(Question(self.question, self.correct, self.wrong), self.competition, place)
            return replace(self, competition=place, out=out, show=1)._predict()

    def _predict(self) -> int:
        from inference.engines.serving import Serving
        from inference.fusion.calibration import CALIBRATION_FILE, Ensemble, calibration_of
        from inference.machine.profiles import load_profile
        from inference.predict.anytime import Limit, say_loudly
        from inference.predict.predict import predict
        from inference.predict.terminal.question import found_texts
        from inference.predict.watchdog import DEGRADED
        from shared.artifacts.verified import check_folder

        members = (tuple(map(read_member, texts)) for texts in (self.embedder, self.reranker))
        writing = read_writing(self.writer, self.writer_adapter, self.writer_gpus, self.writer_shots)
        embedders, rerankers = members
        models = Models(embedders, in_cascade(rerankers, self.cascade), self.average, writing)
        ensemble = Ensemble(models, calibration_of(models, depth=self.depth, ignore=self.no_calibration))
        serving = Serving(self.engine, load_profile(self.profile))
        for member in () if self.verified else (*models.embedders, *models.rerankers):
            check_folder(member.folder, hash_all=self.verify, beside=[CALIBRATION_FILE])
        if self.ray is not None:
            return self._predict_with_ray(ensemble, serving)
        limit = Limit(math.inf if self.deadline is None else self.deadline)
        report = predict(self.competition, ensemble, self.out, serving, limit, self.vectors)
        for line in found_texts(self.out, self.competition, self.show) if self.show else ():
            print(line)
        if self.question is None:
            print(f"\n{count(report['rows'], 'row')} in {self.out.resolve()}", flush=True)
        if report["failed"]:
            say_loudly(f"{', '.join(report['failed'])} failed: {self.out} is the best result without")
            return DEGRADED
        parts = report["embedders"] + report["rerankers"]
        return DEGRADED if any(part["rows_lost"] or part.get("misconceptions_lost") for part in parts) else 0

    def _predict_with_ray(self, ensemble: "Ensemble", serving: "Serving") -> int:
        for name in ("vectors", "writer"):
            if getattr(self, name) is not None:
                raise ValueError(f"--{name} is for one machine: leave it or --ray out")
        from inference.predict.ray_cluster import connect, predict_with_ray

        connect(self.ray)
        predict_with_ray(self.competition, ensemble, self.out, serving, self.workers)
        return 0


app.command("score")(Score)
app.command("export-run")(ExportRun)


@app.command("doctor")
@dataclass(frozen=True)
class Doctor:
    """Say what this machine has, which profiles fit it, and what would fail.

    \b
    Example:
      python -m inference doctor --profile t4x2 --model runs/iter1/full/merge_reranker
    """

    profile: Annotated[str, typer.Option(help="Judge this one alone; 2 is returned where it would fail.")] = ""
    model: Annotated[list[Path] | None, typer.Option(metavar="DIR", help="Folder of a model; again for another.")] = (
        None
    )

    def run(self) -> int:
        from inference.machine.doctor import doctor

        return doctor(self.profile, self.model or [])
