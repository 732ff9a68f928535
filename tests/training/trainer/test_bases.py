"""Guards check.py of bases: what a base has no room for is named by its setting, before anything runs."""

import pytest

from shared.settings.load import load_settings
from training.trainer.bases.check import check_bases


def test_a_question_that_is_longer_than_the_base_has_positions_is_named_by_its_setting(tiny_bert):
    base = f"miner.base={tiny_bert}"
    check_bases(load_settings("demo0", [base, "miner.query_tokens=510"]))  # and [CLS] and [SEP]
    said = (
        r"miner.base=.*: .* has room for 512 tokens, and a prompt may have 1026: take 514 off miner.query_tokens, now"
    )
    with pytest.raises(ValueError, match=said):
        check_bases(load_settings("demo0", [base, "miner.query_tokens=1024"]))
