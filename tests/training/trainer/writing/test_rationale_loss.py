"""Guards rationale_loss.py: gradients are those of rows apart, and no score moves where a rationale stands beside."""

from pathlib import Path

import polars as pl
import pytest
import torch
from torch.nn.functional import cross_entropy

from shared.settings.load import load_settings
from tests.training.tiny import make_reranker, randomise, reranker_settings, updates_of
from training.trainer.writing.rationale_loss import TARGET, with_targets

TEXTS = {"1_A": "Adds all.", "2_A": "Half is twice.", "4_B": "No minus.", "5_A": "Goes on."}  # of half of the rows


@pytest.fixture(scope="module")
def tables(queries, misconceptions):
    told = pl.col("query_id").replace_strict(TEXTS, default=None, return_dtype=pl.String)
    return queries.with_columns(told.alias(TARGET)), misconceptions


def gradients(tiny_qwen, tables, **changes):
    """(loss, gradients, scores of the pairs) of the first update, by our passes, and its objective."""
    settings = reranker_settings(label_smoothing=0.0, distill=0.0, batch=8, **changes)
    model, objective = make_reranker(tiny_qwen, tables, settings)
    randomise(model)
    [update] = updates_of(*tables, settings)
    loss = objective.accumulate(update, [list(range(len(update)))], lambda: None, "s")
    return loss, [one.grad.clone() for one in model.parameters() if one.requires_grad], (model, objective, update)


@pytest.mark.parametrize("share", [True, False])
def test_the_gradient_is_that_of_pairs_and_rationales_as_rows_of_their_own(tiny_qwen, tables, share):
    loss, packed, (model, objective, update) = gradients(tiny_qwen, tables, rationale_loss=0.5, share=share)
    model.zero_grad()
    total, told = 0.0, 0
    for group in update:
        query = objective._asked(group, "s")
        rows = [[*query, *objective.known[id_]] for id_ in group.misconception_ids]
        scores = torch.stack([model(torch.tensor([row])).logits[0, -1, objective.yes] for row in rows])
        part = cross_entropy(scores.unsqueeze(0), torch.tensor([0]))
        if target := objective.targets.get(group.query_id):
            logits = model(torch.tensor([[*query, *target.before, *target.text]])).logits[0]
            written = cross_entropy(logits[-len(target.text) - 1 : -1], torch.tensor(target.text))
            part, told = part + 0.5 * written, told + 1
        (part / len(update)).backward()
        total += part.item() / len(update)
    assert told == len(TEXTS) and loss == pytest.approx(total, rel=1e-9)
    apart = [one.grad for one in model.parameters() if one.requires_grad]
    for ours, theirs in zip(packed, apart, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-10)


def test_scores_are_the_same_beside_a_rationale_and_a_weight_of_0_changes_no_bit(tiny_qwen, tables):
    _, _, (_, objective, update) = gradients(tiny_qwen, tables, rationale_loss=1.0)
    rows = [
        [*objective._asked(group, "s"), *objective.known[id_]] for group in update for id_ in group.misconception_ids
    ]
    with torch.no_grad():
        beside, losses = objective._answer(update, rows, objective._written(update, "s", len(rows)))
        alone, nothing = objective._answer(update, rows, {})
    assert nothing is None and (losses > 0).sum() == len(TEXTS)
    torch.testing.assert_close(beside, alone, rtol=1e-9, atol=1e-9)
    off, plain = (gradients(tiny_qwen, part)[:2] for part in (tables, (tables[0].drop(TARGET), tables[1])))
    assert off[0] == plain[0] and all(torch.equal(a, b) for a, b in zip(off[1], plain[1], strict=True))


def test_targets_are_of_training_rows_from_a_file_or_what_explain_wrote(queries, tmp_path):
    settings = reranker_settings(rationale_loss=1.0)
    explained = queries.with_columns(short=pl.lit("S"), cot=pl.when(pl.col("question_id") == 1).then(pl.lit("C")))
    told = dict(with_targets(explained, settings, tmp_path).select("query_id", TARGET).iter_rows())
    assert (told["1_A"], told["2_A"], told["6_A"]) == ("S\nC", "S", None)  # 6 is held out
    file = "QuestionId_Answer,Rationale,Reasoning\n3_A,Left to right.,\n6_A,Seen.,\n"
    (tmp_path / "told.csv").write_text(file, encoding="utf-8")
    settings = reranker_settings(rationale_loss=1.0, rationale_file="told.csv")
    told = dict(with_targets(queries, settings, tmp_path).select("query_id", TARGET).iter_rows())
    assert {key for key, text in told.items() if text} == {"3_A"}
    with pytest.raises(ValueError, match="what explain wrote has no text about any training row"):
        with_targets(queries, reranker_settings(rationale_loss=1.0), tmp_path)
    assert with_targets(queries, reranker_settings(), Path("nowhere")) is queries


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ([], "train_reranker.rationale_loss: 1.0 needs rationales"),
        (
            ["explain.writer=replay", "reranker.rationale=short", "reranker.rationale_tokens=9"],
            "a reranker that reads the rationales of explain would copy them",
        ),
    ],
)
def test_a_loss_without_rationales_or_of_what_is_read_is_refused(more, sentence):
    with pytest.raises(ValueError, match=sentence):
        load_settings("demo0", ["train_reranker.rationale_loss=1.0", *more])
