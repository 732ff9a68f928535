"""Holds the settings of what a language model writes about the queries and the misconceptions."""

from typing import Literal

from shared.settings.section import Section

Writer = Literal["off", "replay"]


class Explain(Section):
    """What is written about the thinking behind every wrong answer: the rationales."""

    writer: Writer = "off"
    """Who writes: `replay` takes texts that were written earlier from a file; `off` means that there are none."""
    kinds: Literal["short", "cot", "both"] = "both"
    """What is written: one or two sentences (`short`), a chain of thought (`cot`), or both."""
    file: str = "rationales.csv"
    """The file in the competition's folder that `replay` reads: QuestionId_Answer, Rationale, Reasoning."""


class Describe(Section):
    """What is written about every misconception, from its name."""

    writer: Writer = "off"
    """Who writes, as for `explain`."""
    file: str = "explanations.csv"
    """The file in the competition's folder that `replay` reads: MisconceptionId, Explanation."""
