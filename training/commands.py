"""Declares the commands of training: what each is for, which words it takes, and what it calls.

A command imports what it needs when it runs, so that help and completion answer at once.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from shared.prompts.kinds import ROLES
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
    changed. A stage that was killed goes on where it was.
    """
    from training.pipeline.train import train

    return train(_target(said, said.overrides), verify=words.VERIFY.name in said.flags)


@app.command(words.TARGET, "iter=1 mine_for_reranker.count=30")
def plan(said: Arguments) -> int:
    """Say what train would run, and why.

    Nothing is written.
    """
    from training.pipeline.plan import plan

    return plan(_target(said, said.overrides))


@app.command(words.TARGET, "iter=1 machine.profile=h200")
def settings(said: Arguments) -> int:
    """Write the settings of a run.

    The runs of the iterations before it get theirs too. The files are printed; single stages read them.
    """
    from training.pipeline.chain import write_settings_of

    for path in write_settings_of(_target(said, said.overrides)):
        print(path)
    return 0


@app.command(CommandWords((ITER,), (words.DRAWN,), overrides=True), "iter=1 draws=2")
def cv(said: Arguments) -> int:
    """Train and evaluate on every split that holds data out.

    One table then shows the mean and the spread of the figures.
    """
    from training.analysis.cv import cv

    return cv(_target(said).iteration, _draws(said), said.overrides)


@app.command(CommandWords((ITER,), (words.DRAWN,)), "iter=1")
def cv_table(said: Arguments) -> int:
    """Print the table of cv without training.

    It takes the splits that are evaluated, and names those that are not.
    """
    from training.analysis.cv import cv_table

    return cv_table(_target(said).iteration, _draws(said))


@app.command(CommandWords(words.BOTH_SIDES, (words.POOL,)), "a=runs/iter0/cv b=runs/iter1/cv")
def compare(said: Arguments) -> int:
    """Say whether run b is better than run a.

    Their difference is printed with its interval, and with the smallest difference that the split can show.
    """
    from training.analysis.compare import compare

    return compare(**said.options)


@app.command(CommandWords((ITER,)), "iter=1")
def calibrate(said: Arguments) -> int:
    """Choose how predictions are made from scores.

    The candidate depth, the blend and the offset of misconceptions that were never labelled are chosen on the evaluated
    draws cv, cv2, ... and written to runs/ITERATION/calibration.
    """
    from training.analysis.calibrate.calibrate import calibrate

    calibrate(_target(said).run.parent)
    return 0


@app.command(CommandWords((), (ITER, words.SPLIT)), "iter=0")
def report(said: Arguments) -> int:
    """Print what a run cost and reached.

    The same and more, with charts, is written to runs/ITERATION/SPLIT/report.html.
    """
    from training.analysis.report.report import report

    return report(_target(said, iter="1"))


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
    return lb(_target(said, split="full"), *scores)


@app.command(CommandWords((ITER,), (words.SPLIT, words.SCHEME, words.ROLE), overrides=True), "iter=1 scheme=fp8")
def quantize(said: Arguments) -> int:
    """Make 4- or 8-bit models of merged ones.

    What that loses is measured on the data that the run holds out. Only quantize.key=value can be changed here; the
    other settings stay those of the run.
    """
    from training.pipeline.quantize import quantize

    changes = list(said.overrides)
    if "scheme" in said.options:
        changes.append(f"quantize.scheme={said.options['scheme']}")
    if wrong := [change for change in changes if not change.startswith("quantize.")]:
        raise ValueError(f"{wrong[0]!r}: only quantize.key=value can be changed here, the rest is the run's")
    role = said.options.get("role", "")
    if role not in ("", *ROLES):
        raise ValueError(f"role={role}: it is {' or '.join(ROLES)}, or left out for both")
    return quantize(_target(said), (role,) if role else ROLES, changes)


@app.command(CommandWords((ITER,), (words.SPLIT, words.STAGE)), "iter=1 split=cv2 stage=evaluate")
def clean(said: Arguments) -> int:
    """Delete the output of a stage, or of a whole run.

    What was trained is gone then.
    """
    from training.pipeline.clean import clean

    return clean(_target(said), said.options.get("stage"))


app.command(CommandWords((), (words.PATH, words.TASK)), "path=data/demo")(check_data)
app.command(words.NEW_TASK, "name=tickets from=data/tickets")(new_task)


@app.command(CommandWords((), (words.QUESTIONS,), overrides=True), "questions=100")
def demo(said: Arguments) -> int:
    """Run the whole job on generated questions.

    Two iterations are trained, Kaggle's kernel predicts with them, and what they reached is printed.
    """
    from training.demo import FEWEST, USUAL, demo

    count = said.options.get("questions", str(USUAL))
    if not count.isdecimal():
        raise ValueError(f"questions={count}: say a number, at least {FEWEST}")
    return demo(int(count), said.overrides)


@app.command()
def dag(said: Arguments) -> int:
    """Draw the stages and what each of them reads."""
    from training.pipeline.draw import draw

    return draw()


@app.command()
def completion(said: Arguments) -> int:
    """Print what makes the shell complete the words behind ./just.

    In bash: eval "$(./just completion)". In zsh, before it: autoload -U bashcompinit && bashcompinit.
    """
    print(Path(__file__).with_name("completion.bash").read_text(encoding="utf-8"), end="")
    return 0


def _target(said: Arguments, overrides: tuple[str, ...] | None = None, **defaults: str) -> "Target":
    from training.run_folder.names import read_target

    target = read_target({**defaults, **said.options}, overrides)
    _be_about(target.iteration)
    return target


def _be_about(iteration: str) -> None:
    """Let this process be about the task of `iteration`; to say so of the usual one would cost an import of polars."""
    from shared.settings.load import task_name

    if (name := task_name(iteration)) != "eedi":
        from shared.task.current import use

        use(name)


def _draws(said: Arguments) -> int:
    count = said.options.get("draws", words.COUNTS[-1])
    if count not in words.COUNTS:
        raise ValueError(f"draws={count}: say a number from 1 to {words.COUNTS[-1]}")
    return int(count)
