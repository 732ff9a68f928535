"""Asks Kaggle what a kernel's run printed, and how many hours of GPU are left this week."""

import json
from dataclasses import dataclass
from datetime import datetime

from kagglesdk.kernels.types import kernels_api_service as kernels

from kaggle_kernels.api.session import Kaggle
from kaggle_kernels.api.types import filled


@dataclass(frozen=True)
class GpuQuota:
    """Hours of GPU in this week; None: Kaggle does not say when the next week begins."""

    used: float
    reserved: float  # by what runs now
    allowed: float
    renewed: datetime | None


def run_log(kaggle: Kaggle, slug: str, version: int) -> str:
    """What one version's run printed; "" where Kaggle has kept nothing."""
    request = filled(kernels.ApiListKernelSessionOutputRequest(), user_name=kaggle.owner, kernel_slug=slug, page_size=1)
    request.version_label = f"v{version}"
    what, read = f"the log of kernel {slug}", lambda client: client.kernels.kernels_api_client
    answer = kaggle.read(what, lambda client: read(client).list_kernel_session_output(request), absent=None)
    return _plain(answer.log or "") if answer else ""


def gpu_quota(kaggle: Kaggle) -> GpuQuota | None:
    """This week's hours; None where Kaggle does not say."""
    request = kernels.ApiGetAcceleratorQuotaStatisticsRequest()
    what, read = "the GPU quota", lambda client: client.kernels.kernels_api_client
    answer = kaggle.read(what, lambda client: read(client).get_accelerator_quota_statistics(request), absent=None)
    if not answer or not answer.gpu_quota or not answer.gpu_quota.total_time_allowed:
        return None
    said = answer.gpu_quota
    hours = [
        time.total_seconds() / 3600 if time else 0.0
        for time in (said.time_used, said.time_reserved, said.total_time_allowed)
    ]
    return GpuQuota(*hours, answer.quota_refresh_time)


def _plain(log: str) -> str:
    """The text of a log, which Kaggle keeps as JSON: a list of {stream_name, time, data}."""
    try:
        entries = json.loads(log)
    except ValueError:
        return log
    if not isinstance(entries, list):
        return log
    return "".join(entry.get("data", "") if isinstance(entry, dict) else str(entry) for entry in entries)
