"""Guards low_bit.py of bases: what does not go with weights in 4 bits is named by its setting, before anything runs."""

import pytest

from shared.settings.load import load_settings
from tests.packed_models import make_packed
from training.trainer.bases.check import check_bases

SIZES = ["reranker.query_tokens=200"]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (["miner.weights=nf4"], "miner.weights=nf4: a model that is not trained is loaded as machine.profile says"),
        (
            ["embedder.weights=nf4", "machine.shard=true"],
            r"embedder.weights=nf4 .*, and machine.shard spreads one of 16",
        ),
        (["reranker.weights=packed", "train_reranker.fp8=true"], r"reranker.weights=packed .*train_reranker.fp8 in 8"),
        (["reranker.weights=nf4", "train_reranker.lora.dora=true"], "train_reranker.lora.dora=false"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(said, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_bases(load_settings("demo0", said))


def test_a_hosted_base_is_taken_as_packed_and_any_other_is_not(tiny_qwen, tmp_path):
    hosted = make_packed(tiny_qwen, tmp_path / "hosted", "gptq")
    packed = ["reranker.weights=packed", *SIZES]
    check_bases(load_settings("demo0", [f"reranker.base={hosted}", *packed]))
    check_bases(load_settings("demo0", [f"reranker.base={tiny_qwen}", "reranker.weights=nf4", *SIZES]))
    with pytest.raises(ValueError, match=r"is quantised \(gptq\): reranker.weights=packed takes it as it is"):
        check_bases(load_settings("demo0", [f"reranker.base={hosted}", *SIZES]))
    with pytest.raises(ValueError, match=r"is not quantised: reranker.weights=nf4 rounds it to 4 bits"):
        check_bases(load_settings("demo0", [f"reranker.base={tiny_qwen}", *packed]))


def test_only_decoders_lie_in_4_bits(tiny_bert):
    said = ["embedder.weights=nf4", "embedder.task=", "embedder.query_tokens=200"]
    with pytest.raises(ValueError, match=r"is a bert, and only decoders lie in 4 bits: embedder.weights=full"):
        check_bases(load_settings("demo0", [f"embedder.base={tiny_bert}", *said]))
