"""Declares the commands of training: what each is for, which words it takes, and what it calls.

A command imports what it needs when it runs, so that help and completion answer at once.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from shared.settings.arguments import Arguments
from shared.settings.command_line import ITER, CommandLine, CommandWords
from training import words
from training.task_commands import check_data, new_task

if TYPE_CHECKING:
    from training.run_folder.names import Target

app = CommandLine(
    "python -m training",
    noun="command",
    others=lambda: f"the stages are: {', '.join(words.stages())}",
    help="""Train, measure and compare iterations of retrieving and reranking.

    An iteration is a folder of training/iterations; its run with a split is the folder runs/ITERATION/SPLIT. Every
    command says with --help which words it takes. A command that is named for a stage runs that stage alone.""",
)


@app.command(words.TRAINED, "iter=1 split=cv2 train_embedder.rate=1e-5")
def train(said: Arguments) -> int:
    """Bring an iteration up to date.

    Every stage of it and of the iterations before it runs, unless its output is there and nothing it depends on has
    changed. A stage that was killed goes on where it was. as=NAME makes a run that stands beside the plain one, and
    shares every stage that is the same.
    """
    from training.pipeline.clusters.slurm import submit
    from training.pipeline.train import train

    target, replace = run_of(said, words.overrides_of(said), new=True), words.REPLACE.name in said.flags
    if words.read_place(said):
        return submit(target, words.repeated(said), replace)
    return train(target, verify=words.VERIFY.name in said.flags, replace=replace)


@app.command(words.NEW, "iter=2 from=1")
def new(said: Arguments) -> int:
    """Make the folder of a new iteration from another one's.

    The copy trains as it is; what it tries is then changed in its params.toml. It comes after the one that it is copied
    from where its name counts one further, as iter=2 from=1, and else after the same iteration as that one.
    """
    from training.run_folder.new.new_iteration import new_iteration

    path = new_iteration(said.options["iter"], said.options["from"], said.options.get("previous", ""))
    print(path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# "))
    print(f"written to {path}; `just plan iter={said.options['iter']}` says what would run")
    return 0


@app.command(words.TARGET, "iter=1 mine_for_reranker.count=30")
def plan(said: Arguments) -> int:
    """Say what train would run, and why.

    Nothing is written.
    """
    from training.pipeline.ahead.plan import plan

    return plan(run_of(said, said.overrides, new=True))


@app.command(words.TARGET, "iter=1 machine.profile=h200")
def settings(said: Arguments) -> int:
    """Write the settings of a run.

    The runs of the iterations before it get theirs too. The files are printed; single stages read them.
    """
    from training.pipeline.chain import write_settings_of

    for path in write_settings_of(run_of(said, said.overrides, new=True)):
        print(path)
    return 0


@app.command(CommandWords((ITER,), (words.DRAWN, words.AS, words.REPLACE), overrides=True), "iter=1 draws=2")
def cv(said: Arguments) -> int:
    """Train and evaluate on every split that holds data out.

    One table then shows the mean and the spread of the figures.
    """
    from training.analysis.cv import cv

    return cv(run_of(said, said.overrides, new=True), words.read_draws(said), replace=words.REPLACE.name in said.flags)


@app.command(CommandWords((ITER,), (words.DRAWN, words.AS)), "iter=1")
def cv_table(said: Arguments) -> int:
    """Print the table of cv without training.

    It takes the splits that are evaluated, and names those that are not.
    """
    from training.analysis.cv import cv_table

    return cv_table(run_of(said), words.read_draws(said))


@app.command(CommandWords(words.BOTH_SIDES, (words.POOL,)), "a=runs/iter0/cv b=runs/iter1/cv")
def compare(said: Arguments) -> int:
    """Say whether run b is better than run a.

    Their difference is printed with its interval, and with the smallest difference that the split can show.
    """
    from training.analysis.compare import compare

    return compare(**said.options)


@app.command(CommandWords((ITER,), (words.AS,)), "iter=1")
def calibrate(said: Arguments) -> int:
    """Choose how predictions are made from scores.

    The candidate depth, the blend and the offset of misconceptions that were never labelled are chosen on the evaluated
    draws cv, cv2, ... and written to runs/ITERATION/calibration. How sure tags are is fitted on the same draws, and
    written to runs/ITERATION/confidence.
    """
    from training.analysis.calibrate.calibrate import calibrate
    from training.analysis.confidence.confidence import fit_confidence

    calibrate(run_of(said).run.parent)
    fit_confidence(run_of(said).run.parent)
    return 0


@app.command(CommandWords((), (ITER, words.SPLIT, words.AS)), "iter=0")
def report(said: Arguments) -> int:
    """Print what a run cost and reached.

    The same and more, with charts, is written to runs/ITERATION/SPLIT/report.html.
    """
    from training.analysis.report.report import report

    return report(run_of(said, iter="1"))


@app.command()
def runs(said: Arguments) -> int:
    """Print every run: its figures, seconds, commit and leaderboard score."""
    from training.analysis.runs import runs

    return runs()


@app.command(words.LEADERBOARD, "iter=1 public=0.505")
def lb(said: Arguments) -> int:
    """Record what the leaderboard showed for a run.

    One of the two scores is enough. The table of runs shows them.
    """
    from training.analysis.runs import lb

    scores = said.options.get("public"), said.options.get("private")
    if scores == (None, None):
        raise ValueError(words.NO_SCORE)
    return lb(run_of(said, split="full"), *scores)


@app.command(words.QUANTIZED, "iter=1 scheme=fp8")
def quantize(said: Arguments) -> int:
    """Make 4- or 8-bit models of merged ones.

    What that loses is measured on the data that the run holds out. Only quantize.key=value can be changed here; the
    other settings stay those of the run.
    """
    from training.pipeline.quantize import quantize

    return quantize(run_of(said), *words.read_quantize(said), only_check=words.CHECK.name in said.flags)


@app.command(CommandWords((ITER,), (words.SPLIT, words.AS, words.STAGE, words.YES)), "iter=1 split=cv2 stage=evaluate")
def clean(said: Arguments) -> int:
    """Delete the output of a stage, or of a whole run.

    What was trained is gone then. A whole run goes when you say yes; runs that share its stages keep them.
    """
    from training.pipeline.clean import clean

    return clean(run_of(said), said.options.get("stage"), words.YES.name in said.flags)


app.command(CommandWords((), (words.PATH, words.TASK)), "path=data/demo")(check_data)
app.command(words.NEW_TASK, "tickets from=data/tickets")(new_task)


@app.command(CommandWords((), (words.QUESTIONS, words.REPLACE), overrides=True), "questions=100")
def demo(said: Arguments) -> int:
    """Run the whole job on generated questions.

    Two iterations are trained, Kaggle's kernel predicts with them, and what they reached is printed.
    """
    from training.demo import FEWEST, USUAL, demo

    count = said.options.get("questions", str(USUAL))
    if not count.isdecimal():
        raise ValueError(f"questions={count}: say a number, at least {FEWEST}")
    return demo(int(count), said.overrides, words.REPLACE.name in said.flags)


@app.command(CommandWords((), (ITER, words.SPLIT, words.AS)), "iter=1")
def dag(said: Arguments) -> int:
    """Draw the stages and what each of them reads.

    Of an iteration, it says what is done, and what of it is linked to another run.
    """
    from training.pipeline.ahead.draw import draw

    return draw(run_of(said) if said.options else None)


@app.command()
def completion(said: Arguments) -> int:
    """Print what makes the shell complete the words behind ./just.

    In bash: eval "$(./just completion)". In zsh, before it: autoload -U bashcompinit && bashcompinit.
    """
    print(Path(__file__).with_name("completion.bash").read_text(encoding="utf-8"), end="")
    return 0


def run_of(
    said: Arguments, overrides: tuple[str, ...] | None = None, *, new: bool = False, **defaults: str
) -> "Target":
    """The run that is meant; a named one has to be there, unless it may be `new`."""
    from training.run_folder.names import read_target

    if "iter" not in (options := {**defaults, **said.options}):
        raise ValueError(ITER.missing)
    target = read_target(options, overrides, there=not new)
    _be_about(target.iteration)
    return target


def _be_about(iteration: str) -> None:
    """Let this process be about the task of `iteration`; to say so of the usual one would cost an import of polars."""
    from shared.settings.load import task_name

    if (name := task_name(iteration)) != "eedi":
        from shared.task.current import use

        use(name)
