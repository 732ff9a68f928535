"""Says what each verb of publish.py does, and in which order a release does them."""

import functools
import json
from collections.abc import Callable
from pathlib import Path

from kaggle_kernels.calibrated import calibration_file
from kaggle_kernels.calls import Clock, Refused
from kaggle_kernels.client import Kaggle, connect
from kaggle_kernels.competition_data import fetch_data
from kaggle_kernels.dataset import check_visibility, push_dataset
from kaggle_kernels.kernel_metadata import kernel_request
from kaggle_kernels.kernels import (
    FAILED,
    await_kernel,
    locked_version,
    push_kernel,
    with_sources,
)
from kaggle_kernels.order import ROLES, SUBMIT, WHEELS, Order
from kaggle_kernels.record import lock_of
from kaggle_kernels.staging import Stage, stage_code, stage_model
from kaggle_kernels.submission import submit

DATA = Path("data/eedi")


def carry_out(order: Order, clock: Clock, say: Callable) -> None:
    """Do what `order` asks for. Raises ValueError for what the person can mend, Refused for what Kaggle will not do."""
    verbs = {
        "data": _data,
        "push-models": _push_models,
        "push-code": _push_code,
        "push-wheels": _push_wheels,
        "push-kernel": _push_kernel,
        "kernel-status": _kernel_status,
        "submit": _submit,
        "release": _release,
    }
    # Signing in comes after what can be said without it: that a model was never trained, say.
    verbs[order.verb](order, functools.cache(lambda: connect(clock)), clock, say)


def _data(order: Order, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> None:
    if order.dry:
        files = signed_in().data_files(order.competition)
        say(f"would download into {DATA}: " + ", ".join(f"{name} ({size:,} bytes)" for name, size in files.items()))
        return
    say(fetch_data(signed_in(), order.competition, DATA))


def _push_models(order: Order, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> None:
    extra = {"reranker": calibration_file(order.run, say)}
    stages = [stage_model(role, order.run, order.tag, order.public, extra.get(role, {})) for role in ROLES]
    for stage in stages:  # both are sound before a byte moves
        _push_stage(order, signed_in(), clock, say, stage)


def _push_code(order: Order, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> None:
    stage = stage_code()
    _push_stage(order, signed_in(), clock, say, stage)


def _push_stage(order: Order, kaggle: Kaggle, clock: Clock, say: Callable, stage: Stage) -> None:
    if not order.dry:
        say(push_dataset(kaggle, clock, stage, order.public, order.wait))
        return
    remote = kaggle.find_dataset(stage.slug)
    check_visibility(stage.slug, remote, order.public)
    there = remote and remote.status == "READY" and lock_of(stage.slug, kaggle.owner)
    if there and (there["version"], there["digest"]) == (remote.version, stage.digest):
        say(f"{kaggle.owner}/{stage.slug} version {remote.version} is already there; nothing would be sent")
        return
    what = f"version {remote.version + 1} of" if remote else "the new dataset"
    who, total = "PUBLIC" if order.public else "private", sum(facts["bytes"] for facts in stage.files.values())
    say(
        f"would send {what} {kaggle.owner}/{stage.slug}, {who}, {len(stage.files)} files, {total:,} bytes,"
        f" manifest {stage.digest}:"
    )
    for name, facts in stage.files.items():
        say(f"  {name}  {facts['bytes']:,} bytes  {facts['sha256']}")


def _push_wheels(order: Order, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> None:
    kaggle = signed_in()
    request = kernel_request(WHEELS, kaggle.owner, order.tag, internet=True, public=order.public)
    if order.dry:
        _say_request(request, say)
        return
    say(push_kernel(kaggle, clock, request, {}))
    slug = request["slug"].rpartition("/")[2]
    version = await_kernel(kaggle, clock, slug, order.wait, say)
    wheels = [name for name in kaggle.kernel_output(slug, version) if name.endswith(".whl")]
    if not wheels:
        raise Refused(f"the run of {slug} version {version} left no wheels: its log is on its page")
    say(f"{slug} version {version} holds {len(wheels)} wheels")


def _push_kernel(order: Order, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> None:
    kaggle = signed_in()
    request = kernel_request(SUBMIT, kaggle.owner, order.tag, internet=False, public=order.public)
    for source in request["kernelDataSources"]:
        if source.startswith(f"{kaggle.owner}/") and not order.dry:
            await_kernel(kaggle, clock, source.partition("/")[2], order.wait, say)
    if order.dry and not all(
        lock_of(source.partition("/")[2], kaggle.owner) for source in request["datasetDataSources"]
    ):
        say("its datasets are not all pushed yet; their versions and digests would be written into its SOURCES line")
        sources = {}
    else:
        request, sources = with_sources(kaggle, request)
    if order.dry:
        _say_request(request, say)
        return
    say(push_kernel(kaggle, clock, request, {"sources": sources, "tag": order.tag, "run": str(order.run)}))


def _say_request(request: dict, say: Callable) -> None:
    shown = {**request, "text": f"{len(request['text']):,} characters of code"}
    say(f"would push {request['slug']}, which starts a run: {json.dumps(shown, indent=1)}")


def _kernel_status(order: Order, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> None:
    kaggle = signed_in()
    slug = _slug(SUBMIT if order.kernel == "submit" else WHEELS)
    if order.wait:
        await_kernel(kaggle, clock, slug, order.wait, say)
    version = locked_version(slug, kaggle.owner)
    status, reason = kaggle.kernel_status(slug, version)
    sentence = f"{kaggle.owner}/{slug} version {version}: {status}{': ' + reason if reason else ''}"
    if status in FAILED:
        raise Refused(sentence)
    say(sentence)


def _submit(order: Order, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> None:
    kaggle = signed_in()
    slug = _slug(SUBMIT)
    if order.dry:
        left = kaggle.submissions_left(order.competition)
        say(
            f"would enter {kaggle.owner}/{slug} version {locked_version(slug, kaggle.owner)} into {order.competition};"
            f" {left} submissions are left today"
        )
        return
    say(submit(kaggle, clock, order.competition, slug, order.wait, say))


def _slug(folder: Path) -> str:
    path = folder / "kernel-metadata.json"
    if not path.is_file():
        raise ValueError(f"{path} does not exist, so there is no kernel to ask about")
    return json.loads(path.read_text())["id"].rpartition("/")[2]


def _release(order: Order, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> None:
    for step in (_push_code, _push_wheels, _push_models, _push_kernel):  # each skips what is done, so a release resumes
        step(order, signed_in, clock, say)
    if order.dry:
        say(f"would wait for that run, and enter it into {order.competition}")
        return
    _submit(order, signed_in, clock, say)
