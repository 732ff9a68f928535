"""Makes the prompt with which a language model writes a question for a misconception, and says what form it answers in.

Solved examples stand between the instruction and the misconception, so that the questions of one misconception share
all of their prompt, and those of near ones its beginning. The answer is labelled lines: in JSON, the backslashes of
LaTeX become control characters without anybody noticing.
"""

from collections.abc import Mapping, Sequence

from shared.prompts.words import Words
from shared.prompts.writer import Sampling

LABELS = {  # of the lines that are written, in their order, and the field that each fills
    "Subject": "subject",
    "Construct": "construct",
    "Question": "question",
    "Correct answer": "correct",
    "Wrong answer": "wrong",
    "Other answer 1": "other_1",
    "Other answer 2": "other_2",
}
INSTRUCTION = (
    "Write a multiple-choice question of school mathematics whose wrong answer reveals a misconception. The wrong "
    "answer is exactly what a student with this misconception gets, and the correct answer is right. The two other "
    "answers come from other mistakes. All four answers differ in value. Neither the question nor the construct may "
    "name or explain the misconception, and no picture is needed: everything that is asked about stands in the text. "
    "Use numbers and a setting of your own. Formulas stand between \\( and \\). Write these lines and nothing "
    f"else: {', '.join(LABELS)}."
)
NAME_TOKENS, NOTE_TOKENS, SHOT_TOKENS = 96, 160, 400
SAMPLING = Sampling(400, temperature=0.8, top_p=0.95, stop=("###", "\nMisconception:"))


def question_prompt(words: Words, name: str, description: str, shots: Sequence[tuple[str, str]]) -> list[int]:
    """Ids with which a question for the misconception `name` is asked for.

    `shots` are (misconception, lines of a question that shows it), the nearest one last; `description` may be "".
    """
    ids = [*words.head, *words.frame(f"{INSTRUCTION}\n\n")]
    for other, lines in shots:
        ids += [*words.frame("Misconception: "), *words.encode(other)[:NAME_TOKENS], *words.frame("\n")]
        ids += [*words.encode(lines)[:SHOT_TOKENS], *words.frame("\n\n")]
    ids += [*words.frame("Misconception: "), *words.encode(name)[:NAME_TOKENS]]
    if description:
        ids += [*words.frame("\nWhat it means: "), *words.encode(description)[:NOTE_TOKENS]]
    return [*ids, *words.frame(f"\n{next(iter(LABELS))}:"), *words.tail]


def lines_of(fields: Mapping[str, str]) -> str:
    """A question as an answer to the prompt has it; what it has no text for is left out."""
    return "\n".join(f"{label}: {fields[field]}" for label, field in LABELS.items() if fields.get(field))
