"""Makes tokenizers that put a model's frame around a text or a pair by themselves, as shared/prompts does by hand.

Other programs give a tokenizer whole strings. So that the ids are ours all the same, the words of a pair's frame stand
in the tokenizer's post-processor, as ids; and the words in front of and behind a single text, which others write into
the string, are cut off from it before it is tokenised.
"""

import re
from collections.abc import Sequence

from tokenizers import Regex, pre_tokenizers, processors
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from shared.prompts.words import Words

BEFORE, BETWEEN, BEHIND = "<before>", "<between>", "<behind>"  # names; they stand for several ids


def framing_pairs(
    tokenizer: PreTrainedTokenizerBase, before: list[int], between: list[int], behind: list[int]
) -> PreTrainedTokenizerFast:
    """A copy of `tokenizer` that reads the pair (A, B) as the ids `before`, A, `between`, B, `behind`.

    A text alone gets no frame. A special token inside a text is text.
    """
    parts = {BEFORE: before, BETWEEN: between, BEHIND: behind}
    specials = [
        {"id": name, "ids": ids, "tokens": tokenizer.convert_ids_to_tokens(ids)} for name, ids in parts.items() if ids
    ]
    pair = "".join(f"{name}:0 " for name in (BEFORE, "$A", BETWEEN, "$B", BEHIND) if name[0] == "$" or parts[name])
    frame = processors.TemplateProcessing(single="$A:0", pair=pair.strip(), special_tokens=specials)
    return _copy(tokenizer, frame, None, split_special=True)


def framing_texts(tokenizer: PreTrainedTokenizerBase, words: Words, tail: Sequence[int], frames: Sequence[str]):
    """A copy of `tokenizer` that puts `words.head` and `tail` around a text, and reads `frames` inside it apart.

    `frames` are literal strings, or patterns that begin with "(?"; every one is tokenised by itself.
    """
    head = list(words.head)
    specials = [
        {"id": name, "ids": list(ids), "tokens": tokenizer.convert_ids_to_tokens(list(ids))}
        for name, ids in ((BEFORE, head), (BEHIND, tail))
        if ids
    ]
    single = " ".join([*([f"{BEFORE}:0"] if head else []), "$A:0", *([f"{BEHIND}:0"] if tail else [])])
    frame = processors.TemplateProcessing(single=single, pair=f"{single} $B:0", special_tokens=specials)
    literal = all(words.frame(text) == words.encode(text) for text in frames)  # none holds a special token
    pattern = "|".join(text if text.startswith("(?") else re.escape(text) for text in frames)
    return _copy(tokenizer, frame, pattern, split_special=literal)


def _copy(
    tokenizer: PreTrainedTokenizerBase, frame: processors.PostProcessor, pattern: str | None, *, split_special: bool
) -> PreTrainedTokenizerFast:
    backend = type(tokenizer.backend_tokenizer).from_str(tokenizer.backend_tokenizer.to_str())
    backend.post_processor = frame
    backend.no_padding()
    backend.no_truncation()
    if pattern:
        apart = pre_tokenizers.Split(Regex(pattern), "isolated")
        own = backend.pre_tokenizer
        backend.pre_tokenizer = apart if own is None else pre_tokenizers.Sequence([apart, own])
    named = {name: str(token) for name, token in tokenizer.special_tokens_map.items() if isinstance(token, str)}
    if "pad_token" not in named:  # of a batch: what stands there is masked
        named["pad_token"] = named.get("eos_token") or tokenizer.convert_ids_to_tokens(0)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        padding_side="right",
        truncation_side="right",
        clean_up_tokenization_spaces=False,
        split_special_tokens=split_special,
        model_input_names=["input_ids", "attention_mask"],
        **named,
    )
