"""Reads and checks a kernel's kernel-metadata.json, in which every field must be written."""

import re
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from kaggle_kernels.package.dataset_metadata import slugify
from kaggle_kernels.package.json_models import STRICT
from kaggle_kernels.package.secret_scan import refuse_credentials

NO_MACHINE = "None"  # Kaggle's word for a CPU
SHAPES = (
    "NvidiaTeslaT4",
    "NvidiaL4",
    "NvidiaL4X1",
    "NvidiaTeslaA100",
    "NvidiaH100",
    "NvidiaRtxPro6000",
    NO_MACHINE,
)
SLUG = re.compile("[A-Za-z0-9_-]+")
OWNED = re.compile("([A-Za-z0-9_-]+/)?[A-Za-z0-9_-]+")  # ours may leave out who owns it
MODEL = re.compile("([A-Za-z0-9_.-]+/){4}[0-9]+")
# What stands in front in the address of a page, and in files that `kaggle kernels pull -m` once wrote (#433 #464 #377).
ADDRESSES = ("datasets", "d", "code", "kernels", "notebooks", "c", "competitions", "models")
IMAGE = re.compile(r"gcr\.io/(?:kaggle-private-byod|kaggle-gpu-images|kaggle-images)/python@sha256:[0-9a-f]{64}")


class KernelMetadata(BaseModel):
    """kernel-metadata.json; the alias is the field's name in Kaggle's request.

    No field that travels has a default: Kaggle's own turn the internet on and let the image change.
    """

    model_config = STRICT
    id: str = Field(serialization_alias="slug")
    title: str = Field(serialization_alias="newTitle")
    language: str
    kernel_type: str = Field(serialization_alias="kernelType")
    is_private: bool = Field(serialization_alias="isPrivate")
    enable_gpu: bool = Field(serialization_alias="enableGpu")
    enable_tpu: bool = Field(serialization_alias="enableTpu")
    enable_internet: bool = Field(serialization_alias="enableInternet")
    machine_shape: str = Field(serialization_alias="machineShape")
    docker_image: str = Field(serialization_alias="dockerImage")
    docker_image_pinning_type: str = Field(serialization_alias="dockerImagePinningType")
    dataset_sources: list[str] = Field(serialization_alias="datasetDataSources")
    competition_sources: list[str] = Field(serialization_alias="competitionDataSources")
    kernel_sources: list[str] = Field(serialization_alias="kernelDataSources")
    model_sources: list[str] = Field(serialization_alias="modelDataSources")
    code_file: str = Field("kernel.ipynb", exclude=True)

    @property
    def slug(self) -> str:
        return self.id.rpartition("/")[2]


def metadata_path(folder: Path) -> Path:
    return folder / "kernel-metadata.json"


def read_kernel_metadata(folder: Path, tag: str) -> KernelMetadata:
    """The metadata of the kernel in `folder`, with `tag` in its places.

    Raises ValueError for a credential in it, and naming a field that is missing or of another type.
    """
    path = metadata_path(folder)
    refuse_credentials({path.name: path})
    try:
        return KernelMetadata.model_validate_json(path.read_bytes().replace(b"{tag}", tag.encode()))
    except ValidationError as errors:
        error = errors.errors()[0]
        if not error["loc"]:
            raise ValueError(f"{path} is not JSON with the fields of a kernel: {error['msg']}") from None
        name, value = error["loc"][0], None if error["type"] == "missing" else error["input"]
        kind = KernelMetadata.model_fields[name].annotation.__name__
        raise ValueError(f"{path}: {name} must be written, and be a {kind}; it is {value!r}") from None


def check_kernel(metadata: KernelMetadata, path: Path, internet: bool, public: bool) -> None:
    """Raise ValueError naming `path` for what Kaggle would refuse, or would silently make something else of.

    Whoever sees a public kernel sees what its run leaves, and ours leaves a sample of the competition's questions.
    """
    if public and metadata.competition_sources:
        raise ValueError(
            f"{path}: a public kernel would publish what it reads of {metadata.competition_sources[0]}, whose rules"
            " forbid that: push it without --public"
        )
    slug, title, shape, image = metadata.slug, metadata.title, metadata.machine_shape, metadata.docker_image
    pinned = metadata.docker_image_pinning_type == "original" and IMAGE.fullmatch(image)
    wrong = {
        f"title {title!r} gives the slug {slugify(title)!r}, not {slug!r}": slugify(title) != slug,
        f"title {title!r} must have 5 to 50 characters": not 5 <= len(title) <= 50,
        f"language {metadata.language!r} must be python": metadata.language != "python",
        f"kernel_type {metadata.kernel_type!r} is neither notebook nor script": metadata.kernel_type
        not in ("notebook", "script"),
        "is_private must be true in the file; --public is said on the command line": not metadata.is_private,
        f"enable_internet must be {str(internet).lower()} for this kernel": metadata.enable_internet is not internet,
        f"machine_shape {shape!r} is none of {', '.join(SHAPES)}": shape not in SHAPES,
        "docker_image is the CPU image, which wins over the GPU": metadata.enable_gpu and "/kaggle-images/" in image,
        "enable_gpu and machine_shape disagree": metadata.enable_gpu is (shape == NO_MACHINE),
        f"docker_image {image!r} must be pinned by its digest, as original": not pinned,
    }
    for sentence, holds in wrong.items():
        if holds:
            raise ValueError(f"{path}: {sentence}")
    _check_sources(metadata, path)


def _check_sources(metadata: KernelMetadata, path: Path) -> None:
    """Refuse what Kaggle would drop without a word, and then run without it."""
    for kind in ("dataset_sources", "kernel_sources"):
        for source in getattr(metadata, kind):
            owner, slash, _ = source.partition("/")
            if not OWNED.fullmatch(source) or (slash and owner in ADDRESSES):
                raise ValueError(f"{path}: {kind} {source!r} must be OWNER/SLUG, without a prefix or a version")
    for source in metadata.competition_sources:
        if not SLUG.fullmatch(source):
            raise ValueError(f"{path}: competition_sources {source!r} must be the competition's name alone")
    for source in metadata.model_sources:
        if not MODEL.fullmatch(source):
            raise ValueError(f"{path}: model_sources {source!r} must be OWNER/MODEL/FRAMEWORK/VARIATION/NUMBER")
