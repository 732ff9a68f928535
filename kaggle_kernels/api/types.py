"""Turns what Kaggle's client takes and gives into plain values, and back."""

from dataclasses import dataclass

from kagglesdk.datasets.types import dataset_api_service as datasets


@dataclass(frozen=True)
class RemoteDataset:
    version: int  # 0 before the first one is there
    status: str  # a name of DatabundleVersionStatus, or "UNKNOWN (...)" for one that this client cannot name
    private: bool


@dataclass(frozen=True)
class RemoteKernel:
    version: int
    source: str
    settings: dict  # what Kaggle says of SETTINGS; None where it says nothing


@dataclass(frozen=True)
class Submission:
    ref: int
    status: str
    description: str
    public_score: str
    private_score: str
    error: str


def filled(request, **values):
    for name, value in values.items():
        setattr(request, name, value)
    return request


def version_label(version: int) -> str:
    """What Kaggle calls a kernel's version in a question: it answers 404 to a bare number (Kaggle/kaggle-cli #1201)."""
    return f"v{version}"


def tree(tokens: dict[str, str]) -> tuple[list, list]:
    """{path: token} as (files, directories) of a request; kagglehub sends folders so, `kaggle` drops them."""
    files = [filled(datasets.ApiDatasetNewFile(), token=token) for path, token in tokens.items() if "/" not in path]
    inner: dict[str, dict] = {}
    for path, token in tokens.items():
        top, slash, rest = path.partition("/")
        if slash:
            inner.setdefault(top, {})[rest] = token
    folders = [(name, *tree(part)) for name, part in inner.items()]
    return files, [
        filled(datasets.ApiUploadDirectoryInfo(), name=name, files=f, directories=d) for name, f, d in folders
    ]


def submission_of(answer) -> Submission:
    scores = answer.public_score or "", answer.private_score or ""
    return Submission(answer.ref, answer.status.name, answer.description or "", *scores, answer.error_description or "")
