"""Makes the prompts with which a language model writes about a row or a misconception; none of them holds a label.

What is the same for every row stands first, so that it is computed once: the instruction and the solved examples, where
there are some, then subject, construct, question and right answer, which the wrong options of a question share, and the
wrong answer last.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.prompts.query import row_text
from shared.prompts.words import Words

GREEDY_BELOW = 0.01  # a temperature under which the likeliest token is taken: vLLM's own rule


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen, and when a text ends: at its limit, at the model's end token, or in front of a string."""

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()

    @property
    def greedy(self) -> bool:
        return self.temperature < GREEDY_BELOW


@dataclass(frozen=True)
class WriterPrompt:
    """What is asked of the writer: an instruction, the cut of a row's text in tokens, a cue, and how long to write."""

    instruction: str
    text_tokens: int
    cue: str  # behind the row's text: what the model's words go on from
    sampling: Sampling


_TASK = (
    "A mathematics question with its correct answer stands below, and a wrong answer that a student gave. "
    "The student was not guessing: a belief about mathematics, or a procedure that does not hold, led there."
)
PROMPTS = {
    # two sentences are about 60 tokens; without a limit a third of such texts go on with the right method
    "short": WriterPrompt(
        f"{_TASK} Say in one or two plain sentences what this student believes or does, so that exactly this wrong "
        "answer comes out. Name the mathematical idea that is misunderstood. Do not solve the question, do not explain "
        "the right method, and write nothing but these sentences.",
        512,
        "What the student believes:",
        Sampling(96, stop=("###",)),
    ),
    # 200 words are about 330 tokens; the limit leaves room for formulas
    "cot": WriterPrompt(
        f"{_TASK} Work out what this student was thinking. Say first in short how the correct answer comes about, then "
        "follow the steps by which a student can arrive at exactly this wrong answer, and check that they do lead "
        "there. End with one sentence that names the misunderstanding in general terms, without the numbers of this "
        "question. Write at most 200 words of plain text, without headings.",
        512,
        "How the student got there:",
        Sampling(512, stop=("###",)),
    ),
    "description": WriterPrompt(
        "Below stands the name of a misconception that students of mathematics have, and the names of others that are "
        "close to it. Explain in two or three plain sentences what a student with this misconception believes, and "
        "what tells it from the others. Then give three short cases, one a line, each with a task and the wrong answer "
        "that this misconception leads to. Do not explain the right method, and write at most 150 words.",
        96,
        "What a student with this misconception believes:",
        Sampling(320, stop=("###",)),
    ),
}
ROW_KINDS = ("short", "cot")  # of a row of the queries table; a description is of a misconception
BETWEEN_SHOTS = "\n\n###\n\n"  # a model that goes on with another example meets the string at which its text ends
CONTRASTED = 3  # names beside that of a described misconception


def row_prompt(words: Words, prompt: WriterPrompt, row: Mapping[str, object], solved: Sequence[int] = ()) -> list[int]:
    """Ids with which a text about a row's wrong answer is asked for; the row's label is never read.

    `solved` are the ids of solved_rows, which stand in front of the row.
    """
    return _put_together(words, prompt, [*solved, *words.encode(row_text(row))[: prompt.text_tokens]])


def solved_rows(words: Words, prompt: WriterPrompt, shots: Iterable[tuple[str, str]]) -> list[int]:
    """Ids of other rows' texts, each with what was written about it, which is cut where a text has to end."""
    ids = []
    for row, text in shots:
        ids += [*words.encode(row)[: prompt.text_tokens], *words.frame(f"\n\n{prompt.cue} ")]
        ids += [*words.encode(text)[: prompt.sampling.max_tokens], *words.frame(BETWEEN_SHOTS)]
    return ids


def description_prompt(words: Words, prompt: WriterPrompt, name: str, near: Sequence[str]) -> list[int]:
    """Ids with which a misconception's description is asked for: its name, and names that it is to be told from."""
    ids = [*words.frame("Misconception: "), *words.encode(name)[: prompt.text_tokens]]
    for number, other in enumerate(near):
        ids += [*words.frame("\n\nOthers:\n- " if number == 0 else "\n- "), *words.encode(other)[: prompt.text_tokens]]
    return _put_together(words, prompt, ids)


def taught_text(words: Words, text: str) -> list[int]:
    """Ids that a model learns to write behind one of these prompts: the text and the end."""
    behind_cue = "" if words.tail else " "  # without a chat template the text goes on from the cue
    return [*words.encode(f"{behind_cue}{text}"), *words.end]


def _put_together(words: Words, prompt: WriterPrompt, text: Sequence[int]) -> list[int]:
    before, after = words.frame(f"{prompt.instruction}\n\n"), words.frame(f"\n\n{prompt.cue}")
    return [*words.head, *before, *text, *after, *words.tail]
