"""Guards write.py and store.py: no text is lost, none is written twice, and what changes is written anew."""

import resource
import signal
from contextlib import contextmanager
from dataclasses import replace

import pytest

from inference.engines.protocols import Generated
from inference.engines.tokenizer import load_tokenizer
from inference.engines.writers.open import WriterOpening
from inference.machine.profiles import Profile
from inference.writing.requests import (
    description_requests,
    openable_writer,
    revision_of,
    row_requests,
    words_of_writer,
)
from inference.writing.store import FILE, open_store
from inference.writing.write import OpenableWriter, Request, cut_slices, write_texts
from shared.prompts.writer import Sampling
from shared.task.tables import TEXTS
from tests.inference.writing.slow_writer import REQUESTS, kill_often

GREEDY = Sampling(96)
GOOD = "They add the denominators."


class Script:
    """Says what the script has for a prompt and whether it is greedy; remembers what it was asked."""

    def __init__(self, said):
        self.said, self.asked, self.opened = said, [], 0

    def generate(self, prompts, sampling, seeds=()):
        self.asked += [(prompt[0], sampling.greedy) for prompt in prompts]
        assert len(seeds) == len(prompts) and all(seeds) != sampling.greedy
        return [Generated(self.said(prompt[0], sampling.greedy), 7, "stop") for prompt in prompts]

    @contextmanager
    def open(self):
        self.opened += 1
        yield self

    def writer(self, revision="1"):
        return OpenableWriter("script", revision, self.open)


def ask(*prompts, kind="short", sampling=GREEDY):
    return [Request(kind, f"{prompt}_A", (prompt,), sampling, "train") for prompt in prompts]


def test_what_is_there_is_not_written_again_and_needs_no_model(tmp_path):
    script = Script(lambda prompt, greedy: f"They think {prompt}.")
    first = write_texts(ask(3, 1, 2), script.writer(), tmp_path)
    assert first["key"].to_list() == ["3_A", "1_A", "2_A"]
    assert first["clean"].to_list() == ["They think 3.", "They think 1.", "They think 2."]
    TEXTS.check(first, "first")
    assert write_texts(ask(3, 1, 2), script.writer(), tmp_path).equals(first)
    assert script.opened == 1
    assert write_texts(ask(2, 4), script.writer(), tmp_path)["key"].to_list() == ["2_A", "4_A"]
    assert [prompt for prompt, _ in script.asked] == [1, 2, 3, 4]
    assert write_texts([], script.writer(), tmp_path).is_empty()


def test_another_prompt_sampling_or_model_means_a_new_text_and_another_seed_only_where_something_is_drawn(tmp_path):
    script = Script(lambda prompt, greedy: GOOD)
    drawn = replace(GREEDY, temperature=0.5)
    write_texts(ask(1), script.writer(), tmp_path)
    write_texts([replace(ask(1)[0], prompt=(1, 1))], script.writer(), tmp_path)
    write_texts(ask(1), script.writer("2"), tmp_path)
    assert len(script.asked) == 3
    write_texts(ask(1), script.writer(), tmp_path, seed="another")
    assert len(script.asked) == 3
    for seed in ("0", "1", "0"):
        write_texts(ask(1, sampling=drawn), script.writer(), tmp_path, seed=seed)
    assert len(script.asked) == 5


def test_a_text_of_which_nothing_can_be_used_is_tried_once_more_and_is_empty_then(tmp_path):
    turned = f"{GOOD} 他们"
    said = {1: (GOOD, ""), 2: ("]###", GOOD), 3: ("", "###"), 4: (turned, ""), 5: (turned, f"No. {GOOD}")}
    script = Script(lambda prompt, greedy: said[prompt][not greedy])
    table = write_texts(ask(1, 2, 3, 4, 5), script.writer(), tmp_path)
    assert table["clean"].to_list() == [GOOD, GOOD, "", GOOD, f"No. {GOOD}"]
    assert table["finish_reason"].to_list() == ["stop", "stop", "failed", "stop", "stop"]
    assert table["flags"].to_list() == ["", "", "empty", "cjk", ""]
    assert script.asked == [*[(n, True) for n in (1, 2, 3, 4, 5)], *[(n, False) for n in (2, 3, 4, 5)]]
    assert write_texts(ask(1, 2, 3, 4, 5), script.writer(), tmp_path).equals(table)
    assert len(script.asked) == 9


def test_a_torn_last_line_is_written_again_and_a_damaged_one_is_named(tmp_path):
    script = Script(lambda prompt, greedy: f"They think {prompt}.")
    whole = write_texts(ask(1, 2, 3), script.writer(), tmp_path).drop("seconds")
    lines = tmp_path / FILE
    content = lines.read_bytes()
    for missing in (1, 30, len(content.splitlines(keepends=True)[-1]) - 1):
        lines.write_bytes(content[:-missing])
        assert write_texts(ask(1, 2, 3), script.writer(), tmp_path).drop("seconds").equals(whole)
    assert [prompt for prompt, _ in script.asked] == [1, 2, 3, 3, 3, 3]
    lines.write_bytes(content.replace(b"They think 2", b"They think 5"))
    with pytest.raises(ValueError, match=r"texts.jsonl, line 2 is damaged: delete that line"):
        write_texts(ask(1), script.writer(), tmp_path)


def test_a_full_disk_is_told_in_a_sentence_and_leaves_no_half_line(tmp_path):
    script = Script(lambda prompt, greedy: f"They think {prompt}.")
    write_texts(ask(1), script.writer(), tmp_path)
    before = (tmp_path / FILE).read_bytes()
    with open_store(tmp_path) as store:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, limits[1]))
        try:
            with pytest.raises(OSError, match=FILE):
                store.append([{"id": "a", "raw": "x" * 100}])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
        assert (tmp_path / FILE).read_bytes() == before
        store.append([{"id": "a", "raw": "x" * 100}])
    with open_store(tmp_path) as store:
        assert "a" in store and len(store.texts) == 2


def test_two_processes_do_not_write_to_one_store(tmp_path):
    with open_store(tmp_path), pytest.raises(ValueError, match="another process writes texts to"):
        write_texts(ask(1), Script(str).writer(), tmp_path)


def test_a_request_that_is_there_twice_is_refused(tmp_path):
    with pytest.raises(ValueError, match="the short text of 1_A is asked for twice"):
        write_texts(ask(1, 1), Script(str).writer(), tmp_path)


def test_a_writing_that_is_killed_again_and_again_loses_nothing_and_writes_nothing_twice(tmp_path):
    figures = kill_often(tmp_path, 4)
    assert figures["killed"] == 4 and figures["lost"] == figures["twice"] == 0
    assert figures["texts"] > len(REQUESTS)  # and the second attempts


def test_slices_last_as_long_as_the_pace_of_the_one_before_says():
    requests = [*ask(*range(1000)), *ask(*range(300), kind="cot", sampling=Sampling(512))]
    now, sizes = [0.0], []
    for part in cut_slices(requests, lambda: now[0], seconds=50.0):
        assert len({request.kind for request in part}) == 1
        sizes.append((part[0].kind, len(part)))
        now[0] += len(part) * (0.5 if part[0].kind == "short" else 0.25)
    # a chain of thought takes 0.25 s: 200 in 50 s; 64 + 200 + 36 of 300; a short text 0.5 s: 100
    assert sizes == [("cot", 64), ("cot", 200), ("cot", 36), ("short", 200), *[("short", 100)] * 8]


def test_prompts_hold_no_label_and_begin_alike(queries, tiny_causal):
    words = words_of_writer(tiny_causal)
    requests = row_requests(queries, words)
    other = row_requests(queries.with_columns(misconception_id=99), words)
    assert requests == other and len(requests) == 2 * len(queries)
    assert [request.kind for request in requests[:: len(queries)]] == ["short", "cot"]
    first, second = requests[0].prompt, requests[1].prompt  # two wrong options of a question: the end differs alone
    alike = next(place for place, pair in enumerate(zip(first, second, strict=False)) if pair[0] != pair[1])
    assert len(first) - alike < 40 < alike


def test_a_description_is_asked_for_with_the_three_nearest_other_names(misconceptions, tiny_causal):
    requests = description_requests(misconceptions, words_of_writer(tiny_causal))
    request = next(request for request in requests if request.key == "12")
    said = "".join(load_tokenizer(tiny_causal).convert_ids_to_tokens(request.prompt))  # a token is a character
    # 42 has the same words and is nothing to be told from. "of" stands in 3 of 12 names, "multiplies" in 4: 41 is
    # before 21, and 21 with its 4 words before 11 with 6
    assert said.split("\n\n")[1:] == [
        "Misconception: Multiplies instead of adding",
        "Others:\n- Misplaces the point of a product\n- Adds before it multiplies\n- Multiplies when asked for a half",
        "What a student with this misconception believes:",
    ]


def test_a_real_model_writes_rows_of_the_table(queries, tiny_causal, tmp_path):
    profile = Profile(device="cpu", dtype="float32", batch_tokens=4096, max_tokens=1024)
    opening = WriterOpening("hf", tiny_causal, profile, 0)
    requests = [
        replace(request, sampling=Sampling(8)) for request in row_requests(queries[:3], words_of_writer(tiny_causal))
    ]
    table = write_texts(requests, openable_writer(requests, opening), tmp_path)
    TEXTS.check(table, "texts")
    assert table["revision"].unique().to_list() == [revision_of(opening)]
    assert set(table["model"]) == {tiny_causal.name} and not table["saw_label"].any()
