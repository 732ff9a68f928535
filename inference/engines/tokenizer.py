"""Opens a model folder's tokenizer as Words, the plain value that shared/prompts works with."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from inference.engines.checks.files import TOKENIZERS
from inference.engines.protocols import Answer
from shared.prompts.pointwise import YES, RerankerPrompt
from shared.prompts.words import Words

PLACE = "[what is asked]"  # in the user's turn of a chat template

# a text comes again and again: an example in front of many queries, a query in every epoch
_remembered = lru_cache(maxsize=2**16)


def load_tokenizer(folder: str | Path) -> PreTrainedTokenizerBase:
    """The fast tokenizer in `folder` or of the Hugging Face model `folder`; never runs code that came with it.

    Raises ValueError where there is none, or a damaged one.
    """
    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # of a dozen kinds, and some tell people to install what is there
        if not any(Path(folder, name).is_file() for name in TOKENIZERS):
            raise ValueError(f"{folder} holds no tokenizer: fetch or make the model again") from None
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{folder}: its tokenizer is damaged or unknown ({type(error).__name__}: {reason})") from None


def embedder_words(tokenizer: PreTrainedTokenizerBase) -> Words:
    """Words of an embedder, with the end token of a decoder: what its tokenizer appends, else its eos_token."""
    if tokenizer.cls_token_id is not None and tokenizer.sep_token_id is not None:
        return Words(_encoder(tokenizer), _framer(tokenizer), (tokenizer.cls_token_id,), (tokenizer.sep_token_id,))
    head, end = _frame(tokenizer)
    return Words(_encoder(tokenizer), _framer(tokenizer), head, (), end or _end(tokenizer))


def reranker_words(tokenizer: PreTrainedTokenizerBase) -> Words:
    """Words of a reranker: a decoder's prompt ends where the model is to say Yes, an encoder reads a framed pair."""
    between = ()
    head, tail = _frame(tokenizer)
    if tail:  # an encoder's, which reads pairs: a decoder's prompt ends where it answers
        one, two = (tokenizer.encode(text, add_special_tokens=False) for text in "ab")
        pair = tokenizer.encode("a", "b")
        framed = tuple(pair[: len(head)]) == head and tuple(pair[-len(tail) :]) == tail
        between = tuple(pair[len(head) + len(one) : -len(two) - len(tail)]) if framed else tail
    return Words(_encoder(tokenizer), _framer(tokenizer), head, tail, between=between)


def writer_words(tokenizer: PreTrainedTokenizerBase) -> Words:
    """Words of a writer: what it is asked stands in the user's turn where it has a chat template, else plainly.

    `end` is what the model writes behind its text. A model that thinks before it answers is told not to, where its
    template has a switch for that.
    """
    if not tokenizer.chat_template:
        return replace(reranker_words(tokenizer), tail=(), end=_end(tokenizer))
    frame = _framer(tokenizer)
    turn = [{"role": "user", "content": PLACE}]
    text = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True, enable_thinking=False)
    before, there, after = text.partition(PLACE)
    if not there:
        raise ValueError(f"the chat template of {tokenizer.name_or_path} leaves out what is asked: take another base")
    return Words(_encoder(tokenizer), frame, tuple(frame(before)), tuple(frame(after)), _end(tokenizer))


def yes_token(tokenizer: PreTrainedTokenizerBase, word: str = YES) -> int:
    """The id of "Yes", or another word. Raises ValueError for a vocabulary that needs several tokens for it."""
    ids = tokenizer.encode(word, add_special_tokens=False)
    if len(ids) != 1:
        raise ValueError(
            f"{tokenizer.name_or_path} writes {word!r} with {len(ids)} tokens, a reranker needs 1: take another base"
        )
    return ids[0]


def answer_of(tokenizer: PreTrainedTokenizerBase, prompt: RerankerPrompt) -> Answer:
    """Which logits of a language model's head are the score of a prompt."""
    yes = yes_token(tokenizer, prompt.yes)
    return (yes, yes_token(tokenizer, prompt.no)) if prompt.no else yes


def _encoder(tokenizer: PreTrainedTokenizerBase):
    # split_special_tokens: a "<|im_end|>" inside a question is text, not the end of the sequence
    return _remembered(lambda text: tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))


def _framer(tokenizer: PreTrainedTokenizerBase):
    return _remembered(lambda text: tokenizer.encode(text, add_special_tokens=False))


def _frame(tokenizer: PreTrainedTokenizerBase) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids that a tokenizer puts by itself in front of a text, and behind it."""
    bare, framed = tokenizer.encode("a", add_special_tokens=False), tokenizer.encode("a")
    for place in range(len(framed) - len(bare) + 1):
        if framed[place : place + len(bare)] == bare:
            return tuple(framed[:place]), tuple(framed[place + len(bare) :])
    raise ValueError(f"{tokenizer.name_or_path}: its tokenizer writes a text in another way when it frames it")


def _end(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    return () if tokenizer.eos_token_id is None else (tokenizer.eos_token_id,)
