"""Asks Kaggle about kernels and their runs, and pushes a version."""

from kagglesdk.kernels.types import kernels_api_service as kernels

from kaggle_kernels.api.retries import Lost, Refused
from kaggle_kernels.api.session import Kaggle
from kaggle_kernels.api.types import RemoteKernel, filled, version_label

SOURCES = ("datasetDataSources", "kernelDataSources", "competitionDataSources")
SETTINGS = ("isPrivate", "enableInternet", "machineShape", "dockerImage", *SOURCES)
NOT_SHOWN = "NOT_SHOWN"  # of a version that Kaggle does not know, or not yet


def find_kernel(kaggle: Kaggle, slug: str) -> RemoteKernel | None:
    """The newest version of a kernel of ours; None where there is none."""
    request = filled(kernels.ApiGetKernelRequest(), user_name=kaggle.owner, kernel_slug=slug)

    def read(client):
        answer = client.kernels.kernels_api_client.get_kernel(request)
        if answer.metadata is None:
            raise ValueError("it says nothing of the kernel")
        return answer

    # Twice: one stray 403 says nothing.
    what = f"kernel {slug}"
    answer = kaggle.read(what, read, absent=None) or kaggle.read(what, read, absent=None)
    if answer is None:
        return None
    said, source = answer.metadata.to_dict(), answer.blob.source if answer.blob else ""
    settings = {name: said.get(name) for name in SETTINGS}
    for name in SOURCES:  # A list without entries is not in the answer.
        settings[name] = [_plain(one, name) for one in settings[name] or []]
    return RemoteKernel(answer.metadata.current_version_number or 0, source or "", settings)


def save_kernel(kaggle: Kaggle, fields: dict) -> tuple[int, list[str]]:
    """Push a version, which also runs it: (its number, sources that Kaggle dropped). `fields`: the JSON request."""
    request = kernels.ApiSaveKernelRequest.from_dict(fields)
    answer = kaggle.write(
        f"kernel {fields['slug']}", lambda client: client.kernels.kernels_api_client.save_kernel(request)
    )
    if answer.error:
        raise Refused(f"Kaggle refuses kernel {fields['slug']}: {answer.error}")
    if not answer.version_number:
        raise Lost(f"Kaggle took kernel {fields['slug']} and named no version")
    invalid = answer.invalid_dataset_sources + answer.invalid_competition_sources + answer.invalid_kernel_sources
    return answer.version_number, invalid + answer.invalid_model_sources


def _plain(source: str, kind: str) -> str:
    """A source without the "datasets/", "code/" or "c/" that Kaggle puts in front (kaggle-cli #433 #464 #377)."""
    return "/".join(source.split("/")[-1 if kind == "competitionDataSources" else -2 :])


def kernel_status(kaggle: Kaggle, slug: str, version: int) -> tuple[str, str]:
    """(a name of KernelWorkerStatus, the failure message) of one version's run; NOT_SHOWN where there is none."""
    request = filled(kernels.ApiGetKernelSessionStatusRequest(), user_name=kaggle.owner, kernel_slug=slug)
    request.version_label = version_label(version)

    def read(client) -> tuple[str, str]:
        try:
            answer = client.kernels.kernels_api_client.get_kernel_session_status(request)
            return answer.status.name, answer.failure_message or ""
        except KeyError as unknown:  # a status this client has no name for
            return f"UNKNOWN ({unknown.args[0]})", ""

    return kaggle.read(f"the status of kernel {slug}", read, absent=(NOT_SHOWN, ""))


def kernel_output(kaggle: Kaggle, slug: str, version: int) -> list[str]:
    """Names of the files that one version's run left. Refused for an answer without files and without the run's log."""
    request = filled(kernels.ApiListKernelSessionOutputRequest(), user_name=kaggle.owner, kernel_slug=slug)
    request.version_label = version_label(version)
    what = f"the output of kernel {slug}"
    pages = kaggle.pages(
        what,
        request,
        lambda client: client.kernels.kernels_api_client.list_kernel_session_output,
        lambda page: page.files,
    )
    names = [file.file_name for page in pages for file in page.files]
    if not names and not any(page.log for page in pages):  # Every run that ended has a log: this is no answer.
        raise Refused(f"Kaggle says nothing about {what}: run the command again")
    return names
