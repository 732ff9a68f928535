"""Reads and checks the dataset-metadata.json of a role, which says under which name and licence it travels."""

import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from kaggle_kernels.package.json_models import parse_json

META = Path("datasets_meta")
MOST_ENTRIES, MOST_BYTES = 50, 200 * 10**9  # files and folders at the top of a Kaggle dataset; its size
CREATIVE = ("CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0")
LICENCES = ("apache-2.0", *CREATIVE, "GPL-3.0", "other", "unknown")  # Kaggle's names; others it knows may be added
KAGGLES = ConfigDict(frozen=True, strict=True, extra="allow")  # the form is Kaggle's, and has more keys than we read


class Licence(BaseModel):
    model_config = KAGGLES
    name: str | None = None


class DatasetMetadata(BaseModel):
    """dataset-metadata.json, filled in for a run; `description` is the card, which stands in README.md beside it."""

    model_config = KAGGLES
    id: str
    title: str = ""
    subtitle: str | None = None
    licenses: list[Licence] = []
    is_private: bool = Field(True, alias="isPrivate")  # for the reader: --public alone makes a dataset public
    keywords: list[str] = []
    description: str = ""

    @property
    def slug(self) -> str:
        return self.id.rpartition("/")[2]

    def as_json(self) -> dict:
        """What the file says, and the description."""
        return self.model_dump(by_alias=True, exclude_unset=True)


def read_dataset_metadata(role: str, tag: str) -> DatasetMetadata:
    """dataset-metadata.json of a role, with `tag` in its places. Raises ValueError naming the key that is wrong."""
    path = META / role / "dataset-metadata.json"
    return parse_json(DatasetMetadata, path.read_bytes().replace(b"{tag}", tag.encode()), path, "take it from git")


def check_metadata(metadata: DatasetMetadata, slug: str, sizes: dict[str, int]) -> None:
    """Raise ValueError for what Kaggle would only refuse after the upload, or would silently change."""
    title, subtitle = metadata.title, metadata.subtitle
    if not 6 <= len(title) <= 50:
        raise ValueError(f"the title {title!r} has {len(title)} characters; Kaggle takes 6 to 50")
    if not (6 <= len(slug) <= 50 and re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", slug)):
        raise ValueError(
            f"the slug {slug!r} is not of 6 to 50 lower-case letters and digits with single dashes between them"
        )
    if slugify(title) != slug:
        raise ValueError(f"the title {title!r} gives the slug {slugify(title)!r}, not {slug!r}: make them agree")
    if subtitle and not 20 <= len(subtitle) <= 80:
        raise ValueError(f"the subtitle {subtitle!r} has {len(subtitle)} characters; Kaggle takes 20 to 80, or none")
    if len(top := {name.partition("/")[0] for name in sizes}) > MOST_ENTRIES:
        raise ValueError(
            f"{slug} has {len(top)} files and folders at its top; Kaggle takes {MOST_ENTRIES}: merge with larger shards"
        )
    if sum(sizes.values()) > MOST_BYTES:
        raise ValueError(f"{slug} has {sum(sizes.values()):,} bytes; Kaggle takes {MOST_BYTES:,}")
    licence_of(metadata)


def licence_of(metadata: DatasetMetadata) -> str:
    """Kaggle's name of the licence. Raises ValueError unless there is exactly one that Kaggle knows."""
    names = [licence.name for licence in metadata.licenses]
    if len(names) != 1 or names[0] not in LICENCES:
        raise ValueError(f"licences {names}: Kaggle takes exactly one, of {', '.join(LICENCES)}")
    return names[0]


def slugify(title: str) -> str:
    """The slug that Kaggle makes of a title."""
    return re.sub("[^a-z0-9]+", "-", title.lower()).strip("-")
