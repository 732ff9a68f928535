"""Says what each verb of publish.py does, and in which order a release does them."""

import functools
from collections.abc import Callable
from pathlib import Path

from kaggle_kernels.api.competition import data_files
from kaggle_kernels.api.kernels import kernel_output, kernel_status
from kaggle_kernels.api.retries import Clock, Refused
from kaggle_kernels.api.session import Kaggle, connect
from kaggle_kernels.cli import ROLES, SUBMIT, WHEELS, Order
from kaggle_kernels.download import fetch_data
from kaggle_kernels.package.calibration import calibration_file
from kaggle_kernels.package.catalogue_vectors import catalogue_vectors
from kaggle_kernels.package.kernel_metadata import metadata_path, read_kernel_metadata
from kaggle_kernels.package.stage_folder import StagedFolder, stage_code, stage_model, trained_model
from kaggle_kernels.push.dataset import push_dataset
from kaggle_kernels.push.dry_run import dry_run_dataset, dry_run_kernel, dry_run_submission
from kaggle_kernels.push.kernel import FAILED, await_kernel, push_kernel, pushed_kernel, with_sources
from kaggle_kernels.push.kernel_request import kernel_request
from kaggle_kernels.push.pending import forget_unanswered
from kaggle_kernels.push.receipts import Source
from kaggle_kernels.push.submission import submit
from shared.artifacts.leaderboard import models_of

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
    if order.again:
        forget_unanswered()
    # Signing in comes after what can be said without it: that a model was never trained, say.
    verbs[order.verb](order, functools.cache(lambda: connect(clock)), clock, say)


def _data(order: Order, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> None:
    if order.dry:
        files = data_files(signed_in(), order.competition)
        say(f"would download into {DATA}: " + ", ".join(f"{name} ({size:,} bytes)" for name, size in files.items()))
        return
    say(fetch_data(signed_in(), order.competition, DATA))


def _push_models(order: Order, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> dict[str, Source]:
    models = _models(order)

    def stages(extra: dict[str, dict]) -> list[StagedFolder]:
        return [stage_model(role, models[role], order.tag, order.public, extra.get(role, {})) for role in ROLES]

    def check() -> None:
        stages(extra)
        signed_in()

    extra = {"reranker": calibration_file(order.run, say)}
    vectors = catalogue_vectors(order.run, models["embedder"], order.vectors, order.dry, say, check)
    staged = stages({**extra, "embedder": vectors})  # both are sound before a byte moves
    return _push_stages(order, signed_in(), clock, say, staged)


def _models(order: Order) -> dict[str, Path]:
    return {role: trained_model(role, order.run, role in order.quantized) for role in ROLES}


def _push_code(order: Order, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> dict[str, Source]:
    stage = stage_code()
    return _push_stages(order, signed_in(), clock, say, [stage])


def _push_stages(
    order: Order, kaggle: Kaggle, clock: Clock, say: Callable, stages: list[StagedFolder]
) -> dict[str, Source]:
    """{slug: what Kaggle would have of it} after a dry run."""
    planned = {}
    for stage in stages:
        if order.dry:
            planned[stage.slug] = dry_run_dataset(kaggle, stage, order.public, say)
        else:
            say(push_dataset(kaggle, clock, stage, order.public, order.wait))
    return planned


def _push_wheels(order: Order, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> None:
    kaggle = signed_in()
    request = kernel_request(WHEELS, kaggle.owner, order.tag, internet=True, public=order.public)
    if order.dry:
        dry_run_kernel(kaggle, request, say)
        return
    say(push_kernel(kaggle, clock, request, {}))
    slug = request["slug"].rpartition("/")[2]
    version = await_kernel(kaggle, clock, slug, order.wait, say)
    wheels = [name for name in kernel_output(kaggle, slug, version) if name.endswith(".whl")]
    if not wheels:
        raise Refused(f"the run of {slug} version {version} left no wheels: its log is on its page")
    say(f"{slug} version {version} holds {len(wheels)} wheels")


def _push_kernel(
    order: Order, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable, planned: dict[str, Source] | None = None
) -> None:
    kaggle = signed_in()
    request = kernel_request(SUBMIT, kaggle.owner, order.tag, internet=False, public=order.public)
    for source in request["kernelDataSources"]:
        owner, _, slug = source.partition("/")
        if owner == kaggle.owner and not planned:
            await_kernel(kaggle, clock, slug, order.wait, say)
    request, sources = with_sources(kaggle, request, planned or {})
    if order.dry:
        dry_run_kernel(kaggle, request, say)
        return
    facts = {"sources": sources, "tag": order.tag, "run": str(order.run), "models": models_of(order.run)}
    say(push_kernel(kaggle, clock, request, facts))


def _kernel_status(order: Order, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> None:
    kaggle = signed_in()
    slug = _slug(SUBMIT if order.kernel == "submit" else WHEELS, order.tag)
    if order.wait:
        await_kernel(kaggle, clock, slug, order.wait, say)
    version = pushed_kernel(slug, kaggle.owner).version
    status, reason = kernel_status(kaggle, slug, version)
    sentence = f"{kaggle.owner}/{slug} version {version}: {status}{': ' + reason if reason else ''}"
    if status in FAILED:
        raise Refused(sentence)
    say(sentence)


def _submit(order: Order, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> None:
    kaggle, slug = signed_in(), _slug(SUBMIT, order.tag)
    receipt = pushed_kernel(slug, kaggle.owner)
    if order.iteration and receipt.tag != order.tag:
        raise ValueError(f"{slug} was pushed for {receipt.tag}, not for {order.tag}: just push-kernel iter=... first")
    if order.dry:
        dry_run_submission(kaggle, order.competition, slug, say)
        return
    say(submit(kaggle, clock, order.competition, slug, order.wait, say))


def _slug(folder: Path, tag: str) -> str:
    path = metadata_path(folder)
    if not path.is_file():
        raise ValueError(f"{path} does not exist, so there is no kernel to ask about")
    return read_kernel_metadata(folder, tag).slug


def _release(order: Order, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> None:
    _models(order)  # a model that was never trained is said now, not when the wheels have run
    if order.dry:
        planned = _push_code(order, signed_in, clock, say)
        _push_wheels(order, signed_in, clock, say)
        planned |= _push_models(order, signed_in, clock, say)
        _push_kernel(order, signed_in, clock, say, planned)
        say(f"would wait for that run, and enter it into {order.competition}")
        return
    for step in (_push_code, _push_wheels, _push_models, _push_kernel, _submit):  # each skips what is done
        step(order, signed_in, clock, say)
