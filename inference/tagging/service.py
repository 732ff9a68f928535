"""Serves a tagger over HTTP: rows are tagged in batches, the catalogue is edited, health and metrics can be asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Annotated

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model
from starlette.exceptions import HTTPException

from inference.tagging.batcher import Batcher, Overloaded
from inference.tagging.catalogue import MOST_TEXT, edit_of
from inference.tagging.middleware import LimitBody, Measure, Metrics
from inference.tagging.rows import check_texts, row_model
from inference.tagging.tagger import Tagger
from shared.task.csv_records import shorten
from shared.task.files.catalogue import number_of

MOST_K = 100
RETRY_SECONDS = 1
Id = Annotated[int, Field(ge=0, lt=2**62)]
Text = Annotated[str, Field(min_length=1, max_length=MOST_TEXT)]
STRICT = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True)
class Limits:
    """What a request, and all waiting ones, may ask; more is refused with 413 or 429."""

    body_bytes: int = 4 << 20
    rows: int = 256  # of a request
    batch_rows: int = 64  # computed together where a reranker reads 25 candidates of each
    searched_rows: int = 256  # computed together where none does: more texts fill an encoder's batches better
    waiting_rows: int = 20_000


class NewText(BaseModel):
    """What an entry says from now on."""

    model_config = STRICT
    text: Text


def make_app(tagger: Tagger, limits: Limits = Limits()) -> FastAPI:
    """The service of `tagger`. Every refusal is {"error": one sentence}."""
    metrics, together = Metrics(), limits.batch_rows if tagger.models.reranker else limits.searched_rows
    batcher = Batcher(tagger.tag, together, limits.waiting_rows, metrics.batches.observe)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        worker = asyncio.create_task(batcher.run())
        yield
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
        await run_in_threadpool(batcher.close)

    app = FastAPI(title="malrule tagging", lifespan=lifespan)
    app.add_middleware(LimitBody, most=limits.body_bytes)
    app.add_middleware(Measure, metrics=metrics)
    _add_refusals(app)
    _add_tagging(app, batcher, limits, metrics)
    _add_catalogue(app, tagger)

    @app.get("/health")
    async def health() -> dict:
        return {"status": "ok", "entries": len(tagger.catalogue.entries), "rows_waiting": batcher.waiting_rows}

    @app.get("/metrics", response_class=PlainTextResponse)
    async def show_metrics() -> PlainTextResponse:
        metrics.waiting.set(batcher.waiting_rows)
        metrics.entries.set(len(tagger.catalogue.entries))
        return PlainTextResponse(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return app


def _add_tagging(app: FastAPI, batcher: Batcher, limits: Limits, metrics: Metrics) -> None:
    Ask = create_model(
        "Ask",
        __config__=STRICT,
        __doc__="Rows to tag, and how many tags each gets.",
        rows=Annotated[list[row_model()], Field(min_length=1)],
        k=(Annotated[int, Field(ge=1, le=MOST_K)], 5),
    )

    @app.post("/tag")
    async def tag(ask: Ask) -> dict:
        """The best `k` entries of the catalogue for every row, in the rows' order."""
        if len(ask.rows) > limits.rows:
            raise HTTPException(413, f"{len(ask.rows)} rows are more than the {limits.rows} that a request may have")
        for place, row in enumerate(ask.rows):
            check_texts(row, f"rows.{place}")
        tagged = await batcher.tag(ask.rows, ask.k)
        metrics.rows.inc(len(tagged))
        metrics.absent.inc(sum(one.in_catalogue is False for one in tagged))
        return {"rows": [asdict(one) for one in tagged]}


def _add_catalogue(app: FastAPI, tagger: Tagger) -> None:
    """A catalogue from a task's own files calls its entries by words, the competition's by numbers."""
    named = tagger.catalogue.named
    kind = Annotated[str, Field(max_length=MOST_TEXT), AfterValidator(_visible)] if named else Id
    Entry = create_model(
        "Entry",
        __config__=STRICT,
        __doc__="A new entry; without an id it gets the next free number.",
        text=Text,
        id=(kind | None, None),
    )
    path, name = ("/catalogue/{id_:path}", str) if named else ("/catalogue/{id_}", int)

    @app.get("/catalogue")
    async def list_entries() -> dict:
        entries = tagger.catalogue.entries.sort("misconception_id")
        return {"entries": entries.select(id="item" if named else "misconception_id", text="text").to_dicts()}

    @app.post("/catalogue", status_code=201)
    def add(entry: Entry) -> dict:
        return {"id": tagger.add(entry.text, entry.id), "text": entry.text.strip()}

    @app.put(path)
    def rename(id_: name, entry: NewText) -> dict:
        tagger.edit(edit_of("rename", _known(tagger, id_), entry.text))
        return {"id": id_, "text": entry.text.strip()}

    @app.delete(path)
    def retire(id_: name) -> dict:
        tagger.edit(edit_of("retire", _known(tagger, id_)))
        return {"id": id_, "retired": True}


def _visible(name: str) -> str:
    if not name or name != name.strip():
        raise ValueError(f"{name!r} is no id: it has to be visible, without a space in front or behind")
    return name


def _known(tagger: Tagger, id_: int | str) -> int | str:
    """`id_`, which may be anything that a path can say. Raises 404 where no entry is called so."""
    number = number_of(id_) if isinstance(id_, str) else id_
    if not 0 <= number < 2**63 or not tagger.catalogue.has(number):
        raise HTTPException(404, f"the catalogue has no entry {shorten(str(id_))}")
    return id_


def _add_refusals(app: FastAPI) -> None:
    @app.exception_handler(RequestValidationError)
    async def wrong(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return _refusal(422, f"the body is no JSON ({first['msg']})")
        place = ".".join(str(part) for part in first["loc"] if part != "body")
        return _refusal(422, f"{place}: {first['msg']}" if place else f"the body: {first['msg']}")

    @app.exception_handler(ValueError)
    async def refused(_: Request, error: ValueError) -> JSONResponse:
        return _refusal(422, str(error))

    @app.exception_handler(HTTPException)
    async def not_served(_: Request, error: HTTPException) -> JSONResponse:
        return _refusal(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(Overloaded)
    async def overloaded(_: Request, error: Overloaded) -> JSONResponse:
        return _refusal(429, "too many rows wait already: send them again later", {"Retry-After": str(RETRY_SECONDS)})


def _refusal(status: int, sentence: str, headers: dict | None = None) -> JSONResponse:
    return JSONResponse({"error": sentence}, status, headers=dict(headers or {}))
