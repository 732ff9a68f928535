"""Says why a run failed, by the last error of its log, and whether another one has the GPU hours that it needs."""

import re
from collections.abc import Callable

from kaggle_kernels.api.kernels import kernel_status
from kaggle_kernels.api.retries import Refused
from kaggle_kernels.api.runs import gpu_quota, run_log
from kaggle_kernels.api.session import Kaggle
from kaggle_kernels.push.receipts import read_receipt

LONGEST_LINE = 500  # characters of an error that a sentence repeats
ERROR = re.compile(r"^(?:error: |ERROR: |[A-Za-z_.]*(?:Error|Exception|SystemExit|Interrupt)\b(?::|$)|!!! )")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
AT_ONCE = 2  # GPU sessions that Kaggle runs of one person (kaggle-cli #185)


def why_it_failed(kaggle: Kaggle, slug: str, version: int) -> str:
    """The last error of a run's log, and how to see all of it."""
    kernel = "wheels" if slug.endswith("wheels") else "submit"
    error = last_error(run_log(kaggle, slug, version))
    return f"{error or 'its log names no error'}; just kernel-logs kernel={kernel} shows all that it printed"


def last_error(log: str) -> str:
    """The last line of a log that is an error: ours, an exception's, pip's; "" without one."""
    lines = [COLOURS.sub("", line).strip() for line in log.splitlines()]
    found = [line for line in lines if ERROR.match(line)]
    ours = [line for line in found if line.startswith("error: ")]  # what follows it is how a notebook shows that
    return (ours or found or [""])[-1][:LONGEST_LINE]


def check_gpu_hours(kaggle: Kaggle, slugs: tuple[str, ...], say: Callable) -> None:
    """Say what is left of the week's GPU hours and which of our kernels still run. Refused where none are left.

    Kaggle lists nobody's sessions, so that only runs which were pushed from here are known.
    """
    if quota := gpu_quota(kaggle):
        left = quota.allowed - quota.used
        until = f", renewed at {quota.renewed:%Y-%m-%d %H:%M} UTC" if quota.renewed else ""
        said = f"GPU: {max(left, 0):.1f} of {quota.allowed:.0f} hours are left this week{until}"
        if left <= 0:
            raise Refused(f"{said}: run the command again then")
        say(f"{said}; runs hold {quota.reserved:.1f} of them" if quota.reserved else said)
    running = [slug for slug in slugs if _runs(kaggle, slug)]
    if running:
        say(f"{', '.join(running)} still runs; Kaggle runs {AT_ONCE} GPU sessions of one person, and a third one waits")


def _runs(kaggle: Kaggle, slug: str) -> bool:
    receipt = read_receipt(slug, kaggle.owner)
    return bool(receipt) and kernel_status(kaggle, slug, receipt.version)[0] in ("QUEUED", "RUNNING")
