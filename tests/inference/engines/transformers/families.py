"""Makes tiny random models of the families that people take as a base, each with what is peculiar in its attention."""

import transformers

SHAPE = {
    "vocab_size": 200,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "initializer_range": 0.15,  # wide enough for answers that differ visibly
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
}
GROUPED = {**SHAPE, "num_key_value_heads": 1}
WIDE = {**GROUPED, "head_dim": 32}
WINDOW = {"sliding_window": 16}  # shorter than the prompts of the tests
LOCAL = {**WINDOW, "layer_types": ["sliding_attention", "full_attention"]}
GEMMA = {**WIDE, "query_pre_attn_scalar": 32}
EXPERTS = {"num_local_experts": 2}

DECODERS = {  # name: (class of the config, its values)
    "apertus": ("ApertusConfig", GROUPED),
    "cohere": ("CohereConfig", GROUPED),
    "cohere2, windows": ("Cohere2Config", {**GROUPED, **LOCAL}),
    "ernie4_5": ("Ernie4_5Config", GROUPED),
    "exaone4, windows": ("Exaone4Config", {**GROUPED, **LOCAL}),
    "gemma": ("GemmaConfig", WIDE),
    "gemma2, windows, capped scores": ("Gemma2Config", {**GEMMA, **WINDOW, "attn_logit_softcapping": 1.0}),
    "gemma3_text, windows": ("Gemma3TextConfig", {**GEMMA, **LOCAL}),
    "gemma3_text, both ways": ("Gemma3TextConfig", {**GEMMA, **LOCAL, "use_bidirectional_attention": True}),
    "gemma4_text": ("Gemma4TextConfig", WIDE),
    "glm": ("GlmConfig", WIDE),
    "glm4": ("Glm4Config", WIDE),
    "gpt2": ("GPT2Config", {"vocab_size": 200, "n_embd": 64, "n_layer": 2, "n_head": 2, "initializer_range": 0.15}),
    "gpt_neox": ("GPTNeoXConfig", SHAPE),
    "gpt_oss, windows, sinks": ("GptOssConfig", {**WIDE, **LOCAL, **EXPERTS, "num_experts_per_tok": 1}),
    "granite": ("GraniteConfig", GROUPED),
    "hunyuan_v1_dense": ("HunYuanDenseV1Config", WIDE),
    "llama": ("LlamaConfig", GROUPED),
    "llama4_text, chunks": (
        "Llama4TextConfig",
        {**WIDE, **EXPERTS, "intermediate_size_mlp": 96, "attention_chunk_size": 16},
    ),
    "ministral, windows": ("MinistralConfig", {**WIDE, **LOCAL}),
    "mistral, window": ("MistralConfig", {**GROUPED, **WINDOW}),
    "mixtral": ("MixtralConfig", {**GROUPED, **EXPERTS}),
    "modernbert-decoder, windows": (
        "ModernBertDecoderConfig",
        {**SHAPE, "cls_token_id": 2, "sep_token_id": 3, "local_attention": 16, "global_attn_every_n_layers": 2},
    ),
    "nemotron": ("NemotronConfig", GROUPED),
    "olmo2": ("Olmo2Config", GROUPED),
    "olmo3, windows": ("Olmo3Config", {**GROUPED, **LOCAL}),
    "opt": (
        "OPTConfig",
        {
            "vocab_size": 200,
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "ffn_dim": 96,
            "word_embed_proj_dim": 64,
            "init_std": 0.15,
            "dropout": 0.0,
        },
    ),
    "phi": ("PhiConfig", SHAPE),
    "phi3, window": ("Phi3Config", {**GROUPED, **WINDOW}),
    "qwen2": ("Qwen2Config", GROUPED),
    "qwen2, both ways": ("Qwen2Config", {**GROUPED, "is_causal": False}),
    "qwen3": ("Qwen3Config", WIDE),
    "qwen3_moe": (
        "Qwen3MoeConfig",
        {**WIDE, "num_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 32},
    ),
    "seed_oss": ("SeedOssConfig", WIDE),
    "smollm3": ("SmolLM3Config", GROUPED),
    "stablelm": ("StableLmConfig", GROUPED),
    "starcoder2, window": ("Starcoder2Config", {**GROUPED, **WINDOW}),
}
ALONE = {  # decoders that are computed a prompt for itself
    "bloom, a bias by distance": (
        "BloomConfig",
        {"vocab_size": 200, "hidden_size": 64, "n_layer": 2, "n_head": 2, "initializer_range": 0.15},
    ),
    "falcon": (
        "FalconConfig",
        {
            "vocab_size": 200,
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "initializer_range": 0.15,
        },
    ),
    "lfm2, convolutions": ("Lfm2Config", {**GROUPED, "layer_types": ["conv", "full_attention"]}),
}
BERT = {**SHAPE, "max_position_embeddings": 128}
ENCODERS = {
    "bert": ("BertConfig", BERT),
    "deberta-v2": ("DebertaV2Config", BERT),
    "distilbert": (
        "DistilBertConfig",
        {"vocab_size": 200, "dim": 64, "hidden_dim": 96, "n_layers": 2, "n_heads": 2, "initializer_range": 0.15},
    ),
    "electra": ("ElectraConfig", {**BERT, "embedding_size": 64}),
    "modernbert, windows": ("ModernBertConfig", {**SHAPE, "local_attention": 16, "global_attn_every_n_layers": 2}),
    "mpnet": ("MPNetConfig", BERT),
    "roberta": ("RobertaConfig", BERT),
    "xlm-roberta": ("XLMRobertaConfig", BERT),
}


def config_of(kind: str, values: dict) -> transformers.PretrainedConfig:
    return getattr(transformers, kind)(**values)
