"""Makes the text of a query from the fields of its row; every model and every baseline reads this text."""


def query_text(construct: str, subject: str, question: str, correct: str, wrong: str) -> str:
    """What is asked: a question and the wrong answer whose misconception is wanted."""
    return (
        f"Subject: {subject}\nConstruct: {construct}\nQuestion: {question}\n"
        f"Correct answer: {correct}\nWrong answer: {wrong}"
    )


def row_text(row: dict[str, object]) -> str:
    """`query_text` of a row of the queries table."""
    return query_text(**{name: row[name] for name in ("construct", "subject", "question", "correct", "wrong")})


def question_of(text: str) -> str:
    """The question in a `query_text`."""
    return text.partition("\nQuestion: ")[2].rpartition("\nCorrect answer: ")[0]
