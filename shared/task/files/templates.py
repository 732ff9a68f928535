"""Fills the columns of a row into a template such as "Question: {question}"; a plain word names one column."""

import string
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic_core import CoreSchema, core_schema

OPTION, RIGHT = "<option>", "<right>"
Parts = tuple[tuple[str, str | None], ...]


class Template(str):
    """The text of a template. Raises ValueError for one that cannot be read."""

    def __new__(cls, text: str) -> "Template":
        made = super().__new__(cls, text)
        made.parts  # noqa: B018  it raises
        return made

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())

    @property
    def parts(self) -> Parts:
        """(text, column behind it or None) in order."""
        return _parse(str(self))

    @property
    def columns(self) -> list[str]:
        return [column for _, column in self.parts if column is not None]

    def of(self, option: str, right: str) -> "Template":
        """The template of one option of a row."""
        return Template(self.replace(OPTION, option).replace(RIGHT, right))

    def fill(self, fields: Mapping[str, str]) -> str:
        """The template with the fields in place of the columns, without white space around each.

        A line all of whose fields are empty is left out.
        """
        if "{" not in self:
            return _fill(self.parts, fields) or ""
        lines = [_fill(_parse(line) if "{" in line else ((line, None),), fields) for line in self.split("\n")]
        return "\n".join(line for line in lines if line is not None).strip()


@cache
def _parse(template: str) -> Parts:
    if template and "{" not in template and "}" not in template:
        return (("", template),)
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"the template cannot be read ({error}); write a brace of the text twice") from None
    for _, column, form, conversion in parsed:
        if column == "" or form or conversion:
            raise ValueError("the template has braces that are no {column}; write a brace of the text twice")
    return tuple((text, column) for text, column, _, _ in parsed)


def _fill(parts: Parts, fields: Mapping[str, str]) -> str | None:
    values = [fields[column].strip() for _, column in parts if column is not None]
    if values and not any(values):
        return None
    return "".join(text + (fields[column].strip() if column is not None else "") for text, column in parts)
