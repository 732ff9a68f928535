"""Names the words that the commands of training take, and what each of them means."""

from collections.abc import Sequence
from dataclasses import replace

from shared.prompts.kinds import ROLES
from shared.settings.command_line import ITER, CommandWords, Word
from shared.task.splits import DRAWS, SPLITS


def stages() -> Sequence[str]:
    """The names of all stages; to import them takes polars."""
    from training.pipeline.stages import STAGES

    return tuple(STAGES)


def _tasks() -> Sequence[str]:
    from shared.task.files.definition import known_definitions

    return ("eedi", *known_definitions())


SPLIT = Word("split", "cv", f"what is held out for validation: {', '.join(SPLITS)}", lambda: SPLITS)
STAGE = Word("stage", "evaluate", "the name of one stage; without it the whole run is meant", stages)
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
LEADERBOARD = CommandWords((replace(ITER, missing=NO_SCORE),), (*SCORES, replace(SPLIT, example="full")))
SCHEME = Word("scheme", "awq", "how the weights are stored: awq, gptq or fp8", lambda: ("awq", "gptq", "fp8"))
ROLE = Word("role", "reranker", f"which model: {' or '.join(ROLES)}; without it both", lambda: ROLES)
PATH = Word("path", "DIR", "the folder that holds the files, the task's own unless said otherwise")
TASK = Word("task", "beir", "what is asked: eedi, or the name of a file in shared/task/files/definitions", _tasks)
NO_TASK = "say a name for the task and where its files are: name=tickets from=data/tickets"
NEW_TASK = CommandWords(
    (
        Word("name", "tickets", "what the task is called", missing=NO_TASK),
        Word("from", "DIR", "the folder that holds your files", missing=NO_TASK),
    )
)
QUESTIONS = Word("questions", "100", "how many questions are generated")
TARGET = CommandWords((ITER,), (SPLIT,), overrides=True)
VERIFY = Word("--verify", "", "hash every file of what is up to date, also those that did not change")
TRAINED = CommandWords((ITER,), (SPLIT, VERIFY), overrides=True)
