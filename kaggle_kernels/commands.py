"""Does what each verb of the command line says, and in which order a release does them."""

import functools
from collections.abc import Callable
from pathlib import Path

from kaggle_kernels.api.competition import data_files
from kaggle_kernels.api.kernels import kernel_output, kernel_status
from kaggle_kernels.api.retries import Clock, Refused
from kaggle_kernels.api.runs import run_log
from kaggle_kernels.api.session import Kaggle, connect
from kaggle_kernels.download import fetch_data
from kaggle_kernels.package.calibration import calibration_file
from kaggle_kernels.package.kernel_metadata import check_kernel, metadata_path, read_kernel_metadata
from kaggle_kernels.package.stage_folder import StagedFolder, stage_code, stage_model, trained_model
from kaggle_kernels.package.wheels_lock import fill_lock, source_packages
from kaggle_kernels.package.writer import check_writer, stage_writer, writer_slug
from kaggle_kernels.push.dataset import push_dataset
from kaggle_kernels.push.dry_run import dry_run_dataset, dry_run_kernel, dry_run_submission
from kaggle_kernels.push.kernel import FAILED, await_kernel, push_kernel, pushed_kernel, run_status, with_sources
from kaggle_kernels.push.kernel_request import kernel_request
from kaggle_kernels.push.pending import forget_unanswered
from kaggle_kernels.push.receipts import Source
from kaggle_kernels.push.runs import check_gpu_hours, why_it_failed
from kaggle_kernels.push.submission import submit
from kaggle_kernels.request import Request
from shared.artifacts.leaderboard import models_of
from shared.counted import count
from shared.prompts.kinds import ROLES
from shared.settings.data import Prepare
from shared.task.current import TASK
from shared.task.eedi import EEDI

SUBMIT, WHEELS = Path("kaggle_kernels/submit"), Path("kaggle_kernels/wheels")
WHEEL = ".whl"  # what the wheels kernel must leave, as the other must leave the submission


def carry_out(request: Request, clock: Clock, say: Callable) -> None:
    """Do what `request` asks for. ValueError for what the person can mend, Refused for what Kaggle will not do."""
    verbs = {
        "data": _data,
        "push-models": _push_models,
        "push-code": _push_code,
        "push-wheels": _push_wheels,
        "push-kernel": _push_kernel,
        "kernel-status": _kernel_status,
        "kernel-logs": _kernel_logs,
        "submit": _submit,
        "release": _release,
    }
    if request.again:
        forget_unanswered()
    # Signing in comes after what can be said without it: that a model was never trained, say.
    verbs[request.verb](request, functools.cache(lambda: connect(clock)), clock, say)


def _data(request: Request, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> None:
    folder = Path(Prepare().competition if request.competition == TASK.slug else f"data/{request.competition}")
    if request.dry_run:
        files = data_files(signed_in(), request.competition)
        say(f"would download into {folder}: " + ", ".join(f"{name} ({size:,} bytes)" for name, size in files.items()))
        return
    say(fetch_data(signed_in(), request.competition, folder))


def _push_models(request: Request, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> dict[str, Source]:
    from kaggle_kernels.package.catalogue_vectors import catalogue_vectors  # brings torch, which no other verb needs

    models = _models(request)
    writer = stage_writer(request.run, request.tag, request.public, say)

    def stages(extra: dict[str, dict]) -> list[StagedFolder]:
        return [stage_model(role, models[role], request.tag, request.public, extra.get(role, {})) for role in ROLES]

    def check() -> None:
        stages(extra)
        signed_in()

    extra = {"reranker": calibration_file(request.run, say)}
    vectors = catalogue_vectors(request.run, models["embedder"], request.vectors, request.dry_run, say, check)
    staged = stages({**extra, "embedder": vectors})  # all are sound before a byte moves
    return _push_stages(request, signed_in(), clock, say, [*staged, *writer])


def _models(request: Request) -> dict[str, Path]:
    models = {role: trained_model(role, request.run, role in request.quantized) for role in ROLES}
    check_writer(request.run)
    return models


def _push_code(request: Request, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> dict[str, Source]:
    stage = stage_code()
    return _push_stages(request, signed_in(), clock, say, [stage])


def _push_stages(
    request: Request, kaggle: Kaggle, clock: Clock, say: Callable, stages: list[StagedFolder]
) -> dict[str, Source]:
    """{slug: what Kaggle would have of it} after a dry run."""
    planned = {}
    for stage in stages:
        if request.dry_run:
            planned[stage.slug] = dry_run_dataset(kaggle, stage, request.public, say)
        else:
            say(push_dataset(kaggle, clock, stage, request.public, request.wait))
    return planned


def _push_wheels(request: Request, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> None:
    kaggle = signed_in()
    kernel = kernel_request(WHEELS, kaggle.owner, request.tag, internet=True, public=request.public)
    kernel["text"] = fill_lock(kernel["text"], WHEELS)
    if request.dry_run:
        dry_run_kernel(kaggle, kernel, WHEEL, say)
        return
    say(push_kernel(kaggle, clock, kernel, {}, WHEEL, lambda: check_gpu_hours(kaggle, _slugs(request), say)))
    slug = kernel["slug"].rpartition("/")[2]
    version = await_kernel(kaggle, clock, slug, request.wait, say)
    names = kernel_output(kaggle, slug, version)
    wheels = [name for name in names if name.endswith(WHEEL)]
    if not wheels:
        raise Refused(
            f"the run of {slug} version {version} left no wheels: just kernel-logs kernel=wheels shows why, and the"
            " same command runs it once more"
        )
    if sources := source_packages(names):
        raise Refused(
            f"{slug} version {version} holds {', '.join(sources)}, which would have to be built, and the offline kernel"
            " cannot: pin a version with a wheel in kaggle_kernels/wheels/requirements.in, then requirements/pin.sh"
        )
    say(f"{slug} version {version} holds {count(len(wheels), 'wheel')}")


def _push_kernel(
    request: Request,
    signed_in: Callable[[], Kaggle],
    clock: Clock,
    say: Callable,
    planned: dict[str, Source] | None = None,
) -> None:
    _check_competition(request)
    kaggle = signed_in()
    kernel = kernel_request(SUBMIT, kaggle.owner, request.tag, internet=False, public=request.public)
    mounted = [request.competition if name == EEDI.slug else name for name in kernel["competitionDataSources"]]
    kernel["competitionDataSources"] = mounted
    if slug := writer_slug(request.run, request.tag):
        kernel["datasetDataSources"].append(f"{kaggle.owner}/{slug}")
    for source in kernel["kernelDataSources"]:
        owner, _, slug = source.partition("/")
        if owner == kaggle.owner and not planned:
            await_kernel(kaggle, clock, slug, request.wait, say)
    kernel, sources = with_sources(kaggle, kernel, planned or {})
    if request.dry_run:
        dry_run_kernel(kaggle, kernel, TASK.submission.file, say)
        return
    facts = {"sources": sources, "tag": request.tag, "run": str(request.run), "models": models_of(request.run)}
    enough = functools.partial(check_gpu_hours, kaggle, _slugs(request), say)
    say(push_kernel(kaggle, clock, kernel, facts, TASK.submission.file, enough))


def _check_competition(request: Request) -> None:
    """Raise ValueError where there is no competition whose data the kernel could mount."""
    if not request.competition:
        raise ValueError(
            f"the task {TASK.name} has no Kaggle competition: say slug in "
            f"shared/task/files/definitions/{TASK.name}.toml; `python -m inference predict` predicts on this machine"
        )


def _slugs(request: Request) -> tuple[str, ...]:
    return tuple(_kernel_slug(folder, request.tag) for folder in (SUBMIT, WHEELS) if metadata_path(folder).is_file())


def _kernel_status(request: Request, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> None:
    kaggle = signed_in()
    slug = _kernel_slug(SUBMIT if request.kernel == "submit" else WHEELS, request.tag)
    if request.wait:
        await_kernel(kaggle, clock, slug, request.wait, say)
    version, status, reason = run_status(kaggle, clock, slug)
    sentence = f"{kaggle.owner}/{slug} version {version}: {status}{': ' + reason if reason else ''}"
    if status in FAILED:
        raise Refused(f"{sentence}: {why_it_failed(kaggle, slug, version)}")
    say(sentence)


def _kernel_logs(request: Request, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> None:
    kaggle, slug = signed_in(), _kernel_slug(SUBMIT if request.kernel == "submit" else WHEELS, request.tag)
    version = pushed_kernel(slug, kaggle.owner).version
    log = run_log(kaggle, slug, version)
    if not log:
        status, _ = kernel_status(kaggle, slug, version)
        raise Refused(f"Kaggle has no log of {slug} version {version} yet; its run is {status}")
    say(log.rstrip("\n"))


def _submit(request: Request, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> None:
    kaggle, slug = signed_in(), _kernel_slug(SUBMIT, request.tag)
    receipt = pushed_kernel(slug, kaggle.owner)
    if request.iteration and receipt.tag != request.tag:
        raise ValueError(f"{slug} was pushed for {receipt.tag}, not for {request.tag}: just push-kernel iter=... first")
    if request.dry_run:
        dry_run_submission(kaggle, request.competition, slug, say)
        return
    say(submit(kaggle, request.competition, slug, request.wait, request.again, say))


def _kernel_slug(folder: Path, tag: str) -> str:
    path = metadata_path(folder)
    if not path.is_file():
        raise ValueError(f"{path} does not exist, so there is no kernel to ask about")
    return read_kernel_metadata(folder, tag).slug


def _release(request: Request, signed_in: Callable[[], Kaggle], clock: Clock, say: Callable) -> None:
    _models(request)  # a model that was never trained is said now, not when the wheels have run
    _check_competition(request)
    check_kernel(
        read_kernel_metadata(SUBMIT, request.tag), metadata_path(SUBMIT), internet=False, public=request.public
    )
    if request.dry_run:
        planned = _push_code(request, signed_in, clock, say)
        _push_wheels(request, signed_in, clock, say)
        planned |= _push_models(request, signed_in, clock, say)
        _push_kernel(request, signed_in, clock, say, planned)
        say(f"would wait for that run, and enter it into {request.competition}")
        return
    for step in (_push_code, _push_wheels, _push_models, _push_kernel, _submit):  # each skips what is done
        step(request, signed_in, clock, say)
