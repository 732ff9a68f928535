"""Asks Kaggle for a competition's files and submissions, and enters a kernel version."""

from pathlib import Path

from kagglesdk.competitions.types import competition_api_service as competitions

from kaggle_kernels.api.retries import Lost, Refused
from kaggle_kernels.api.session import PAGE, Kaggle
from kaggle_kernels.api.types import Submission, filled, submission_of
from shared.task.current import TASK


def data_files(kaggle: Kaggle, competition: str) -> dict[str, int]:
    """{name: bytes} of the competition's files. Refused until its rules are accepted."""
    request = filled(competitions.ApiListDataFilesRequest(), competition_name=competition)
    what = f"the files of {competition}"
    pages = kaggle.pages(
        what,
        request,
        lambda client: client.competitions.competition_api_client.list_data_files,
        lambda page: page.files,
    )
    if not (files := {file.name: file.total_bytes for page in pages for file in page.files}):
        raise Refused(f"Kaggle lists no file of {competition}: run the command again")
    return files


def download_data(kaggle: Kaggle, competition: str, path: Path) -> None:
    """Write the competition's archive to `path`; a download that breaks off starts again."""
    request = filled(competitions.ApiDownloadDataFilesRequest(), competition_name=competition)

    def read(client) -> None:
        answer = client.competitions.competition_api_client.download_data_files(request)
        with open(path, "wb") as file:
            file.writelines(answer.iter_content(1 << 20))
        expected = answer.headers.get("Content-Length")
        if expected and path.stat().st_size != int(expected):
            raise ConnectionError(f"{path.stat().st_size} of {expected} bytes came")

    kaggle.read(f"the data of {competition}", read)


def submissions_left(kaggle: Kaggle, competition: str) -> int:
    """How many more submissions the competition takes today."""
    request = filled(competitions.ApiGetSubmissionLimitsRequest(), competition_name=competition)
    limits = kaggle.read(
        "the submission limits",
        lambda client: client.competitions.competition_api_client.get_submission_limits(request),
    )
    return limits.num_allowed_now


def find_submission(kaggle: Kaggle, competition: str, description: str, after: int = 0) -> Submission | None:
    """The newest submission with exactly this description, among the newest 200 and those with a ref above `after`."""
    request = filled(competitions.ApiListSubmissionsRequest(), competition_name=competition, page_size=PAGE)
    request.page_token, request.page = "", 1

    def read(client) -> list:
        try:
            return client.competitions.competition_api_client.list_submissions(request).submissions
        except KeyError as unknown:
            raise Refused(f"Kaggle lists a submission of a status without a name here: {unknown.args[0]}") from None

    found = [one for one in kaggle.read("the submissions", read) if one.description == description and one.ref > after]
    return submission_of(max(found, key=lambda one: one.ref)) if found else None


def enter_submission(kaggle: Kaggle, competition: str, kernel: str, version: int, description: str) -> int:
    """Enter one kernel version; its reference. Refused is final; after Lost, look with find_submission."""
    request = filled(competitions.ApiCreateCodeSubmissionRequest(), competition_name=competition)
    request.kernel_owner, request.kernel_slug, request.kernel_version = kaggle.owner, kernel, version
    request.file_name, request.submission_description = TASK.submission.file, description
    answer = kaggle.write(
        "the submission", lambda client: client.competitions.competition_api_client.create_code_submission(request)
    )
    if not answer.ref and not answer.message:
        raise Lost("Kaggle took the submission and named no reference")
    if not answer.ref:
        raise Refused(f"Kaggle refuses the submission: {answer.message}")
    return answer.ref
