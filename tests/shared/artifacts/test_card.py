"""Guards card.py and profiles.py: what travels with a model or is said of a machine is read exactly."""

import json
from pathlib import Path

import pytest

from inference.machine.profiles import PROFILES, load_profile
from shared.artifacts.card import (
    EmbedderCard,
    RerankerCard,
    read_embedder_card,
    read_reranker_card,
    write_card,
)
from shared.prompts.embedder import EmbedderPrompt, Example
from shared.prompts.pointwise import RerankerPrompt

EMBEDDER = EmbedderCard(
    "mean", EmbedderPrompt("T", 1, 2, 3, 4), ((5, 6, Example("½ ×", "a\nb")), (7, 8, Example("", ""))), 1
)
RERANKER = RerankerCard(RerankerPrompt(9, 10, "Yes or No?"))
OLD_EMBEDDER = """{
 "pooling": "mean",
 "prompt": {
  "task": "T",
  "query_tokens": 1,
  "passage_tokens": 2,
  "example_query_tokens": 3,
  "example_passage_tokens": 4,
  "end_token": true
 },
 "examples": [
  [
   5,
   6,
   {
    "query": "½ ×",
    "response": "a\\nb"
   }
  ],
  [
   7,
   8,
   {
    "query": "",
    "response": ""
   }
  ]
 ],
 "shown": 1
}
"""
OLD_RERANKER = """{
 "prompt": {
  "query_tokens": 9,
  "passage_tokens": 10,
  "instruction": "Yes or No?",
  "instruction_place": "last"
 }
}
"""
ROOT = Path(__file__).parents[3]


def test_a_card_comes_back_as_it_was_written(tmp_path):
    write_card(EMBEDDER, tmp_path)
    assert read_embedder_card(tmp_path) == EMBEDDER
    write_card(RERANKER, tmp_path)
    assert read_reranker_card(tmp_path) == RERANKER


def test_a_pointwise_card_names_no_kind_and_an_unknown_kind_is_answered_with_those_there_are(tmp_path):
    write_card(RERANKER, tmp_path)
    path = tmp_path / "card.json"
    assert list(json.loads(path.read_text(encoding="utf-8"))) == [
        "prompt"
    ]  # as it was before there were kinds: digests stay
    path.write_text('{"prompt": {}, "kind": "setwise"}', encoding="utf-8")
    with pytest.raises(ValueError, match="is no card of a reranker .* its kind is 'setwise'; there are: pointwise"):
        read_reranker_card(tmp_path)


def test_the_card_of_the_other_kind_and_no_card_are_refused(tmp_path):
    with pytest.raises(ValueError, match="is no merged reranker"):
        read_reranker_card(tmp_path)
    write_card(EMBEDDER, tmp_path)
    with pytest.raises(ValueError, match="holds the embedder, where the reranker is wanted: were the two swapped"):
        read_reranker_card(tmp_path)
    write_card(RERANKER, tmp_path)
    with pytest.raises(ValueError, match="holds the reranker, where the embedder is wanted"):
        read_embedder_card(tmp_path)


def test_a_card_has_the_bytes_of_those_that_older_versions_wrote(tmp_path):
    write_card(EMBEDDER, tmp_path)
    assert (tmp_path / "card.json").read_text(encoding="utf-8") == OLD_EMBEDDER
    write_card(RERANKER, tmp_path)
    assert (tmp_path / "card.json").read_text(encoding="utf-8") == OLD_RERANKER


def test_a_reranker_whose_card_names_no_kind_is_pointwise(tmp_path):
    (tmp_path / "card.json").write_text(OLD_RERANKER, encoding="utf-8")
    assert read_reranker_card(tmp_path).kind == "pointwise"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"query_tokens": 9', '"query_tokens": "9"', "prompt.query_tokens: Input should be a valid integer"),
        ('"query_tokens": 9,', "", "prompt.query_tokens: Field required"),
        ('"query_tokens"', '"tokens": 1, "query_tokens"', "prompt.tokens: Unexpected keyword argument"),
        ('"prompt"', '"colour": 1, "prompt"', "colour: Extra inputs are not permitted"),
        ('"last"', '"middle"', "prompt.instruction_place: Input should be 'last' or 'first'"),
        ("{", "", "the file: Invalid JSON: .*"),
    ],
)
def test_what_is_wrong_with_a_card_is_one_sentence(tmp_path, old, new, reason):
    (tmp_path / "card.json").write_text(OLD_RERANKER.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ValueError, match=f"card.json is no card of a reranker of this version: {reason}$") as error:
        read_reranker_card(tmp_path)
    assert "\n" not in str(error.value)


def test_artifacts_know_nothing_of_settings():
    for path in (ROOT / "shared" / "artifacts").glob("*.py"):
        assert "shared.settings" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize("name", ["cpu", "t4x2", "l4x4", "h100", "h200"])
def test_every_machine_has_a_profile(name):
    assert load_profile(name).device == ("cpu" if name == "cpu" else "cuda")


def test_an_unknown_machine_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match="there is no profile 'tpu' in profiles.toml; there are: cpu, .*t4x2"):
        load_profile("tpu")


def test_a_bad_value_of_a_profile_is_named(tmp_path, monkeypatch):
    path = tmp_path / "profiles.toml"
    path.write_text(
        PROFILES.read_text(encoding="utf-8").replace('dtype = "float16"', 'dtype = "half"'), encoding="utf-8"
    )
    monkeypatch.setattr("inference.machine.profiles.PROFILES", path)
    with pytest.raises(ValueError, match="profiles.toml: t4x2.dtype: "):
        load_profile("t4x2")


def test_a_layout_travels_with_the_model_and_is_not_written_where_it_is_the_plain_one(tmp_path):
    for layout, said in (("plain", False), ("wrong_first", True)):
        card = RerankerCard(RerankerPrompt(9, 10, "Yes or No?", layout=layout))
        write_card(card, tmp_path)
        assert read_reranker_card(tmp_path) == card
        assert ("layout" in (tmp_path / "card.json").read_text(encoding="utf-8")) == said
