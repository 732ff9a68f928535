"""Refuses base models that cannot be trained or mined with, by the setting that names them, before anything runs."""

from dataclasses import replace
from functools import cache
from pathlib import Path

from shared.prompts.kinds import ROLES
from shared.prompts.query import FIELDS
from shared.prompts.writer import CONTRASTED, PROMPTS, ROW_KINDS, description_prompt, row_prompt
from shared.settings.checks.kinds import LISTS
from shared.settings.sections import Embedder, Lora, Reranker, Settings, Writer
from training.run_folder.bases import form_of
from training.trainer.bases.low_bit import check_form, check_low_bit

READ_BY = {  # the stages that read what is made of a base, with the engine of their section
    "miner": ("mine_for_embedder",),
    "embedder": ("mine_for_reranker", "evaluate"),
    "reranker": ("evaluate",),
    "writer": (),
}


def check_bases(settings: Settings) -> None:
    """Raise ValueError for a base model that lies here and is not whole, or too short for its prompts.

    One that has yet to be made or fetched is passed over.
    """
    check_low_bit(settings)
    for name in ("miner", *ROLES, "writer"):
        section = getattr(settings, name)
        if section is not None and Path(section.base).is_dir():
            train = None if name == "miner" else getattr(settings, f"train_{name}")
            by_vllm = any(getattr(settings, stage).engine == "vllm" for stage in READ_BY[name])
            _check_once(name, section, Path(section.base).resolve(), train and train.lora, by_vllm)
    base = Path(settings.reranker.base)
    if settings.reranker.kind in LISTS and base.is_dir():
        _check_lists(settings.reranker, base.resolve(), settings.machine.profile)
    if settings.train_reranker.rationale_loss and base.is_dir() and form_of(base) != "language model":
        raise ValueError(
            f"train_reranker.rationale_loss: {settings.train_reranker.rationale_loss} has the reranker learn to write, "
            f"and {base} has no head to write with: set it to 0, or take a language model"
        )


@cache  # a chain asks before every stage
def _check_once(
    name: str, section: Embedder | Reranker | Writer, folder: Path, lora: Lora | None, by_vllm: bool
) -> None:
    """Raise ValueError unless `folder`, of the base, holds what the section called `name` asks of it."""
    from inference.engines.checks.lengths import check_length, check_vocabulary, positions_of
    from inference.engines.checks.model import check_model, load_config
    from inference.engines.checks.vllm_families import check_vllm
    from inference.engines.tokenizer import load_tokenizer
    from inference.engines.writers.check import check_writer

    try:
        config, tokenizer = load_config(folder), load_tokenizer(folder)
        if isinstance(section, Writer):
            check_writer(folder)
            check_vocabulary(folder, config, tokenizer)
            most, longest = positions_of(config), _longest_text(tokenizer)
            if most is not None and longest > most:
                raise ValueError(
                    f"{folder} reads {most} tokens, and a text with its prompt may have {longest}: take another writer"
                )
            return
        if by_vllm:
            check_vllm(folder, "retriever" if isinstance(section, Embedder) else "reranker")
        check_form(name, section, folder, config)
        kind = _class_of(section, folder, config)
        new_head = isinstance(section, Reranker) and form_of(folder) == "cross-encoder"
        unread = check_model(folder, kind, new_head=new_head)
        if isinstance(section, Embedder):
            _check_pooling(section, folder, config)
        if lora is not None:
            _check_targets(name, kind, config, lora, without_pooler=bool(unread) and not new_head)
        check_vocabulary(folder, config, tokenizer)
        longest = (_longest_pair if isinstance(section, Reranker) else _longest_query)(tokenizer, section, folder)
        lists = isinstance(section, Reranker) and section.kind in LISTS
        among = f", or off a list of {section.window}" if lists else ""
        check_length(folder, config, longest, f"{name}.query_tokens, now {section.query_tokens}{among}")
    except ValueError as error:
        raise ValueError(f"{name}.base={section.base}: {error}") from None


@cache
def _check_lists(section: Reranker, folder: Path, name: str) -> None:
    """Raise ValueError where a whole list is longer than what the profile called `name` reads: its prompts grow."""
    from inference.engines.tokenizer import load_tokenizer
    from inference.machine.profiles import load_profile

    most, longest = load_profile(name).max_tokens, _longest_pair(load_tokenizer(folder), section, folder)
    if longest > most:
        line = "listed_tokens" if section.kind == "listed" else "passage_tokens"
        raise ValueError(
            f"machine.profile {name} reads prompts of up to {most} tokens, and a list of {section.window} candidates "
            f"may take {longest}: lower reranker.window or reranker.{line}"
        )


def _class_of(section: Embedder | Reranker, folder: Path, config) -> type:
    """The class of transformers that the base is loaded with. Raises ValueError for one that cannot be a reranker."""
    from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification

    from inference.engines.checks.files import read_architecture, read_shapes
    from inference.engines.checks.heads import check_labels, check_yes, describe_classifier

    if isinstance(section, Embedder):
        return AutoModel
    form, named = form_of(folder), read_architecture(folder)
    if (form == "cross-encoder") != (section.template == "pair"):
        what = "an encoder, which reads pairs" if form == "cross-encoder" else "no encoder, and only these read pairs"
        raise ValueError(f'{folder} is {what}: set reranker.template to "{_template(form)}"')
    if form == "language model":
        check_yes(folder, config, read_shapes(folder))
        return AutoModelForCausalLM
    if named.endswith("ForSequenceClassification"):
        check_labels(folder, config)
    elif describe_classifier(config) is None:
        raise ValueError(
            f"{folder} is a {config.model_type}, which transformers has no classifier of: take another base"
        )
    return AutoModelForSequenceClassification


def _template(form: str) -> str:
    return "pair" if form == "cross-encoder" else "plain"


def _check_targets(name: str, kind: type, config, lora: Lora, *, without_pooler: bool) -> None:
    """Raise ValueError where what is to be adapted is not there; the names are asked of a model without numbers."""
    import torch

    from training.trainer.bases.targets import find_targets

    with torch.device("meta"):
        model = kind.from_config(config)
    if without_pooler:
        model.pooler = None
    try:
        find_targets(model, lora.targets)
    except ValueError as error:
        raise ValueError(f"train_{name}.{error}") from None


def _check_pooling(section: Embedder, folder: Path, config) -> None:
    """Raise ValueError for an encoder that is read at its last token, and for layers behind it that are not known."""
    import torch
    from transformers import AutoModel

    from inference.engines.transformers.families import is_decoder
    from training.run_folder.cards import new_embedder_card

    with torch.device("meta"):
        model = AutoModel.from_config(config)
    if new_embedder_card(section, folder).pooling == "last" and not is_decoder(model):
        raise ValueError(f'{folder} is an encoder, its last token is like any other: set pooling = "mean"')


def _longest_query(tokenizer, section: Embedder, folder: Path) -> int:
    from inference.engines.checks.lengths import longest_embedder_prompt
    from inference.engines.tokenizer import embedder_words
    from training.run_folder.cards import new_embedder_card

    prompt = new_embedder_card(section, folder).prompt
    return longest_embedder_prompt(embedder_words(tokenizer), prompt, section.examples)


def _longest_pair(tokenizer, section: Reranker, folder: Path) -> int:
    from inference.engines.checks.lengths import longest_reranker_prompt
    from inference.engines.tokenizer import reranker_words
    from inference.reranking.kinds import KINDS
    from training.run_folder.cards import new_reranker_card

    card = new_reranker_card(section)
    if form_of(folder) == "language model":
        KINDS[card.kind].token(tokenizer, card.prompt)  # refuses a vocabulary without a "Yes"
    return longest_reranker_prompt(reranker_words(tokenizer), card.prompt)


def _longest_text(tokenizer) -> int:
    """Tokens of the longest prompt of a writer together with the text that may follow."""
    from inference.engines.checks.lengths import ENDLESS
    from inference.engines.tokenizer import writer_words

    words = replace(writer_words(tokenizer), encode=lambda text: ENDLESS)
    row = {column: "" for _, column in FIELDS}
    rows = [len(row_prompt(words, PROMPTS[kind], row)) + PROMPTS[kind].sampling.max_tokens for kind in ROW_KINDS]
    prompt = PROMPTS["description"]
    return max(*rows, len(description_prompt(words, prompt, "", [""] * CONTRASTED)) + prompt.sampling.max_tokens)
