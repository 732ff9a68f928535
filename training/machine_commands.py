"""Declares the command that says what a machine is good for: which training fits it."""

from dataclasses import replace

from shared.settings.arguments import Arguments
from shared.settings.command_line import ITER, CommandWords, Word
from training import words
from training.commands import run_of
from training.finished_commands import app

CARD = replace(
    words.PROFILE, example="gpu24", meaning="the card that is meant; this machine's GPU unless said otherwise"
)
TRAIN = Word("--train", "", "what ./just doctor is said with to come here")


@app.command(CommandWords((ITER,), (CARD, TRAIN), overrides=True), "iter=1 profile=gpu24 reranker.weights=nf4")
def doctor(said: Arguments) -> int:
    """Say which micro-batches of both trainings fit a GPU.

    It is computed from the config.json of each base, with weights in 16 bits (full), rounded to 4 bits (nf4), and
    hosted in 4 bits (packed). Nothing is fetched, no weights are read, and no GPU is needed. The status is 2 where a
    training does not fit as it is set.
    """
    from training.pipeline.ahead.doctor import doctor

    return doctor(run_of(said, said.overrides, new=True), said.options.get("profile", ""))
