"""Says exactly what a push or a submission would send, and sends nothing: what `--dry-run` prints."""

import hashlib
import json
from collections.abc import Callable

from kaggle_kernels.api.competition import find_submission, submissions_left
from kaggle_kernels.api.datasets import find_dataset
from kaggle_kernels.api.kernels import find_kernel, kernel_status
from kaggle_kernels.api.session import Kaggle
from kaggle_kernels.package.stage_folder import CACHE, StagedFolder
from kaggle_kernels.push.content import difference
from kaggle_kernels.push.dataset import check_visibility
from kaggle_kernels.push.kernel import ended_badly, pushed_kernel
from kaggle_kernels.push.kernel_request import request_digest, sources_line
from kaggle_kernels.push.pending import Pending
from kaggle_kernels.push.receipts import Source, iso, read_receipt
from kaggle_kernels.push.submission import describe_submission
from shared.counted import count


def dry_run_dataset(kaggle: Kaggle, stage: StagedFolder, public: bool, say: Callable) -> Source:
    """Say what push_dataset would send; what Kaggle would have afterwards."""
    name, remote = f"{kaggle.owner}/{stage.slug}", find_dataset(kaggle, stage.slug)
    check_visibility(stage.slug, remote, public)
    if remote and remote.status == "READY" and not difference(kaggle, stage, remote):
        say(f"{name} version {remote.version} is already there; nothing would be sent")
        return Source(version=remote.version, digest=stage.digest)
    pending = Pending(CACHE / stage.slug / "push.json", stage.digest)
    if pending.sent:
        say(f"{name} was sent at {iso(pending.sent.time)} and is not there yet: would look for that first, else")
    sizes = {path: facts["bytes"] for path, facts in stage.files.items()}
    keys = {path: f"{facts['sha256']} {path}" for path, facts in stage.files.items()}
    there = sum(size for path, size in sizes.items() if (blob := pending.blobs.get(keys[path])) and blob.done)
    version = remote.version + 1 if remote else 1
    what = f"version {version} of {name}" if remote else f"the new dataset {name}"
    who, total = "PUBLIC" if public else "private", sum(sizes.values())
    say(f"would send {what}, {who}, {count(len(sizes), 'file')}, {total:,} bytes ({there:,} of them arrived before):")
    for path, facts in stage.files.items():
        say(f"  {path}  {facts['bytes']:,} bytes  {facts['sha256']}")
    say(f"  manifest {stage.digest}")
    say(f"  {json.dumps(stage.metadata.as_json(), indent=1, ensure_ascii=False)}")
    return Source(version=version, digest=stage.digest)


def dry_run_kernel(kaggle: Kaggle, request: dict, wanted: str, say: Callable) -> None:
    """Say what push_kernel would push."""
    slug = request["slug"].rpartition("/")[2]
    remote, receipt = find_kernel(kaggle, slug), read_receipt(slug, kaggle.owner)
    version = remote.version if remote else 0
    if version and receipt and (receipt.digest, receipt.version) == (request_digest(request), version):
        if not (why := ended_badly(kaggle, slug, version, wanted)):
            say(f"{request['slug']} version {version} is already there; nothing would be pushed")
            return
        say(f"{request['slug']} version {version} is already there, and {why}: the same would be pushed once more")
    code = request["text"].encode()
    shown = {**request, "text": f"{len(code):,} bytes of code, SHA-256 {hashlib.sha256(code).hexdigest()}"}
    say(f"would push {request['slug']} version {version + 1}, which starts a run: {json.dumps(shown, indent=1)}")
    if line := sources_line(request):
        say(f"with the line {line}")


def dry_run_submission(kaggle: Kaggle, competition: str, slug: str, say: Callable) -> None:
    """Say what submit would enter."""
    receipt = pushed_kernel(slug, kaggle.owner)
    version, description = receipt.version, describe_submission(receipt, slug)
    status, _ = kernel_status(kaggle, slug, version)
    if found := find_submission(kaggle, competition, description):
        once_more = " unless --again is said, since that ended as ERROR" if found.status == "ERROR" else ""
        entered = f"{kaggle.owner}/{slug} version {version} was entered as submission {found.ref}"
        say(f"{entered}; nothing would be sent{once_more}")
        return
    left = submissions_left(kaggle, competition)
    say(
        f"would enter {kaggle.owner}/{slug} version {version} (its run is {status}) into {competition} as"
        f" {description!r}; {left} submissions are left today"
    )
