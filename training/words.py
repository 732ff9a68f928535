"""Names the words that the commands of training take, and what each of them means."""

from collections.abc import Sequence
from dataclasses import replace

from shared.prompts.kinds import ROLES
from shared.settings.arguments import Arguments
from shared.settings.command_line import ITER, CommandWords, Word
from shared.task.splits import DRAWS, SPLITS


def stages() -> Sequence[str]:
    """The names of all stages; to import them takes polars."""
    from training.pipeline.stages import STAGES

    return tuple(STAGES)


def _tasks() -> Sequence[str]:
    from shared.task.files.definition import known_definitions

    return ("eedi", *known_definitions())


def named() -> list[str]:
    """The names that runs have."""
    from shared.settings.load import RUNS
    from training.run_folder.names import BESIDE

    return sorted({path.name.partition(BESIDE)[2] for path in RUNS.glob(f"*{BESIDE}*")})


SPLIT = Word("split", "cv", f"what is held out for validation: {', '.join(SPLITS)}", lambda: SPLITS)
AS = Word("as", "slow", "the name of a run that stands beside the plain one and shares what is the same", named)
STAGE = Word("stage", "evaluate", "the name of one stage; without it the whole run is meant", stages)
YES = Word("--yes", "", "delete a whole run without being asked")
COUNTS = [str(number) for number in range(1, len(DRAWS) + 1)]
DRAWN = Word("draws", COUNTS[-1], f"how many of the draws {', '.join(DRAWS)} are taken", lambda: COUNTS)
SIDES = {
    "a": "a run folder, or an iteration for all its draws; :bm25 behind it takes that ranking instead of the reranked",
    "b": "the same for the other side",
}
NO_SIDE = "say a=RUN b=RUN, RUN being runs/iter1/cv, or 1 for all draws of iteration 1"
BOTH_SIDES = tuple(Word(name, "RUN", meaning, missing=NO_SIDE) for name, meaning in SIDES.items())
POOLS = ("labelled", "catalogue")
POOL = Word("pool", "labelled", "the misconceptions that compete: labelled or catalogue", lambda: POOLS)
SCORES = (
    Word("public", "0.505", "the public score, from 0 to 1"),
    Word("private", "0.49", "the private score, from 0 to 1"),
)
NO_SCORE = "say which iteration and its score: iter=1 public=0.505 [private=0.49] [split=full]"
LEADERBOARD = CommandWords((replace(ITER, missing=NO_SCORE),), (*SCORES, replace(SPLIT, example="full"), AS))
NO_NEW = "say the new iteration and the one that is copied: iter=2 from=1"
NEW = CommandWords(
    (
        replace(ITER, example="2", meaning="the new iteration: a number, or a name", values=tuple, missing=NO_NEW),
        replace(ITER, name="from", meaning="the iteration that is copied", missing=NO_NEW),
    ),
    (replace(ITER, name="previous", meaning="the iteration that comes before the new one", missing=""),),
)
SCHEME = Word("scheme", "awq", "how the weights are stored: awq, gptq or fp8", lambda: ("awq", "gptq", "fp8"))
CHECK = Word("--check", "", "only check what was said, and that the run is there")
ROLE = Word("role", "reranker", f"which model: {' or '.join(ROLES)}; without it both", lambda: ROLES)
QUANTIZED = CommandWords((ITER,), (SPLIT, AS, SCHEME, ROLE, CHECK), overrides=True)
PATH = Word("path", "DIR", "the folder that holds the files, the task's own unless said otherwise")
TASK = Word("task", "beir", "what is asked: eedi, or the name of a file in shared/task/files/definitions", _tasks)
NO_TASK = "say a name for the task and where its files are: name=tickets from=data/tickets"
NEW_TASK = CommandWords(
    (
        Word("name", "tickets", "what the task is called", missing=NO_TASK),
        Word("from", "DIR", "the folder that holds your files", missing=NO_TASK),
    ),
    first="name",
)
QUESTIONS = Word("questions", "100", "how many questions are generated")
REPLACE = Word("--replace", "", "lose what is evaluated where other settings or data were said")
TARGET = CommandWords((ITER,), (SPLIT, AS), overrides=True)
VERIFY = Word("--verify", "", "hash every file of what is up to date, also those that did not change")
NODES = Word("nodes", "2", "how many machines train together, each with this command; as machine.nodes=2")
RENDEZVOUS = Word("rendezvous", "HOST:PORT", "where they meet, HOST being one of them; as machine.rendezvous=HOST:PORT")
PLACES = ("slurm",)
ON = Word("on", "slurm", "put the command into the queue of a cluster instead of running it here", lambda: PLACES)
TRAINED = CommandWords((ITER,), (SPLIT, AS, NODES, RENDEZVOUS, ON, VERIFY, REPLACE), overrides=True)
TO = Word("to", "DIR", "the folder that is written; in the run's own folder unless said otherwise")
HUB = Word(
    "hub", "OWNER/NAME", "upload to the Hugging Face Hub, as OWNER/NAME-embedder and OWNER/NAME-reranker, private"
)
LICENCE = Word("licence", "apache-2.0", "the base model's licence, where its card does not say it")
PUBLIC = Word("--public", "", "what is uploaded may be seen by everybody")
DRY_RUN = Word("--dry-run", "", "upload nothing, and list what would be")
EXPORTED = CommandWords((ITER,), (SPLIT, AS, ROLE, TO, HUB, LICENCE, PUBLIC, DRY_RUN))
ANYWAY = Word("--anyway", "", "write also texts whose writers saw labels; the column Writer says what they saw")
EXPORTED_TEXTS = CommandWords((ITER,), (SPLIT, AS, TO, ANYWAY))
FILE = Word(
    "file", "FILE", "rows in .csv or .jsonl; the name alone is enough", missing="say which file: tag FILE iter=1"
)
WHICH = Word("split", "full", "whose models tag; full where it was trained, else cv", lambda: SPLITS)
TAGS = Word("k", "5", "how many tags a row gets")
OUT = Word("out", "FILE", "the .csv or .jsonl that is written; FILE.tags.csv or .jsonl unless said otherwise")
SHARE = Word("absent", "0.1", "the share of rows whose entry is taken not to be in the catalogue")
ENGINE = Word(
    "engine", "hf", "what computes: hf or vllm; the one that evaluated unless said otherwise", lambda: ("hf", "vllm")
)
PROFILE = Word("profile", "cpu", "the machine, a section of profiles.toml; the run's unless said otherwise")
RETRIEVE_ONLY = Word("--retrieve-only", "", "let the embedder alone order the catalogue: much faster, and less right")
PORT = Word("port", "8000", "the port that is listened on; 0 takes a free one")
HOST = Word("host", "127.0.0.1", "the address that is listened on: this machine alone unless said otherwise")
TAGGING = (WHICH, AS, SHARE, ENGINE, PROFILE, RETRIEVE_ONLY)
TAGGED = CommandWords((FILE, ITER), (TAGS, OUT, *TAGGING), first="file")
SERVED = CommandWords((ITER,), (PORT, HOST, *TAGGING))
DECIDED = Word("decided", "DIR", "a folder that it wrote, decisions filled in: prints figures before and after them")
WORDS_ONLY = Word("--words-only", "", "compare entries by their words alone, without the embedder")
LABELS_AUDITED = CommandWords((ITER,), (AS, DECIDED, WORDS_ONLY))


def overrides_of(said: Arguments) -> tuple[str, ...]:
    """The settings that were said, with nodes= and rendezvous= as those of the machine that they are."""
    names = [word.name for word in (NODES, RENDEZVOUS) if word.name in said.options]
    return (*said.overrides, *(f"machine.{name}={said.options[name]}" for name in names))


def read_place(said: Arguments) -> str:
    """The queue that the command goes into, "" where it runs here. Raises ValueError for one that is not known."""
    place = said.options.get(ON.name, "")
    if place not in ("", *PLACES):
        raise ValueError(f"on={place}: there is {', '.join(PLACES)}; without on= the command runs here")
    return place


def repeated(said: Arguments) -> list[str]:
    """What was typed, without where it is to run."""
    elsewhere = [word.name for word in (ON, NODES, RENDEZVOUS)]
    options = [f"{name}={value}" for name, value in said.options.items() if name not in elsewhere]
    others = [f"machine.{name}=" for name in elsewhere]
    overrides = [one for one in said.overrides if not one.startswith(tuple(others))]
    return [*options, *overrides, *sorted(said.flags)]


def read_draws(said: Arguments) -> int:
    """How many draws are meant. Raises ValueError where it is no such number."""
    count = said.options.get("draws", COUNTS[-1])
    if count not in COUNTS:
        raise ValueError(f"draws={count}: say a number from 1 to {COUNTS[-1]}")
    return int(count)


def read_quantize(said: Arguments) -> tuple[Sequence[str], list[str]]:
    """(the roles that are quantised, quantize.key=value of what is changed). Raises ValueError for anything else."""
    changes = list(said.overrides)
    if "scheme" in said.options:
        changes.append(f"quantize.scheme={said.options['scheme']}")
    if wrong := [change for change in changes if not change.startswith("quantize.")]:
        raise ValueError(f"{wrong[0]!r}: only quantize.key=value can be changed here, the rest is the run's")
    return roles_of(said), changes


def roles_of(said: Arguments) -> tuple[str, ...]:
    """The roles that `role` names, both where it is left out. Raises ValueError for another one."""
    role = said.options.get("role", "")
    if role not in ("", *ROLES):
        raise ValueError(f"role={role}: it is {' or '.join(ROLES)}, or left out for both")
    return (role,) if role else ROLES
