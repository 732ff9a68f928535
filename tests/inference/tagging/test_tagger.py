"""Guards tags: a batch changes none, an edit counts at once and after a restart, and probabilities add up."""

from dataclasses import replace

import numpy as np
import pytest

from inference.fusion.confidence import RowScores, absent_probability, candidate_probabilities
from inference.tagging.catalogue import Edit
from inference.tagging.tagger import open_tagger
from tests.inference.tagging.conftest import FIT, SAME, row_of


def test_probabilities_of_candidates_and_elsewhere_and_absence_add_up_to_one():
    # e^2 / (e^2 + e^0 + e^0), the last being elsewhere, and half of all is absent
    sure = candidate_probabilities(np.array([2.0, 0.0]), FIT, 0.5)
    assert sure == pytest.approx([0.5 * np.exp(2) / (np.exp(2) + 2), 0.5 / (np.exp(2) + 2)])


def test_absence_follows_the_features_and_the_share():
    # the weight of the best score is -1, the bias 0: sigmoid(-2) at a share of a half, a ninth of its odds at 0.1
    row = RowScores(np.array([2.0, 1.0]), np.array([0.5, 0.4]))
    assert absent_probability(row, FIT, 0.5) == pytest.approx(1 / (1 + np.exp(2)))
    assert absent_probability(row, FIT, 0.1) == pytest.approx(1 / (1 + 9 * np.exp(2)))


def test_a_batch_gives_each_row_what_it_gets_alone(models, misconceptions):
    rows = [row_of("2/5"), row_of("1/6"), row_of("0", subject="Decimals")]
    with open_tagger(models, misconceptions) as tagger:
        together = tagger.tag(rows, k=3)
        alone = [tagger.tag([row], k=3)[0] for row in rows]
    for one, other in zip(together, alone, strict=True):
        assert [tag.id for tag in one.tags] == [tag.id for tag in other.tags] and len(one.tags) == 3
        np.testing.assert_allclose([tag.score for tag in one.tags], [tag.score for tag in other.tags], atol=1e-5)
        assert one.absent + sum(tag.probability for tag in one.tags) < 1
        assert [tag.score for tag in one.tags] == sorted((tag.score for tag in one.tags), reverse=True)


def test_without_a_reranker_similarity_decides_and_without_a_confidence_nothing_is_said_to_be_likely(
    models, misconceptions
):
    with open_tagger(replace(models, reranker=None, confidence=None), misconceptions) as tagger:
        tagged = tagger.tag([row_of()], k=2)[0]
    assert (tagged.absent, tagged.in_catalogue, tagged.tags[0].probability) == (None, None, None)
    assert 1 >= tagged.tags[0].score >= tagged.tags[1].score


def test_an_edit_is_found_at_once_and_again_by_whoever_opens_the_file(models, misconceptions, tmp_path):
    models, row = replace(models, reranker=None), row_of()
    edits, vectors = tmp_path / "edits.jsonl", tmp_path / "vectors"
    with open_tagger(models, misconceptions, edits, vectors=vectors, writing=True) as tagger:
        assert tagger.add(SAME) == 51
        tagger.edit(Edit(edit="rename", id=10, text="Something else"))
        first = tagger.tag([row], k=3)[0]
        tagger.edit(Edit(edit="retire", id=first.tags[1].id))
        after = tagger.tag([row], k=3)[0]
    assert first.tags[0].id == after.tags[0].id == 51 and first.tags[1].id not in [tag.id for tag in after.tags]
    with open_tagger(models, misconceptions, edits, vectors=vectors) as tagger:
        assert tagger.tag([row], k=3)[0] == after and tagger.catalogue.next_id == 52


def test_a_row_without_an_answer_has_no_tags_and_costs_the_others_nothing(models, misconceptions):
    short = replace(
        models, serving=replace(models.serving, profile=models.serving.profile.model_copy(update={"max_tokens": 120}))
    )
    with open_tagger(short, misconceptions) as tagger:
        long, well = tagger.tag([row_of("9" * 90), row_of()], k=1)
    assert long.tags == () and len(well.tags) == 1


def test_asking_for_nothing_is_refused_or_empty(models, misconceptions):
    with open_tagger(replace(models, reranker=None), misconceptions) as tagger:
        assert tagger.tag([]) == []
        with pytest.raises(ValueError, match="k is 0"):
            tagger.tag([row_of()], k=0)
