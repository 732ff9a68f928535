"""Asks Kaggle about datasets, uploads their files and makes their versions."""

import io
import json
import zipfile

import requests
from kagglesdk.blobs.types import blob_api_service as blobs
from kagglesdk.datasets.types import dataset_api_service as datasets

from kaggle_kernels.api.credentials import TIMEOUT_SECONDS
from kaggle_kernels.api.retries import Lost, Refused
from kaggle_kernels.api.session import Kaggle
from kaggle_kernels.api.transport import lasting
from kaggle_kernels.api.types import RemoteDataset, filled, tree
from shared.artifacts import manifest


def find_dataset(kaggle: Kaggle, slug: str) -> RemoteDataset | None:
    """What Kaggle says of the newest version; None where there is no such dataset (it answers 403 or 404 then)."""
    request = filled(datasets.ApiGetDatasetRequest(), owner_slug=kaggle.owner, dataset_slug=slug)
    # The details come first, so that the status is of their version or of a newer one.
    details = kaggle.read(f"dataset {slug}", lambda client: _details(client, request), absent=None)
    status = kaggle.read(f"the status of {slug}", lambda client: _status(client, kaggle.owner, slug), absent="ABSENT")
    if details is None and status == "ABSENT":  # both: one stray 403 does not make a dataset absent
        return None
    if details is None:
        return RemoteDataset(0, status, True)
    return RemoteDataset(details.current_version_number or 0, status, details.is_private)


def dataset_files(kaggle: Kaggle, slug: str, version: int) -> dict[str, int]:
    """{name: bytes} of a version; {} where Kaggle lists none, or none yet (404 for some seconds, kaggle-cli #890)."""
    request = filled(datasets.ApiListDatasetFilesRequest(), owner_slug=kaggle.owner, dataset_slug=slug)
    request.dataset_version_number = version
    pages = kaggle.pages(
        f"the files of {slug}",
        request,
        lambda client: client.datasets.dataset_api_client.list_dataset_files,
        lambda page: page.dataset_files,
        absent=datasets.ApiListDatasetFilesResponse(),
    )
    if wrong := [page.error_message for page in pages if page.error_message]:
        raise Refused(f"Kaggle does not list the files of {slug}: {wrong[0]}; run the command again")
    return {file.name: file.total_bytes for page in pages for file in page.dataset_files}


def dataset_manifest(kaggle: Kaggle, slug: str, version: int) -> bytes:
    """manifest.json of a version, b"" where it is not there. A portal's page must not make 30 GB travel again."""
    request = filled(datasets.ApiDownloadDatasetRequest(), owner_slug=kaggle.owner, dataset_slug=slug)
    request.file_name, request.dataset_version_number = manifest.MANIFEST, version

    def read(client) -> bytes:
        content = client.datasets.dataset_api_client.download_dataset(request).content
        if content.startswith(b"PK"):  # Kaggle zips some single files
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                content = archive.read(archive.namelist()[0])
        if "files" not in json.loads(content):
            raise ValueError("what it sends is no manifest")
        return content

    return kaggle.read(f"{manifest.MANIFEST} of {slug}", read, absent=b"")


def start_blob(kaggle: Kaggle, name: str, size: int, modified: int) -> tuple[str, str]:
    """(token, address to PUT to) for a file. Asking twice is harmless: an address that is not used expires."""
    request = filled(blobs.ApiStartBlobUploadRequest(), type=blobs.ApiBlobType.DATASET, name=name, content_length=size)
    request.last_modified_epoch_seconds = modified
    answer = kaggle.read(
        f"an address for {name}", lambda client: client.blobs.blob_api_client.start_blob_upload(request)
    )
    if not (answer.token and answer.create_url):
        raise Refused(f"Kaggle gave no address to upload {name} to; run the command again")
    return answer.token, answer.create_url


def put(address: str, body, headers: dict) -> tuple[int, str]:
    """PUT to an upload address: (HTTP status, its Range header), or (0, "") when the connection broke."""
    try:
        answer = requests.put(address, data=body, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        return answer.status_code, answer.headers.get("Range", "")
    except (requests.RequestException, OSError) as error:
        if sentence := lasting(error):
            raise Refused(f"nothing can be uploaded: {sentence}") from None
        return 0, ""


def create_dataset(kaggle: Kaggle, slug: str, metadata: dict, tokens: dict[str, str], public: bool) -> None:
    """Make version 1 of a dataset. Refused is final; after Lost, look with find_dataset."""
    request = filled(datasets.ApiCreateDatasetRequest(), owner_slug=kaggle.owner, slug=slug, title=metadata["title"])
    request.license_name, request.is_private = metadata["licenses"][0]["name"], not public
    request.subtitle, request.description = metadata.get("subtitle"), metadata["description"]
    request.category_ids = metadata.get("keywords", [])
    request.files, request.directories = tree(tokens)
    answer = kaggle.write(f"dataset {slug}", lambda client: client.datasets.dataset_api_client.create_dataset(request))
    _check_answer(answer, slug)


def create_version(kaggle: Kaggle, slug: str, metadata: dict, tokens: dict[str, str], notes: str) -> None:
    """Add a version, which replaces the whole file set. Refused is final; after Lost, look with find_dataset."""
    body = filled(
        datasets.ApiCreateDatasetVersionRequestBody(), version_notes=notes, description=metadata["description"]
    )
    body.subtitle, body.category_ids = metadata.get("subtitle"), metadata.get("keywords", [])
    body.files, body.directories = tree(tokens)
    request = filled(datasets.ApiCreateDatasetVersionRequest(), owner_slug=kaggle.owner, dataset_slug=slug, body=body)
    answer = kaggle.write(
        f"a version of {slug}", lambda client: client.datasets.dataset_api_client.create_dataset_version(request)
    )
    _check_answer(answer, slug)


def _details(client, request):
    return client.datasets.dataset_api_client.get_dataset(request)


def _status(client, owner: str, slug: str) -> str:
    request = filled(datasets.ApiGetDatasetStatusRequest(), owner_slug=owner, dataset_slug=slug)
    try:
        return client.datasets.dataset_api_client.get_dataset_status(request).status.name
    except KeyError as unknown:
        return f"UNKNOWN ({unknown.args[0]})"


def _check_answer(answer, slug: str) -> None:
    if answer.error:
        raise Refused(f"Kaggle refuses dataset {slug}: {answer.error}")
    if (answer.status or "").lower() != "ok":
        raise Lost(f"Kaggle's answer about dataset {slug} says neither yes nor no (status {answer.status!r})")
