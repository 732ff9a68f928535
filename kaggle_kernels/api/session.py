"""Talks to Kaggle, and is the only file that does: through the kaggle package's client, reads again, writes once.

Every call answers with plain values; `kaggle` is imported in `connect` only, because importing it signs in.
"""

import contextlib
import io
import json
import os
import zipfile

import requests
from kagglesdk.blobs.types import blob_api_service as blobs
from kagglesdk.competitions.types import competition_api_service as competitions
from kagglesdk.datasets.types import dataset_api_service as datasets
from kagglesdk.kernels.types import kernels_api_service as kernels

from kaggle_kernels.api.retries import TIMEOUT, Clock, Lost, Refused, ask, call, write_once
from kaggle_kernels.api.types import RemoteDataset, RemoteKernel, Submission, filled, submission_of, tree
from shared.artifacts import manifest
from shared.task.current import TASK

PAGE = 200  # files asked for at once
SETTINGS = ("isPrivate", "enableInternet", "machineShape", "dockerImage", "datasetDataSources", "kernelDataSources")


def connect(clock: Clock) -> "Kaggle":
    """Sign in. Raises Refused without usable credentials and when Kaggle cannot be reached."""
    for name in ("VERBOSE", "VERBOSE_OUTPUT"):  # with either the client prints the Authorization header
        os.environ.pop(name, None)
    return Kaggle(ask(clock, "a session", _signed_in), clock)


class Kaggle:
    def __init__(self, api, clock: Clock) -> None:
        self._api, self._clock = api, clock
        self.owner: str = api.config_values["username"]

    # datasets

    def find_dataset(self, slug: str) -> RemoteDataset | None:
        """What Kaggle says of the newest version; None where there is no such dataset (it answers 403 or 404 then)."""
        request = filled(datasets.ApiGetDatasetRequest(), owner_slug=self.owner, dataset_slug=slug)
        # The details come first, so that the status is of their version or of a newer one.
        details = self._read(f"dataset {slug}", lambda kaggle: _dataset(kaggle, request), absent=None)
        status = self._read(f"the status of {slug}", lambda kaggle: _status(kaggle, self.owner, slug), absent="ABSENT")
        if details is None and status == "ABSENT":  # both: one stray 403 does not make a dataset absent
            return None
        if details is None:
            return RemoteDataset(0, status, True)
        return RemoteDataset(details.current_version_number or 0, status, details.is_private)

    def dataset_files(self, slug: str, version: int) -> dict[str, int]:
        """{name: bytes} of a version."""
        request = filled(datasets.ApiListDatasetFilesRequest(), owner_slug=self.owner, dataset_slug=slug)
        request.dataset_version_number = version
        pages = self._pages(
            f"the files of {slug}", request, lambda kaggle: kaggle.datasets.dataset_api_client.list_dataset_files
        )
        files = {file.name: file.total_bytes for page in pages for file in page.dataset_files}
        if wrong := [page.error_message for page in pages if page.error_message] or (
            [] if files else ["it lists none"]
        ):
            raise Refused(f"Kaggle does not list the files of {slug}: {wrong[0]}; run the command again")
        return files

    def dataset_manifest(self, slug: str, version: int) -> bytes:
        """manifest.json of a version. A portal's page is no answer, and must not make 30 GB travel again."""
        request = filled(datasets.ApiDownloadDatasetRequest(), owner_slug=self.owner, dataset_slug=slug)
        request.file_name, request.dataset_version_number = manifest.MANIFEST, version

        def read(kaggle) -> bytes:
            content = kaggle.datasets.dataset_api_client.download_dataset(request).content
            if content.startswith(b"PK"):  # Kaggle zips some single files
                with zipfile.ZipFile(io.BytesIO(content)) as archive:
                    content = archive.read(archive.namelist()[0])
            if "files" not in json.loads(content):
                raise ValueError("what it sends is no manifest")
            return content

        return self._read(f"{manifest.MANIFEST} of {slug}", read)

    def start_blob(self, name: str, size: int, modified: int) -> tuple[str, str]:
        """(token, address to PUT to) for a file. Asking twice is harmless: an address that is not used expires."""
        request = filled(
            blobs.ApiStartBlobUploadRequest(), type=blobs.ApiBlobType.DATASET, name=name, content_length=size
        )
        request.last_modified_epoch_seconds = modified
        answer = self._read(
            f"an address for {name}", lambda kaggle: kaggle.blobs.blob_api_client.start_blob_upload(request)
        )
        if not (answer.token and answer.create_url):
            raise Refused(f"Kaggle gave no address to upload {name} to; run the command again")
        return answer.token, answer.create_url

    def put(self, address: str, body, headers: dict) -> tuple[int, str]:
        """PUT to an upload address: (HTTP status, its Range header), or (0, "") when the connection broke."""
        try:
            answer = requests.put(address, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False)
            return answer.status_code, answer.headers.get("Range", "")
        except (requests.RequestException, OSError):
            return 0, ""

    def create_dataset(self, slug: str, metadata: dict, tokens: dict[str, str], public: bool) -> None:
        """Make version 1 of a dataset. Refused is final; after Lost, look with find_dataset."""
        request = filled(datasets.ApiCreateDatasetRequest(), owner_slug=self.owner, slug=slug, title=metadata["title"])
        request.license_name, request.is_private = metadata["licenses"][0]["name"], not public
        request.subtitle, request.description = metadata.get("subtitle"), metadata["description"]
        request.category_ids = metadata.get("keywords", [])
        request.files, request.directories = tree(tokens)
        _accepted(
            self._write(f"dataset {slug}", lambda kaggle: kaggle.datasets.dataset_api_client.create_dataset(request)),
            slug,
        )

    def create_version(self, slug: str, metadata: dict, tokens: dict[str, str], notes: str) -> None:
        """Add a version, which replaces the whole file set. Refused is final; after Lost, look with find_dataset."""
        body = filled(
            datasets.ApiCreateDatasetVersionRequestBody(), version_notes=notes, description=metadata["description"]
        )
        body.subtitle, body.category_ids = metadata.get("subtitle"), metadata.get("keywords", [])
        body.files, body.directories = tree(tokens)
        request = filled(datasets.ApiCreateDatasetVersionRequest(), owner_slug=self.owner, dataset_slug=slug, body=body)
        answer = self._write(
            f"a version of {slug}", lambda kaggle: kaggle.datasets.dataset_api_client.create_dataset_version(request)
        )
        _accepted(answer, slug)

    # kernels

    def find_kernel(self, slug: str) -> RemoteKernel | None:
        """The newest version of a kernel of ours; None where there is none."""
        request = filled(kernels.ApiGetKernelRequest(), user_name=self.owner, kernel_slug=slug)
        what, read = f"kernel {slug}", lambda kaggle: kaggle.kernels.kernels_api_client.get_kernel(request)
        answer = self._read(what, read, absent=None) or self._read(
            what, read, absent=None
        )  # one stray 403 says nothing
        if answer is None or answer.metadata is None:
            return None
        said, source = answer.metadata.to_dict(), answer.blob.source if answer.blob else ""
        return RemoteKernel(
            answer.metadata.current_version_number or 0, source or "", {name: said.get(name) for name in SETTINGS}
        )

    def save_kernel(self, fields: dict) -> tuple[int, list[str]]:
        """Push a version, which also runs it: (its number, sources that Kaggle dropped). `fields`: the JSON request."""
        request = kernels.ApiSaveKernelRequest.from_dict(fields)
        answer = self._write(
            f"kernel {fields['slug']}", lambda kaggle: kaggle.kernels.kernels_api_client.save_kernel(request)
        )
        if answer.error:
            raise Refused(f"Kaggle refuses kernel {fields['slug']}: {answer.error}")
        if not answer.version_number:
            raise Lost(f"Kaggle took kernel {fields['slug']} and named no version")
        invalid = answer.invalid_dataset_sources + answer.invalid_competition_sources + answer.invalid_kernel_sources
        return answer.version_number, invalid + answer.invalid_model_sources

    def kernel_status(self, slug: str, version: int) -> tuple[str, str]:
        """(a name of KernelWorkerStatus, the failure message) of one version's run."""
        request = filled(kernels.ApiGetKernelSessionStatusRequest(), user_name=self.owner, kernel_slug=slug)
        request.version_label = str(version)

        def read(kaggle) -> tuple[str, str]:
            try:
                answer = kaggle.kernels.kernels_api_client.get_kernel_session_status(request)
                return answer.status.name, answer.failure_message or ""
            except KeyError as unknown:  # a status this client has no name for
                return f"UNKNOWN ({unknown.args[0]})", ""

        return self._read(f"the status of kernel {slug}", read)

    def kernel_output(self, slug: str, version: int) -> list[str]:
        """Names of the files that one version's run left."""
        request = filled(kernels.ApiListKernelSessionOutputRequest(), user_name=self.owner, kernel_slug=slug)
        request.version_label = str(version)
        what = f"the output of kernel {slug}"
        pages = self._pages(what, request, lambda kaggle: kaggle.kernels.kernels_api_client.list_kernel_session_output)
        return [file.file_name for page in pages for file in page.files]

    # the competition

    def data_files(self, competition: str) -> dict[str, int]:
        """{name: bytes} of the competition's files. Refused until its rules are accepted."""
        request = filled(competitions.ApiListDataFilesRequest(), competition_name=competition)
        what = f"the files of {competition}"
        pages = self._pages(what, request, lambda kaggle: kaggle.competitions.competition_api_client.list_data_files)
        return {file.name: file.total_bytes for page in pages for file in page.files}

    def download_data(self, competition: str, path) -> None:
        """Write the competition's archive to `path`; a download that breaks off starts again."""
        request = filled(competitions.ApiDownloadDataFilesRequest(), competition_name=competition)

        def read(kaggle) -> None:
            answer = kaggle.competitions.competition_api_client.download_data_files(request)
            with open(path, "wb") as file:
                file.writelines(answer.iter_content(1 << 20))
            expected = answer.headers.get("Content-Length")
            if expected and path.stat().st_size != int(expected):
                raise ConnectionError(f"{path.stat().st_size} of {expected} bytes came")

        self._read(f"the data of {competition}", read)

    def submissions_left(self, competition: str) -> int:
        request = filled(competitions.ApiGetSubmissionLimitsRequest(), competition_name=competition)
        return self._read("the submission limits", lambda kaggle: _limits(kaggle, request)).num_allowed_now

    def find_submission(self, competition: str, description: str) -> Submission | None:
        """The newest submission with exactly this description, among the newest 200."""
        request = filled(competitions.ApiListSubmissionsRequest(), competition_name=competition, page_size=PAGE)

        def read(kaggle) -> list:
            try:
                return kaggle.competitions.competition_api_client.list_submissions(request).submissions
            except KeyError as unknown:
                raise Refused(f"Kaggle lists a submission of a status without a name here: {unknown.args[0]}") from None

        found = [one for one in self._read("the submissions", read) if one.description == description]
        return submission_of(max(found, key=lambda one: one.ref)) if found else None

    def submit(self, competition: str, kernel: str, version: int, description: str) -> int:
        """Enter one kernel version; its reference. Refused is final; after Lost, look with find_submission."""
        request = filled(competitions.ApiCreateCodeSubmissionRequest(), competition_name=competition)
        request.kernel_owner, request.kernel_slug, request.kernel_version = self.owner, kernel, version
        request.file_name, request.submission_description = TASK.submission.file, description
        answer = self._write(
            "the submission", lambda kaggle: kaggle.competitions.competition_api_client.create_code_submission(request)
        )
        if not answer.ref and not answer.message:
            raise Lost("Kaggle took the submission and named no reference")
        if not answer.ref:
            raise Refused(f"Kaggle refuses the submission: {answer.message}")
        return answer.ref

    def _pages(self, what: str, request, method) -> list:
        request.page_size, pages = PAGE, []
        while not pages or pages[-1].next_page_token:
            request.page_token = pages[-1].next_page_token if pages else None
            pages.append(self._read(what, lambda kaggle: method(kaggle)(request)))
        return pages

    def _read(self, what: str, send, **absent):
        return ask(self._clock, what, lambda: call(self._api, send), **absent)

    def _write(self, what: str, send):
        return write_once(what, lambda: call(self._api, send))


def _signed_in():
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # the login text
            from kaggle.api.kaggle_api_extended import KaggleApi

            api = KaggleApi()
            api.authenticate()
        return api
    except SystemExit:
        ways = "run `kaggle auth login`, or set KAGGLE_API_TOKEN, or put kaggle.json into ~/.kaggle"
        raise Refused(f"no valid Kaggle credentials: {ways}") from None


def _limits(kaggle, request):
    return kaggle.competitions.competition_api_client.get_submission_limits(request)


def _dataset(kaggle, request):
    return kaggle.datasets.dataset_api_client.get_dataset(request)


def _status(kaggle, owner: str, slug: str) -> str:
    request = filled(datasets.ApiGetDatasetStatusRequest(), owner_slug=owner, dataset_slug=slug)
    try:
        return kaggle.datasets.dataset_api_client.get_dataset_status(request).status.name
    except KeyError as unknown:
        return f"UNKNOWN ({unknown.args[0]})"


def _accepted(answer, slug: str) -> None:
    if answer.error:
        raise Refused(f"Kaggle refuses dataset {slug}: {answer.error}")
    if (answer.status or "").lower() != "ok":
        raise Lost(f"Kaggle's answer about dataset {slug} says neither yes nor no (status {answer.status!r})")
