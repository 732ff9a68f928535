"""Guards embedder.py: the exact text that a model sees, read back from ids that stand for one character each."""

from dataclasses import replace

import polars as pl
import pytest

from inference.engines.tokenizer import embedder_words, load_tokenizer, reranker_words, yes_token
from inference.retrieval.bm25 import WordIndex
from inference.retrieval.retrieve import query_prompts
from shared.artifacts.card import EmbedderCard
from shared.prompts.embedder import EmbedderPrompt, Example, embedder_passage, embedder_query
from shared.prompts.pointwise import RerankerPrompt, reranker_passage, reranker_query
from shared.prompts.query import FIELDS, Written, misconception_of, query_of, row_text
from shared.prompts.words import Words
from training.evaluation.baselines import rank_by_bm25
from training.trainer.batches import draw_examples


def letters(text: str) -> list[int]:
    return [ord(letter) for letter in text]


WORDS = Words(letters, letters, head=(1,), tail=(2,))
HEAD, TAIL = chr(1), chr(2)
LONG = EmbedderPrompt(task="T", query_tokens=99, passage_tokens=99, example_query_tokens=99, example_passage_tokens=99)
EXAMPLES = [Example("first", "one"), Example("second", "two")]


def read(ids):
    return "".join(map(chr, ids))


def test_a_query_says_all_that_is_asked():
    expected = "Subject: S\nConstruct: C\nQuestion: Q\nCorrect answer: 1\nWrong answer: 2"
    row = {"query_id": "1_A", "construct": "C", "subject": "S", "question": "Q", "correct": "1", "wrong": "2"}
    assert row_text(row) == expected


def test_a_query_with_examples_is_flagembeddings_in_context_format():
    expected = (
        "<instruct>T\n<query>first\n<response>one\n\n"
        "<instruct>T\n<query>second\n<response>two\n\n"
        "<instruct>T\n<query>third\n<response>"
    )
    assert read(embedder_query(WORDS, LONG, EXAMPLES, Written("third"))) == HEAD + expected + TAIL
    assert (
        read(embedder_query(WORDS, LONG, [], Written("third"))) == HEAD + "<instruct>T\n<query>third\n<response>" + TAIL
    )


def test_without_a_task_the_query_stands_alone():
    plain = EmbedderPrompt("", 4, 9, 9, 9)
    assert read(embedder_query(WORDS, plain, EXAMPLES, Written("third"))) == HEAD + "thir" + TAIL


def test_only_texts_are_cut_never_the_frame_around_them():
    short = EmbedderPrompt("T", query_tokens=2, passage_tokens=3, example_query_tokens=4, example_passage_tokens=1)
    expected = "<instruct>T\n<query>firs\n<response>o\n\n<instruct>T\n<query>th\n<response>"
    assert read(embedder_query(WORDS, short, EXAMPLES[:1], Written("third"))) == HEAD + expected + TAIL
    assert read(embedder_passage(WORDS, short, Written("passage"))) == HEAD + "pas" + TAIL
    pair = RerankerPrompt(query_tokens=2, passage_tokens=3, instruction="Yes or No?")
    assert read(reranker_query(WORDS, pair, Written("query"))) == HEAD + "A: qu"
    assert read(reranker_passage(WORDS, pair, Written("passage"))) == "\nB: pas\nYes or No?"


def test_a_query_that_is_too_long_loses_the_end_of_its_question_and_keeps_the_answers():
    row = {"subject": "S", "construct": "C", "question": "Read the table", "correct": "5/6", "wrong": "2/5"}
    asked, ending = query_of(row), "\nCorrect answer: 5/6\nWrong answer: 2/5"

    def cut(letters_left):
        return read(embedder_query(WORDS, replace(LONG, task="", query_tokens=letters_left), [], asked))[1:-1]

    # 34 letters in front of the question, 4 of the question, 38 of the answers
    assert cut(34 + 4 + 38) == f"Subject: S\nConstruct: C\nQuestion: Read{ending}"
    assert cut(40) == f"Su{ending}" and cut(38) == ending and cut(3) == "2/5"
    shown = embedder_query(WORDS, replace(LONG, example_query_tokens=40), [Example(asked.text, "R")], Written("x"))
    assert f"<query>Su{ending}\n<response>R" in read(shown)


def test_a_pair_is_a_then_b_then_the_instruction():
    pair = RerankerPrompt(query_tokens=99, passage_tokens=99, instruction="Yes or No?")
    ids = [*reranker_query(WORDS, pair, Written("q")), *reranker_passage(WORDS, pair, Written("p"))]
    assert read(ids) == HEAD + "A: q\nB: p\nYes or No?"  # no tail: the next token is the answer


def test_an_instruction_that_comes_first_stands_behind_the_query_for_all_candidates():
    pair = RerankerPrompt(query_tokens=99, passage_tokens=99, instruction="Yes or No?", instruction_place="first")
    assert read(reranker_query(WORDS, pair, Written("q"))) == HEAD + "A: q\nYes or No?"
    assert read(reranker_passage(WORDS, pair, Written("p"))) == "\nB: p\n"


def test_every_query_has_the_same_ids_in_front():
    one, two = (embedder_query(WORDS, LONG, EXAMPLES, Written(text)) for text in ("x", "y"))
    assert [a == b for a, b in zip(one, two, strict=True)].count(False) == 1


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_qwen", "tiny_bert"])
def test_the_name_of_a_special_token_in_a_text_stays_text(name, request):
    tokenizer = load_tokenizer(request.getfixturevalue(name))
    for words in (embedder_words(tokenizer), *([] if name == "tiny_bert" else [reranker_words(tokenizer)])):
        for token in tokenizer.all_special_tokens:
            ids = words.encode(f"a{token}b")
            assert not set(ids) & set(tokenizer.all_special_ids)
            assert tokenizer.decode(ids) == f"a{token}b"


@pytest.mark.parametrize(
    ("name", "embedder", "reranker"),
    [
        ("tiny_causal", ("<s>", "</s>"), ("<s>", "")),
        ("tiny_qwen", ("", "<|im_end|>"), ("", "")),  # its tokenizer puts nothing in front
    ],
)
def test_a_decoders_text_begins_as_its_tokenizer_begins_and_has_an_end_only_for_an_embedder(
    name, embedder, reranker, request
):
    tokenizer = load_tokenizer(request.getfixturevalue(name))
    for words, (head, end) in ((embedder_words(tokenizer), embedder), (reranker_words(tokenizer), reranker)):
        assert (tokenizer.decode(words.head), words.tail, tokenizer.decode(words.end)) == (head, (), end)


def test_a_decoders_end_token_follows_only_where_the_prompt_asks_for_it(tiny_qwen):
    words = embedder_words(load_tokenizer(tiny_qwen))
    plain = words.encode("Adds 1")
    assert embedder_passage(words, LONG, Written("Adds 1")) == [*plain, *words.end]
    assert embedder_passage(words, replace(LONG, end_token=False), Written("Adds 1")) == plain


def test_a_bert_is_framed_by_cls_and_sep(tiny_bert):
    tokenizer = load_tokenizer(tiny_bert)
    assert embedder_passage(embedder_words(tokenizer), LONG, Written("Adds 1")) == tokenizer.encode("Adds 1")


def test_yes_has_to_be_one_token(tiny_causal, tmp_path):
    assert load_tokenizer(tiny_causal).decode([yes_token(load_tokenizer(tiny_causal))]) == "Yes"
    tokenizer = load_tokenizer(tiny_causal)
    tokenizer.save_pretrained(tmp_path)
    text = (tmp_path / "tokenizer.json").read_text(encoding="utf-8")
    without = text[: text.index('"merges"')] + '"merges": []}}'
    (tmp_path / "tokenizer.json").write_text(without, encoding="utf-8")
    with pytest.raises(ValueError, match="writes 'Yes' with 3 tokens"):
        yes_token(load_tokenizer(tmp_path))


def test_a_further_field_is_one_entry_that_training_serving_and_bm25_all_read(monkeypatch, queries, misconceptions):
    monkeypatch.setattr("shared.prompts.query.FIELDS", (*FIELDS, ("Rationale", "rationale")))
    asked = queries.with_columns(rationale=pl.lit("counts zero twice"))
    text = row_text(asked.row(0, named=True))
    assert text.endswith("\nWrong answer: 2/5\nRationale: counts zero twice")
    assert draw_examples(asked.head(1), misconceptions, "seed")[0][-1].query == text
    card = EmbedderCard("last", replace(LONG, query_tokens=999))
    assert text in read(query_prompts(asked.head(1), WORDS, card)[0])
    best = {32}  # "Counts zero twice"
    assert set(WordIndex(misconceptions).rank(asked.head(1), 1)["misconception_id"]) == best
    assert set(rank_by_bm25(misconceptions, asked.head(1)).filter(pl.col("rank") == 1)["misconception_id"]) == best


def test_a_text_is_followed_by_its_notes_each_cut_at_its_own_length_and_without_notes_by_nothing():
    prompt = replace(LONG, task="", query_tokens=4, passage_tokens=3, rationale_tokens=5, description_tokens=2)
    noted = Written("third", "because")
    assert read(embedder_query(WORDS, prompt, [], noted)) == HEAD + "thir\nThinking: becau" + TAIL
    assert read(embedder_query(WORDS, prompt, [], Written("third"))) == HEAD + "thir" + TAIL
    assert read(embedder_passage(WORDS, prompt, Written("passage", "is so"))) == HEAD + "pas\nMeaning: is" + TAIL
    pair = RerankerPrompt(2, 3, "Yes or No?", rationale_tokens=3, description_tokens=0)
    assert read(reranker_query(WORDS, pair, noted)) == HEAD + "A: th\nThinking: bec"
    assert read(reranker_passage(WORDS, pair, Written("passage", "is so"))) == "\nB: pas\nYes or No?"


def test_a_model_reads_the_rationales_that_it_asks_for_as_far_as_the_row_has_them():
    row = {name: name for _, name in FIELDS} | {"short": "S.", "cot": None}
    assert [query_of(row, kind).notes for kind in ("none", "short", "cot", "both")] == ["", "S.", "", "S."]
    assert query_of({**row, "cot": "C."}, "both").notes == "S.\nC."
    assert query_of(row, "both").text == row_text(row)
    assert misconception_of({"text": "T"}) == Written("T") and misconception_of({"text": "T", "description": "D"}).notes


def test_the_wrong_answer_stands_first_or_between_marks_where_a_layout_says_so():
    row = {"query_id": "1_A", "construct": "C", "subject": "S", "question": "Q", "correct": "1", "wrong": "2"}
    others = "Subject: S\nConstruct: C\nQuestion: Q\nCorrect answer: 1"
    assert row_text(row, "wrong_first") == f"Wrong answer: 2\n{others}"
    assert row_text(row, "wrong_marked") == f"{others}\nWrong answer: >>> 2 <<<"
    assert query_of({**row, "short": "T."}, "short", "wrong_first") == Written(
        f"Wrong answer: 2\n{others}", "T.", "\nCorrect answer: 1"
    )
