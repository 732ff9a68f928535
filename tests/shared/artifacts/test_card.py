"""Guards card.py and profiles.py: what travels with a model or is said of a machine is read exactly."""

import json

import pytest

from inference.machine.profiles import PROFILES, load_profile
from shared.artifacts.card import (
    EmbedderCard,
    RerankerCard,
    new_reranker_card,
    read_embedder_card,
    read_reranker_card,
    write_card,
)
from shared.prompts.embedder import EmbedderPrompt, Example
from shared.prompts.pointwise import RerankerPrompt
from shared.settings.sections import Reranker

EMBEDDER = EmbedderCard(
    "mean", EmbedderPrompt("T", 1, 2, 3, 4), ((5, 6, Example("½ ×", "a\nb")), (7, 8, Example("", ""))), 1
)
RERANKER = RerankerCard(RerankerPrompt(9, 10, "Yes or No?"))


def test_a_card_comes_back_as_it_was_written(tmp_path):
    write_card(EMBEDDER, tmp_path)
    assert read_embedder_card(tmp_path) == EMBEDDER
    write_card(RERANKER, tmp_path)
    assert read_reranker_card(tmp_path) == RERANKER


def test_a_pointwise_card_names_no_kind_and_an_unknown_kind_is_answered_with_those_there_are(tmp_path):
    write_card(RERANKER, tmp_path)
    path = tmp_path / "card.json"
    assert list(json.loads(path.read_text())) == ["prompt"]  # as it was before there were kinds: digests stay
    path.write_text('{"prompt": {}, "kind": "setwise"}')
    with pytest.raises(ValueError, match="is no card of a reranker .* its kind is 'setwise'; there are: pointwise"):
        read_reranker_card(tmp_path)


def test_the_settings_of_a_reranker_make_its_card():
    section = Reranker(base="x", query_tokens=9, passage_tokens=10, instruction="Yes or No?")
    assert new_reranker_card(section) == RERANKER


def test_the_card_of_the_other_kind_and_no_card_are_refused(tmp_path):
    with pytest.raises(ValueError, match="is no merged reranker"):
        read_reranker_card(tmp_path)
    write_card(EMBEDDER, tmp_path)
    with pytest.raises(ValueError, match="is no card of a reranker"):
        read_reranker_card(tmp_path)
    write_card(RERANKER, tmp_path)
    with pytest.raises(ValueError, match="is no card of a embedder"):
        read_embedder_card(tmp_path)


@pytest.mark.parametrize("name", ["cpu", "t4x2", "l4x4", "h100", "h200"])
def test_every_machine_has_a_profile(name):
    assert load_profile(name).device == ("cpu" if name == "cpu" else "cuda")


def test_an_unknown_machine_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match="there is no profile 'tpu' in profiles.toml; there are: cpu, .*t4x2"):
        load_profile("tpu")


def test_a_bad_value_of_a_profile_is_named(tmp_path, monkeypatch):
    path = tmp_path / "profiles.toml"
    path.write_text(PROFILES.read_text().replace('dtype = "float16"', 'dtype = "half"'))
    monkeypatch.setattr("inference.machine.profiles.PROFILES", path)
    with pytest.raises(ValueError, match="profiles.toml: t4x2.dtype: "):
        load_profile("t4x2")
