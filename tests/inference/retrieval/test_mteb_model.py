"""Guards mteb_model.py: MTEB gets the vectors that the embedder serves with, by its older and its newer interface."""

import numpy as np
import polars as pl

from inference.engines.serving import Serving
from inference.machine.profiles import load_profile
from inference.retrieval.mteb_model import MtebModel
from inference.retrieval.retrieve import retrieve
from shared.artifacts.card import read_embedder_card


def test_mteb_ranks_as_the_embedder_that_serves(models, queries, misconceptions):
    folder, serving = models / "e1", Serving("hf", load_profile("cpu"))
    asked = queries.filter(pl.col("fold") == "valid").head(2)
    found = retrieve(asked, misconceptions, folder, read_embedder_card(folder), serving, k=len(misconceptions))
    model = MtebModel(folder, serving)
    texts = misconceptions["text"].to_list()
    known = model.encode(texts)
    assert np.array_equal(known, model.encode([{"text": texts[:5]}, {"text": texts[5:]}], prompt_type="document"))
    assert known.dtype == np.float32 and np.allclose(np.linalg.norm(known, axis=1), 1, atol=1e-5)
    scores = model.similarity(known[:1], known)
    assert scores.shape == (1, len(texts)) and scores.argmax() in np.flatnonzero(np.isclose(scores[0], 1, atol=1e-5))
    ids = misconceptions["misconception_id"].to_list()
    served = found.filter(pl.col("query_id") == asked["query_id"][0])
    assert sorted(served["misconception_id"]) == sorted(ids)
    model.close()
