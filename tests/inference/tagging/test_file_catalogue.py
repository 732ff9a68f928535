"""Guards the service of a task that a file defines: its own fields, and entries that are called by words."""

import asyncio
from dataclasses import replace

import httpx
import polars as pl
import pytest
from httpx import ASGITransport

from inference.tagging.catalogue import read_edits
from inference.tagging.service import make_app
from inference.tagging.tagger import open_tagger
from shared.task.current import about
from shared.task.files.catalogue import MADE, number_of
from shared.task.tables import FILE_MISCONCEPTIONS

ITEMS = {"77": "plain", "d/1": "rope", "Gerät:a b": "jar"}


@pytest.fixture
def entries() -> pl.DataFrame:
    rows = [(number_of(item), text, item) for item, text in ITEMS.items()]
    return pl.DataFrame(rows, schema=FILE_MISCONCEPTIONS.schema, orient="row")


def ask(tagger, act):
    async def inside():
        app = make_app(tagger)
        client = httpx.AsyncClient(transport=ASGITransport(app), base_url="http://here")
        async with app.router.lifespan_context(app), client:
            return await act(client)

    return asyncio.run(inside())


def test_rows_have_the_fields_of_the_task_and_entries_the_names_of_its_files(models, entries, tmp_path):
    async def act(client):
        found = (await client.post("/tag", json={"rows": [{"text": "a rope"}], "k": 9})).json()["rows"][0]["tags"]
        wrong = await client.post("/tag", json={"rows": [{"question": "a rope"}]})
        said = [
            await client.post("/catalogue", json={"text": "lamp"}),
            await client.post("/catalogue", json={"text": "bell", "id": "neu/ü"}),
            await client.put("/catalogue/d/1", json={"text": "a rope"}),
            await client.delete("/catalogue/Gerät:a b"),
            await client.delete("/catalogue/nobody"),
            await client.post("/catalogue", json={"text": "jar", "id": " 77"}),
            await client.put(f"/catalogue/{'x' * 3000}", json={"text": "a rope"}),
            await client.post("/catalogue", json={"text": "jar", "id": "Gerät:a b"}),
        ]
        best = (await client.post("/tag", json={"rows": [{"text": "a rope"}], "k": 1})).json()["rows"][0]["tags"][0]
        left = (await client.get("/catalogue")).json()["entries"]
        return found, wrong, said, best, left

    edits = tmp_path / "edits.jsonl"
    with about("beir"):
        with open_tagger(replace(models, reranker=None), entries, edits, writing=True) as tagger:
            found, wrong, said, best, left = ask(tagger, act)
        with open_tagger(replace(models, reranker=None), entries, edits) as tagger:
            again = {entry["item"]: entry["text"] for entry in tagger.catalogue.entries.to_dicts()}
    assert {tag["id"] for tag in found} == set(ITEMS) and wrong.json()["error"] == "rows.0.text: Field required"
    assert [answer.status_code for answer in said] == [201, 201, 200, 200, 404, 422, 404, 422]
    assert said[0].json()["id"] == "78"  # behind 77: numbers that are made of letters do not count
    assert "no id: it has to be visible" in said[5].json()["error"] and len(said[6].json()["error"]) < 200
    assert "had an entry Gerät:a b" in said[-1].json()["error"]
    assert best["id"] == "d/1" and best["text"] == "a rope"  # the words of the row are nearest to it
    assert {entry["id"]: entry["text"] for entry in left} == again
    assert again == {"77": "plain", "d/1": "a rope", "78": "lamp", "neu/ü": "bell"}
    assert [edit.item for edit in read_edits(edits)] == ["78", "neu/ü", "d/1", "Gerät:a b"]
    assert number_of("neu/ü") >= MADE
