"""Declares the verbs of the command line: what each does, its words, an example; each reads its words and does nothing.

Nothing that carries a verb out is imported here: help and completion must not wait for torch.
"""

from typing import Annotated

import typer

from kaggle_kernels.request import AGAIN, DRY_RUN, PUBLIC, WORDS, Request, read_request

NAME = "python -m kaggle_kernels"
MEANINGS = {
    "iter=": "the iteration: a number, or the name of a folder of training/iterations",
    "split=": "what was held out when its models were trained: full (nothing) unless said otherwise",
    "vectors=": "the profile of this machine that encodes the misconceptions; skip leaves them to the kernel",
    "quantized=": "send the quantized model of embedder, of reranker, or of both with a comma between",
    "quantized": "send the quantized models of both",
    "competition=": "the competition's name at Kaggle, Eedi's unless said otherwise",
    "kernel=": "the kernel that is asked about: submit unless said otherwise, or wheels",
    "wait=": "seconds that this command waits; what has begun at Kaggle goes on there",
}
WIDTH = {"max_content_width": 120}  # columns of the help, where the terminal has so many


def _complete(context: typer.Context, incomplete: str) -> list[str]:
    return [word for word in WORDS[context.info_name] if word in MEANINGS and word.startswith(incomplete)]


def _about(verb: str, example: str) -> dict:
    """What typer needs to know of `verb` beside its function: the end of its help, and how loosely it reads."""
    words = [f"  {word:<14}{MEANINGS[word]}" for word in WORDS[verb] if word in MEANINGS]
    epilog = "\n".join(["\b", "Words:", *words, "", "\b", "Example:", f"  {NAME} {verb} {example}".rstrip()])
    # An option that is none becomes a word, so that it is refused as words are, with the nearest known one.
    return {"epilog": epilog, "context_settings": {"ignore_unknown_options": True, **WIDTH}}


Words = Annotated[list[str] | None, typer.Argument(metavar="WORD", hidden=True, autocompletion=_complete)]
DryRun = Annotated[bool, typer.Option(DRY_RUN, help="Say exactly what would be sent, and send nothing.")]
Public = Annotated[bool, typer.Option(PUBLIC, help="Let everybody see what is sent. It is private otherwise.")]
Again = Annotated[bool, typer.Option(AGAIN, help="Send once more what Kaggle never answered; look there first.")]
app = typer.Typer(
    add_completion=False,  # typer's own is for a program that is installed; a shell asks in _MALRULE_COMPLETE
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=WIDTH,
    help="""Bring data from Kaggle, and models, code and kernels to it.

    Every verb can be run again after whatever stopped it, and does nothing twice. It exits with 1 and a sentence if it
    cannot do what it should, and with 130 after Ctrl-C. Every verb says with --help which words it takes.""",
)


@app.command(**_about("data", ""))
def data(words: Words = None, dry_run: DryRun = False) -> Request:
    """Download the competition's files.

    The folder data/eedi appears with all of them or not at all. Before that, the competition's rules must have been
    accepted on its page.
    """
    return _read("data", words, dry_run=dry_run)


@app.command(**_about("push-models", "iter=1 quantized=reranker --dry-run"))
def push_models(words: Words = None, dry_run: DryRun = False, public: Public = False, again: Again = False) -> Request:
    """Upload an iteration's models as datasets.

    It waits until Kaggle can mount the merged embedder and reranker. The misconceptions' vectors travel with the
    embedder, and the calibration with the reranker where there is one.
    """
    return _read("push-models", words, dry_run=dry_run, public=public, again=again)


@app.command(**_about("push-code", ""))
def push_code(words: Words = None, dry_run: DryRun = False, public: Public = False, again: Again = False) -> Request:
    """Upload the code as a dataset.

    That is what the submission kernel imports: shared/ and inference/.
    """
    return _read("push-code", words, dry_run=dry_run, public=public, again=again)


@app.command(**_about("push-wheels", ""))
def push_wheels(words: Words = None, dry_run: DryRun = False, public: Public = False, again: Again = False) -> Request:
    """Push the kernel that downloads the wheels.

    It is the only one with internet. The command waits until it has run, which it does on the image that the
    submission kernel runs on.
    """
    return _read("push-wheels", words, dry_run=dry_run, public=public, again=again)


@app.command(**_about("push-kernel", "iter=1"))
def push_kernel(words: Words = None, dry_run: DryRun = False, public: Public = False, again: Again = False) -> Request:
    """Push the submission kernel and run it.

    It mounts the datasets that were pushed, at exactly those versions, and has no internet.
    """
    return _read("push-kernel", words, dry_run=dry_run, public=public, again=again)


@app.command(**_about("kernel-status", "kernel=wheels wait=3600"))
def kernel_status(words: Words = None) -> Request:
    """Say how the run of a kernel stands.

    For a run that failed the exit status is 1.
    """
    return _read("kernel-status", words)


@app.command(**_about("submit", "iter=1"))
def submit(words: Words = None, dry_run: DryRun = False, again: Again = False) -> Request:
    """Enter the kernel into the competition.

    The newest version of the submission kernel is entered once, and its score waited for. The score is written
    beside the run that the models came from. With iter=, a kernel that was pushed for another
    iteration is refused.
    """
    return _read("submit", words, dry_run=dry_run, again=again)


@app.command(**_about("release", "iter=1 --dry-run"))
def release(words: Words = None, dry_run: DryRun = False, public: Public = False, again: Again = False) -> Request:
    """Push everything in order, then submit.

    That is the code, the wheels, the models and the submission kernel. What is there already is skipped, so that
    the same command goes on after whatever stopped it.
    """
    return _read("release", words, dry_run=dry_run, public=public, again=again)


def _read(verb: str, words: list[str] | None, **flags: bool) -> Request:
    said = [f"--{name.replace('_', '-')}" for name, given in flags.items() if given]
    return read_request(verb, [*(words or []), *said])
