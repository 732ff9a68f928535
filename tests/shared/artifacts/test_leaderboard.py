"""Guards leaderboard.py: what submission.json holds is read as it was written; tests of runs guard what scores mean."""

import json

import pytest

from shared.artifacts.leaderboard import read_score, read_score_record, write_score

SUBMITTED = {
    "ref": 7,
    "kernel": "owner/malrule-submit",
    "version": 3,
    "digest": "d" * 64,
    "sources": {"malrule-code": {"version": 1, "digest": "c" * 64}},
    "models": {"merge_embedder": "e" * 64},
    "public_score": "0.481",
    "private_score": "",
    "time": "2027-01-15T08:00:00+00:00",
}


def test_a_record_that_submit_wrote_is_written_back_with_what_is_new_and_nothing_else(tmp_path):
    (tmp_path / "submission.json").write_text(json.dumps({**SUBMITTED, "colour": "blue"}), encoding="utf-8")
    assert read_score_record(tmp_path).record() == {**SUBMITTED, "colour": "blue"}
    write_score(tmp_path, time="now", public=None, private="0.47")
    text = (tmp_path / "submission.json").read_text(encoding="utf-8")
    expected = {**SUBMITTED, "models": {}, "private_score": "0.47", "time": "now", "colour": "blue"}
    assert text == json.dumps(expected, indent=1) + "\n"


def test_no_record_is_none_and_a_score_that_is_not_known_yet_is_too(tmp_path):
    assert read_score(tmp_path) is read_score_record(tmp_path) is None
    write_score(tmp_path, time="now", public="0.5", private=None)
    assert (read_score(tmp_path).public, read_score(tmp_path).private) == (0.5, None)


@pytest.mark.parametrize("text", ['{"public_score": "soon"}', "[]", "{", '{"models": null}', '{"version": "x"}'])
def test_a_file_of_another_kind_is_one_sentence(tmp_path, text):
    (tmp_path / "submission.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="submission.json holds no score: remove it and enter the score with"):
        read_score(tmp_path)
