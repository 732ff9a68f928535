"""Guards writer.py: what is the same for all rows stands first, and what is asked never holds the answer."""

import pytest
from tokenizers import processors

from inference.engines.tokenizer import load_tokenizer, writer_words
from shared.prompts.words import Words
from shared.prompts.writer import PROMPTS, ROW_KINDS, Sampling, description_prompt, row_prompt, solved_rows

WORDS = Words(lambda text: list(map(ord, text)), lambda text: list(map(ord, text)), head=(1,), tail=(2,))
ROW = {"subject": "S", "construct": "C", "question": "Q", "correct": "1", "wrong": "2", "misconception_id": 77_777}


def read(ids):
    return "".join(map(chr, ids))


@pytest.mark.parametrize("kind", ROW_KINDS)
def test_a_row_is_asked_about_behind_its_instruction_and_without_its_label(kind):
    said = read(row_prompt(WORDS, PROMPTS[kind], ROW))
    text = "Subject: S\nConstruct: C\nQuestion: Q\nCorrect answer: 1\nWrong answer: 2"
    assert said == f"\1{PROMPTS[kind].instruction}\n\n{text}\n\n{PROMPTS[kind].cue}\2"
    assert "77777" not in said and "isconception" not in PROMPTS[kind].instruction


def test_only_the_text_of_a_row_is_cut():
    long = row_prompt(WORDS, PROMPTS["short"], {**ROW, "question": "Q" * 2000})
    assert len(long) == len(row_prompt(WORDS, PROMPTS["short"], {**ROW, "question": ""})) + 512 - len(
        "Subject: S\nConstruct: C\nQuestion: \nCorrect answer: 1\nWrong answer: 2"
    )
    assert read(long).endswith(f"\n\n{PROMPTS['short'].cue}\2")


def test_solved_rows_stand_between_the_instruction_and_the_row_and_end_where_a_text_has_to():
    prompt = PROMPTS["short"]
    solved = solved_rows(WORDS, prompt, [("Question: 1+1", "Adds."), ("R" * 600, "T" * 100)])
    first, second = f"Question: 1+1\n\n{prompt.cue} Adds.", f"{'R' * 512}\n\n{prompt.cue} {'T' * 96}"
    assert read(solved) == f"{first}\n\n###\n\n{second}\n\n###\n\n"
    plain, shown = read(row_prompt(WORDS, prompt, ROW)), read(row_prompt(WORDS, prompt, ROW, solved))
    assert shown == plain.replace("Subject: S", f"{read(solved)}Subject: S")


def test_a_description_is_asked_for_with_other_names_to_tell_it_from():
    prompt = PROMPTS["description"]
    said = read(description_prompt(WORDS, prompt, "Adds across", ["Adds", "Halves"]))
    assert (
        said == f"\1{prompt.instruction}\n\nMisconception: Adds across\n\nOthers:\n- Adds\n- Halves\n\n{prompt.cue}\2"
    )
    alone = read(description_prompt(WORDS, prompt, "Adds across", []))
    assert alone == f"\1{prompt.instruction}\n\nMisconception: Adds across\n\n{prompt.cue}\2"


def test_texts_are_greedy_and_as_long_as_is_said():
    sampling = {kind: prompt.sampling for kind, prompt in PROMPTS.items()}
    assert (sampling["short"].max_tokens, sampling["cot"].max_tokens) == (96, 512)
    assert all(one.greedy and "###" in one.stop for one in sampling.values())
    assert Sampling(1, temperature=0.0099).greedy and not Sampling(1, temperature=0.01).greedy


def test_a_chat_template_frames_what_is_asked_and_text_in_it_is_no_special_token(tiny_causal):
    tokenizer = load_tokenizer(tiny_causal)
    plain = writer_words(tokenizer)
    assert (plain.head, plain.tail) == ((tokenizer.bos_token_id,), ())
    tokenizer._tokenizer.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 3)])
    ending = writer_words(tokenizer)
    assert (ending.head, ending.tail) == ((), ())  # a model that reads its own end writes nothing
    tokenizer.chat_template = (
        "{% for message in messages %}{{ message.role + ': ' + message.content + '</s>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'answer:' }}{% endif %}"
    )
    words = writer_words(tokenizer)
    end = tokenizer.eos_token_id
    assert "".join(tokenizer.convert_ids_to_tokens(words.head)) == "user: "
    assert "".join(tokenizer.convert_ids_to_tokens(words.tail)) == "</s>answer:"
    assert end in words.tail and end not in words.encode("</s>")
    tokenizer.chat_template = "{{ 'nothing' }}"
    with pytest.raises(ValueError, match="leaves out what is asked"):
        writer_words(tokenizer)
