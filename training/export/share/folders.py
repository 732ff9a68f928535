"""Writes a merged model as a folder for sentence-transformers and `vllm serve`, and says what that cannot express."""

import re
import shutil
from pathlib import Path

from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from inference.engines.checks.files import read_config
from inference.engines.tokenizer import embedder_words, load_tokenizer, reranker_words
from shared.artifacts.card import POINTWISE, EmbedderCard, read_embedder_card, read_reranker_card
from shared.artifacts.files import write_json
from shared.artifacts.json_files import read_json
from shared.artifacts.sentence_folder import read_sentence_folder, reads_two_texts
from shared.prompts.embedder import EmbedderPrompt, Example, Pooling, example_text, query_frame
from shared.prompts.pointwise import leads_with_space, pair_frame
from shared.prompts.words import MEANING, THINKING
from training.export.share.frames import framing_pairs, framing_texts

TOKENIZER = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "chat_template*")
OURS = ("card.json", "manifest.json", "*.parquet", "*.vectors", "calibration.json", ".*")  # of a merged model's folder
THEIRS = ("modules.json", "config_sentence_transformers.json", "sentence_*_config.json", "1_*", "2_*", "README.md")
POOLINGS = {"last": "pooling_mode_lasttoken", "mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token"}


def write_embedder_folder(model: Path, out: Path) -> list[str]:
    """Fill `out` with the merged embedder in `model`; returns what it cannot express, a sentence each.

    A query is its text in front of `behind_query`, encoded with the prompt called "query"; a passage its text, encoded
    with the one called "document".
    """
    card, own = read_embedder_card(model), load_tokenizer(model)
    words, prompt = embedder_words(own), card.prompt
    _copy_weights(model, out)
    before, behind = prompt_of_query(card, own), behind_query(prompt)
    tail = (*words.tail, *words.end) if prompt.end_token else words.tail
    tokenizer = framing_texts(own, words, tail, _frames(prompt, examples=bool(card.shown)))
    around = len(words.head) + len(tail)
    asked = len(words.encode(before)) + prompt.query_tokens + prompt.rationale_tokens + len(words.encode(behind))
    read = len(words.encode(prompt.passage_prefix)) + prompt.passage_tokens + prompt.description_tokens
    longest = around + max(asked, read)
    _save_tokenizer(tokenizer, longest, out)
    prompts = {"query": before, "document": prompt.passage_prefix}
    write_json(out / "config_sentence_transformers.json", {"prompts": prompts, "default_prompt_name": None})
    write_json(out / "sentence_bert_config.json", {"max_seq_length": longest, "do_lower_case": False})
    _write_modules(model, card.pooling, out)
    return _limits_of_embedder(card)


def write_reranker_folder(model: Path, out: Path) -> list[str]:
    """Fill `out` with the merged reranker in `model`; returns what it cannot express, a sentence each.

    Its tokenizer puts a pair (query, misconception) into the words of the prompt, so that the score of a pair, without
    an activation, is the logit of "Yes". Raises ValueError as check_pairs.
    """
    card = read_reranker_card(model)
    check_pairs(model)
    own = load_tokenizer(model)
    words, prompt = reranker_words(own), card.prompt
    _copy_weights(model, out)
    before, between, behind = pair_frame(words, prompt)
    space, config = leads_with_space(prompt), read_config(out)
    tokenizer = framing_pairs(own, (before, between, behind), marked=reads_two_texts(config), space=space)
    texts = prompt.query_tokens + prompt.rationale_tokens + prompt.passage_tokens + prompt.description_tokens
    longest = len(before) + len(between) + len(behind) + texts
    _save_tokenizer(tokenizer, longest, out)
    config["num_labels"] = 1
    if prompt.template != "pair":  # by which the last token of a pair is found
        config["pad_token_id"] = tokenizer.pad_token_id
    config["sentence_transformers"] = {"activation_fn": "torch.nn.modules.linear.Identity"}
    write_json(out / "config.json", config)
    said = [
        f"A query is cut at {prompt.query_tokens} tokens and a misconception at {prompt.passage_tokens} here; elsewhere"
        f" only the pair is cut, at {longest}. A request to vLLM can say max_tokens_per_query={prompt.query_tokens} and"
        f" max_tokens_per_doc={prompt.passage_tokens}."
    ]
    added = [token.content for token in own.added_tokens_decoder.values() if not token.special]
    if space and added:
        said.append(f"Behind a word like {added[0]} inside a text a space is read elsewhere, which is not read here.")
    return said


def check_pairs(model: Path) -> None:
    """Raise ValueError for a merged reranker of a kind that does not read pairs: no other program makes its prompts."""
    kind = read_reranker_card(model).kind
    if kind != POINTWISE:
        raise ValueError(
            f"{model} is a reranker of kind {kind}: only one that reads pairs can be exported, and role=embedder "
            "exports the embedder alone"
        )


def prompt_of_query(card: EmbedderCard, tokenizer: PreTrainedTokenizerBase) -> str:
    """What stands in front of the text of a query that is new: its in-context examples and its instruction."""
    if not card.prompt.task:
        return card.prompt.query_prefix
    lengths = card.prompt.example_query_tokens, card.prompt.example_passage_tokens
    shown = [
        Example(_cut(tokenizer, example.query, lengths[0]), _cut(tokenizer, example.response, lengths[1]))
        for _, _, example in card.examples[: card.shown]
    ]
    return "".join(example_text(card.prompt, example) for example in shown) + query_frame(card.prompt)[0]


def behind_query(prompt: EmbedderPrompt) -> str:
    """What stands behind the text of a query."""
    return query_frame(prompt)[1] if prompt.task else ""


def _frames(prompt: EmbedderPrompt, *, examples: bool) -> list[str]:
    frames = [*query_frame(prompt)] if prompt.task else []
    if prompt.task and examples:
        frames.insert(0, "(?:\n\n(?=" + re.escape(frames[0]) + "))")
    frames += [THINKING] if prompt.rationale_tokens else []
    return frames + ([MEANING] if prompt.description_tokens else [])


def _limits_of_embedder(card: EmbedderCard) -> list[str]:
    prompt = card.prompt
    said = [
        f"A query is cut at {prompt.query_tokens} tokens and a misconception at {prompt.passage_tokens} here; elsewhere"
        " only the whole text is cut, at its end: cut longer ones beforehand."
    ]
    if card.shown:
        said.append(
            "The prompt holds the examples that every new query gets; a query that is itself among the examples, or of"
            " the same question as one, would see its own answer, which cannot be expressed."
        )
    return said


def _cut(tokenizer: PreTrainedTokenizerBase, text: str, tokens: int) -> str:
    """The part of `text` that its first tokens stand for."""
    asked = {"add_special_tokens": False, "split_special_tokens": True, "return_offsets_mapping": True}
    places = tokenizer(text, **asked)["offset_mapping"]
    return text if len(places) <= tokens else text[: places[tokens - 1][1]]


def _copy_weights(model: Path, out: Path) -> None:
    left = shutil.ignore_patterns(*TOKENIZER, *OURS, *THEIRS, *read_sentence_folder(model).dense)
    shutil.copytree(model, out, dirs_exist_ok=True, ignore=left, copy_function=shutil.copyfile)


def _save_tokenizer(tokenizer: PreTrainedTokenizerFast, longest: int, out: Path) -> None:
    tokenizer.model_max_length = longest
    tokenizer.save_pretrained(out)
    config = out / "tokenizer_config.json"
    said = read_json(config, "export the model again")
    write_json(config, {**said, "tokenizer_class": "PreTrainedTokenizerFast"})  # transformers 4 knows no other name


def _write_modules(model: Path, pooling: Pooling, out: Path) -> None:
    """Say what becomes of the vectors of a text's tokens: pooling, the base's dense layers, and the normalisation."""
    dense, kinds = read_sentence_folder(model).dense, ["Transformer", "Pooling"]
    kinds += [*("Dense" for _ in dense), "Normalize"]
    paths = ["", *(f"{place}_{kind}" for place, kind in enumerate(kinds) if place)]
    modules = [
        {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for place, (path, kind) in enumerate(zip(paths, kinds, strict=True))
    ]
    write_json(out / "modules.json", modules)
    for path in (paths[1], paths[-1]):
        (out / path).mkdir()
    for own, path in zip(dense, paths[2:-1], strict=True):
        shutil.copytree(model / own, out / path, copy_function=shutil.copyfile)
    pooled = {name: mode == pooling for mode, name in POOLINGS.items()}
    width = {"word_embedding_dimension": read_config(model)["hidden_size"], "include_prompt": True}
    write_json(out / paths[1] / "config.json", {**width, **pooled})
