"""Names the verbs of the command line: what each does, its words, an example.

Nothing that carries a verb out is imported here: help and completion must not wait for torch.
"""

from functools import partial

from kaggle_kernels.request import AGAIN, DRY_RUN, KERNELS, PUBLIC, read_request
from shared.prompts.kinds import ROLES
from shared.settings.command_line import ITER, Command, CommandLine, CommandWords, Word
from shared.task.splits import SPLITS


def _wait(hours: int) -> Word:
    """The word whose example is what a verb waits where it is not said."""
    meaning = "seconds that this command waits; what has begun at Kaggle goes on there"
    return Word("wait", str(hours * 3600), meaning)


HELD_OUT = "what was held out when its models were trained: full (nothing) unless said otherwise"
SPLIT = Word("split", "full", HELD_OUT, lambda: SPLITS)
VECTORS = "the profile of this machine that encodes the misconceptions; skip leaves them to the kernel"
ONE_ROLE = "send the quantized model of embedder, of reranker, or of both with a comma between"
MODELS = (
    SPLIT,
    Word("vectors", "skip", VECTORS),
    Word("quantized", "reranker", ONE_ROLE, lambda: ROLES),
    Word("quantized", "", "send the quantized models of both"),
)
COMPETITION = Word("competition", "NAME", "the competition's name at Kaggle, Eedi's unless said otherwise")
ASKED = "the kernel that is asked about: submit unless said otherwise, or wheels"
KERNEL = Word("kernel", "wheels", ASKED, lambda: KERNELS)
DRY = Word(DRY_RUN, "", "Say exactly what would be sent, and send nothing.")
ONCE_MORE = Word(
    AGAIN,
    "",
    "Send once more what had no answer, or failed as a submission; look there first.",
)
SENDING = (DRY, Word(PUBLIC, "", "Let everybody see what is sent. It is private otherwise."), ONCE_MORE)
VERBS = (
    Command(
        "data",
        """Download the competition's files.

        The folder data/eedi appears with all of them or not at all. Before that, the competition's rules must have been
        accepted on its page. Another competition's files go to data/COMPETITION.""",
        "",
        CommandWords((), (COMPETITION, DRY)),
    ),
    Command(
        "push-models",
        """Upload an iteration's models as datasets.

        It waits until Kaggle can mount the merged embedder and reranker. The misconceptions' vectors travel with the
        embedder, and the calibration with the reranker where there is one. The run's writer is a third dataset, where
        the models read what it writes.""",
        "iter=1 quantized=reranker --dry-run",
        CommandWords((ITER,), (*MODELS, _wait(4), *SENDING)),
    ),
    Command(
        "push-code",
        """Upload the code as a dataset.

        That is what the submission kernel imports: shared/ and inference/.""",
        "",
        CommandWords((), (_wait(1), *SENDING)),
    ),
    Command(
        "push-wheels",
        """Push the kernel that downloads the wheels.

        It is the only one with internet. The command waits until it has run, which it does on the image that the
        submission kernel runs on.""",
        "",
        CommandWords((), (_wait(4), *SENDING)),
    ),
    Command(
        "push-kernel",
        """Push the submission kernel and run it.

        It mounts the datasets that were pushed, at exactly those versions, and has no internet.""",
        "iter=1",
        CommandWords((ITER,), (SPLIT, _wait(0), *SENDING)),
    ),
    Command(
        "kernel-status",
        """Say how the run of a kernel stands.

        For a run that failed the exit status is 1.""",
        "kernel=wheels wait=3600",
        CommandWords((), (KERNEL, _wait(0))),
    ),
    Command(
        "kernel-logs",
        """Print what the run of a kernel printed.

        It is the log of the newest version that was pushed from here, from its beginning; Kaggle keeps it when the run
        is over.""",
        "kernel=wheels",
        CommandWords((), (KERNEL,)),
    ),
    Command(
        "submit",
        """Enter the kernel into the competition.

        The newest version of the submission kernel is entered once, and its score waited for. The score is written
        beside the run that the models came from. With iter=, a kernel that was pushed for another iteration is
        refused.""",
        "iter=1",
        CommandWords((), (ITER, SPLIT, COMPETITION, _wait(14), DRY, ONCE_MORE)),
    ),
    Command(
        "release",
        """Push everything in order, then submit.

        That is the code, the wheels, the models and the submission kernel. What is there already is skipped, so that
        the same command goes on after whatever stopped it.""",
        "iter=1 --dry-run",
        CommandWords((ITER,), (*MODELS, COMPETITION, _wait(14), *SENDING)),
    ),
)
app = CommandLine(
    "python -m kaggle_kernels",
    noun="verb",
    others=lambda: f"the verbs are: {', '.join(app.names)}",
    help="""Bring data from Kaggle, and models, code and kernels to it.

    Every verb can be run again after whatever stopped it, and does nothing twice. It exits with 1 and a sentence if it
    cannot do what it should, and with 130 after Ctrl-C. Every verb says with --help which words it takes.""",
)
for verb in VERBS:
    app.declare(verb, partial(read_request, verb))
