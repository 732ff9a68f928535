"""Guards the service: a bad request is a 4xx of one sentence, many are batched, and edits are served at once."""

import asyncio
import json
import threading
from dataclasses import replace

import httpx
import pytest
from httpx import ASGITransport

from inference.tagging.batcher import Batcher, Overloaded
from inference.tagging.service import Limits, make_app
from inference.tagging.tagger import Tagged, open_tagger
from tests.inference.tagging.conftest import SAME, row_of

ROW = {"subject": "Fractions", "construct": "Add", "question": "1/2 + 1/3 = ?", "correct": "5/6", "wrong": "2/5"}
SMALL = Limits(body_bytes=2000, rows=2, batch_rows=8, waiting_rows=100)


@pytest.fixture
def served(models, misconceptions):
    """Runs a coroutine function with a client of the service, over ASGI."""

    def run(act, limits=SMALL):
        async def inside(tagger):
            app = make_app(tagger, limits)
            client = httpx.AsyncClient(transport=ASGITransport(app), base_url="http://here")
            async with app.router.lifespan_context(app), client:
                return await act(client)

        with open_tagger(replace(models, reranker=None), misconceptions) as tagger:
            return asyncio.run(inside(tagger))

    return run


def test_rows_are_tagged_and_counted(served):
    async def act(client):
        said = (await client.post("/tag", json={"rows": [{**ROW, "id": "a"}, ROW], "k": 2})).json()
        return said, (await client.get("/health")).json(), (await client.get("/metrics")).text

    said, health, metrics = served(act)
    assert [row["id"] for row in said["rows"]] == ["a", ""]
    tags = said["rows"][0]["tags"]
    assert len(tags) == 2 and set(tags[0]) == {"id", "text", "score", "probability"}
    assert health == {"status": "ok", "entries": 12, "rows_waiting": 0}
    assert "malrule_rows_total 2.0" in metrics and 'malrule_requests_total{path="/tag",status="200"} 1.0' in metrics


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ("{", 422, "the body"),
        (json.dumps({"rows": []}), 422, "rows: "),
        (json.dumps({"rows": [{**ROW, "wrong": 3}]}), 422, "rows.0.wrong: Input should be a valid string"),
        (json.dumps({"rows": [{"subject": "x"}]}), 422, "rows.0.construct: Field required"),
        (json.dumps({"rows": [{**ROW, "wrong": " "}]}), 422, "rows.0, field wrong: the text is empty"),
        (json.dumps({"rows": [ROW], "k": 0}), 422, "k: "),
        (json.dumps({"rows": [ROW] * 3}), 413, "3 rows are more than the 2"),
        (json.dumps({"rows": [{**ROW, "wrong": "x" * 2000}]}), 413, "larger than 2000 bytes"),
    ],
)
def test_a_bad_request_is_one_sentence(served, body, status, sentence):
    async def act(client):
        return await client.post("/tag", content=body, headers={"Content-Type": "application/json"})

    answer = served(act)
    assert answer.status_code == status and sentence in answer.json()["error"]


def test_entries_are_added_renamed_and_retired_while_it_runs(served):
    async def act(client):
        made = await client.post("/catalogue", json={"text": SAME})
        found = (await client.post("/tag", json={"rows": [ROW], "k": 1})).json()["rows"][0]["tags"][0]
        renamed = await client.put("/catalogue/51", json={"text": "Other words"})
        retired = await client.delete("/catalogue/10")
        left = (await client.get("/catalogue")).json()["entries"]
        wrong = [
            await client.delete("/catalogue/10"),
            await client.post("/catalogue", json={"text": "x", "id": 10}),
            await client.post("/catalogue", json={"text": " "}),
            await client.get("/nowhere"),
            *[await client.delete(f"/catalogue/{id_}") for id_ in (-1, 2**63, 10**30)],
        ]
        return made, found, renamed, retired, left, wrong

    made, found, renamed, retired, left, wrong = served(act)
    assert (made.status_code, made.json()["id"], found["id"]) == (201, 51, 51)
    assert renamed.json() == {"id": 51, "text": "Other words"} and retired.json()["retired"]
    assert {"id": 51, "text": "Other words"} in left and 10 not in [entry["id"] for entry in left]
    assert [answer.status_code for answer in wrong] == [404, 422, 422, 404, 404, 404, 404]
    assert all("\n" not in answer.json()["error"] for answer in wrong)


def test_what_waits_is_computed_together_and_too_much_is_refused():
    async def act():
        go, seen = threading.Event(), []

        def compute(rows, k):
            go.wait(10)
            seen.append(len(rows))
            return [Tagged(row.id, (), None, None) for row in rows]

        batcher = Batcher(compute, most_rows=4, most_waiting=8)
        worker = asyncio.create_task(batcher.run())
        asked = [asyncio.create_task(batcher.tag([row_of(id="0")], 1))]
        await asyncio.sleep(0)
        while batcher.waiting_rows:  # until it is being computed
            await asyncio.sleep(0)
        asked += [asyncio.create_task(batcher.tag([row_of(id=str(place))], 1)) for place in range(1, 9)]
        while batcher.waiting_rows < 8:
            await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await batcher.tag([row_of()], 1)
        go.set()
        answers = await asyncio.gather(*asked)
        worker.cancel()
        batcher.close()
        return seen, [answer[0].id for answer in answers]

    seen, ids = asyncio.run(act())
    assert ids == [str(place) for place in range(9)] and sum(seen) == 9 and max(seen) == 4


def test_a_batch_begins_when_what_the_machine_has_is_read():
    async def act():
        seen = []

        def compute(rows, k):
            return [Tagged(row.id, (), None, None) for row in rows]

        async def arrive(place):
            for _ in range(2 * place):  # each takes two turns of the loop more than the one before
                await asyncio.sleep(0)
            await batcher.tag([row_of(id=str(place))], 1)

        batcher = Batcher(compute, most_rows=6, most_waiting=20, begun=seen.append)
        worker = asyncio.create_task(batcher.run())
        await asyncio.gather(*(arrive(place) for place in range(10)))
        worker.cancel()
        batcher.close()
        return seen

    assert asyncio.run(act()) == [6, 4]  # not [1, ...]: nothing was computed while requests came in


def test_an_edit_passes_all_rows_that_wait_and_they_find_it(models, misconceptions):
    limits, go, begun = Limits(searched_rows=2), threading.Event(), threading.Event()

    class Slow:  # a tagger whose first batch takes until `go`
        def __init__(self, tagger):
            self.tagger, self.models, self.add = tagger, tagger.models, tagger.add

        @property
        def catalogue(self):
            return self.tagger.catalogue

        def tag(self, rows, k):
            begun.set()
            assert go.wait(60)
            return self.tagger.tag(rows, k)

    async def act(client):
        asked = [asyncio.create_task(client.post("/tag", json={"rows": [ROW], "k": 1})) for _ in range(6)]
        while not begun.is_set():
            await asyncio.sleep(0.001)
        made = await asyncio.wait_for(client.post("/catalogue", json={"text": SAME}), 30)
        waiting = (await client.get("/health")).json()["rows_waiting"]
        go.set()
        answers = await asyncio.gather(*asked)
        return made.status_code, waiting, [answer.json()["rows"][0]["tags"][0]["id"] for answer in answers]

    async def inside(tagger):
        app = make_app(Slow(tagger), limits)
        client = httpx.AsyncClient(transport=ASGITransport(app), base_url="http://here")
        async with app.router.lifespan_context(app), client:
            return await act(client)

    with open_tagger(replace(models, reranker=None), misconceptions) as tagger:
        status, waiting, best = asyncio.run(inside(tagger))
    assert (status, waiting) == (201, 4)  # answered while two rows were computed and four waited
    assert best[2:] == [51] * 4  # the entry with the words of the row


def test_a_request_that_fails_does_not_fail_those_beside_it():
    async def act():
        def compute(rows, k):
            if any(row.id == "bad" for row in rows):
                raise RuntimeError("the engine died of it")
            return [Tagged(row.id, (), None, None) for row in rows]

        batcher = Batcher(compute, most_rows=8, most_waiting=8)
        asked = [asyncio.create_task(batcher.tag([row_of(id=id_)], 1)) for id_ in ("a", "bad", "b")]
        await asyncio.sleep(0)
        worker = asyncio.create_task(batcher.run())
        answers = await asyncio.gather(*asked, return_exceptions=True)
        worker.cancel()
        batcher.close()
        return answers

    first, failed, last = asyncio.run(act())
    assert (first[0].id, last[0].id) == ("a", "b") and isinstance(failed, RuntimeError)
