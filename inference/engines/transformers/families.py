"""Says how a model of each family computes attention here, so that its numbers are those of transformers' eager mode.

Every family named here was compared with it on tiny random models (tests/inference/engines/transformers). One that is
not named is computed as transformers does by default: right, but each prompt for itself, which is slower.
"""

from transformers import PretrainedConfig, PreTrainedModel

from inference.engines.distributed import rank
from inference.engines.transformers.attention import DENSE, PACKED, takes_forests

# Decoders that ask for their masks and their attention where ours are registered.
SHARES_PREFIXES = frozenset(
    [
        "apertus",
        "cohere",
        "cohere2",
        "ernie4_5",
        "exaone4",
        "gemma",
        "gemma2",
        "gemma3_text",
        "gemma4_text",
        "glm",
        "glm4",
        "gpt2",
        "gpt_neox",
        "gpt_oss",
        "granite",
        "hunyuan_v1_dense",
        "llama",
        "llama4_text",
        "ministral",
        "mistral",
        "mixtral",
        "modernbert-decoder",
        "nemotron",
        "olmo2",
        "olmo3",
        "opt",
        "phi",
        "phi3",
        "qwen2",
        "qwen3",
        "qwen3_moe",
        "seed_oss",
        "smollm3",
        "stablelm",
        "starcoder2",
    ]
)
# Encoders that give with PyTorch's own attention what they give in eager mode.
TAKES_SDPA = frozenset(("bert", "distilbert", "electra", "modernbert", "roberta", "xlm-roberta"))


def attention_of(config: PretrainedConfig, *, packed: bool) -> str:
    """The name of the attention that a model of this kind is loaded with; `packed` is for decoders on a GPU."""
    family = config.model_type
    if family in SHARES_PREFIXES:
        return PACKED if packed else DENSE
    if family in TAKES_SDPA:
        return "sdpa"
    if rank() == 0:
        print(f"{config.name_or_path} is a {family}: transformers' own attention, every prompt is computed for itself")
    return "eager"


def shares_prefixes(model: PreTrainedModel) -> bool:
    """Whether what rows begin with alike may be computed once: no token then depends on one behind it."""
    return takes_forests(model) and not sees_both_ways(model.config)


def is_cross_encoder(model: PreTrainedModel) -> bool:
    """Whether the model is an encoder's classifier: a decoder's has one row, `score`, in place of its head."""
    return type(model).__name__.endswith("ForSequenceClassification") and not hasattr(model, "score")


def is_decoder(model: PreTrainedModel) -> bool:
    """Whether the model is of a family of decoders, so that its last token may stand for a text."""
    return model.config.model_type in SHARES_PREFIXES or all(
        getattr(module, "is_causal", True) for module in model.modules()
    )


def sees_both_ways(config: PretrainedConfig) -> bool:
    """Whether a decoder was made into an encoder: gte-Qwen2 says it in one word, EmbeddingGemma in another."""
    return not getattr(config, "is_causal", True) or bool(getattr(config, "use_bidirectional_attention", False))
