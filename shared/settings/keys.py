"""Lists every key that the settings have, and names the one that a person may have meant."""

from collections.abc import Iterator
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from shared.settings.arguments import nearest
from shared.settings.sections import Section, Settings


def fields_of(section: type[BaseModel], before: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """("section.key", its field) of every key, depth first; a section in a section is opened, as in train.lora.rank."""
    for name, field in section.model_fields.items():
        inner = inner_section(field)
        if inner is None:
            yield f"{before}{name}", field
        else:
            yield from fields_of(inner, f"{before}{name}.")


def inner_section(field: FieldInfo) -> type[Section] | None:
    """The section that a field holds, None where it holds a value."""
    kinds = (field.annotation, *get_args(field.annotation))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)), None)


def nearest_key(key: str, value: object) -> str:
    """The known key nearest to an unknown `key`, "" where none is near.

    `key` is dotted. Where it names a section, `value` is what stands in it, and its first key helps to find the place.
    """
    known = [name for name, _ in fields_of(Settings)]
    if isinstance(value, dict) and value:
        key = f"{key}.{next(iter(value))}"
    return nearest(key, known)
