"""Quantises a model's folder with llm-compressor, in the environment of requirements/quantize.txt and nowhere else.

.venv-quantize/bin/python training/export/quantize_worker.py JOB.json; quantize.py writes the job, reads the result.
Imports nothing of ours: what llm-compressor needs does not go together with what vLLM needs.
"""

import json
import sys

import torch
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from datasets import Dataset
from llmcompressor import oneshot
from llmcompressor.modifiers.awq import AWQModifier
from llmcompressor.modifiers.quantization import GPTQModifier, QuantizationModifier
from torch import nn
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

KEPT_LAYERS = ["lm_head", "score"]  # They stay in 16 bits: one row decides about a rank.


def main(path: str) -> None:
    """`path`: {"source", "out": folders, "scheme", "group", "inner": width to pad to, "prompts": rows of token ids}."""
    with open(path, encoding="utf-8") as file:
        job = json.load(file)
    kind = AutoModelForSequenceClassification if job["classifier"] else AutoModel
    model = kind.from_pretrained(job["source"], dtype="auto", use_safetensors=True)
    pad_inner(model, job["inner"])
    prompts = {"input_ids": job["prompts"], "attention_mask": [[1] * len(row) for row in job["prompts"]]}
    tokenizer = AutoTokenizer.from_pretrained(job["source"])
    oneshot(
        model=model,
        tokenizer=tokenizer,
        recipe=recipe(job["scheme"], job["group"]),
        dataset=None if job["scheme"] == "fp8" else Dataset.from_dict(prompts),
        num_calibration_samples=len(job["prompts"]),
        max_seq_length=max(map(len, job["prompts"])),
        shuffle_calibration_samples=False,
    )
    model.save_pretrained(job["out"], save_compressed=True)
    tokenizer.save_pretrained(job["out"])


def pad_inner(model: nn.Module, inner: int) -> None:
    """Widen every MLP to `inner` with zeros, in place: silu(0) * 0 = 0 goes on, so no answer changes."""
    missing = inner - model.config.intermediate_size
    if not missing:
        return
    for layer in model.base_model.layers:
        for name, sides in {
            "gate_proj": (0, 0, 0, missing),
            "up_proj": (0, 0, 0, missing),
            "down_proj": (0, missing),
        }.items():
            linear = getattr(layer.mlp, name)
            linear.weight = nn.Parameter(nn.functional.pad(linear.weight.data, sides), requires_grad=False)
            linear.out_features, linear.in_features = linear.weight.shape
            if linear.bias is not None and name != "down_proj":
                linear.bias = nn.Parameter(nn.functional.pad(linear.bias.data, (0, missing)), requires_grad=False)
    model.config.intermediate_size = inner


def recipe(scheme: str, group: int):
    """What llm-compressor is to do."""
    if scheme == "fp8":
        return QuantizationModifier(targets="Linear", scheme="FP8_DYNAMIC", ignore=KEPT_LAYERS)
    # AWQ scales weights before it rounds them, and zero points belong to it; GPTQ corrects the rest of a column
    weights = QuantizationArgs(num_bits=4, strategy="group", group_size=group, symmetric=scheme == "gptq")
    groups = {"group_0": QuantizationScheme(targets=["Linear"], weights=weights)}
    return (AWQModifier if scheme == "awq" else GPTQModifier)(config_groups=groups, ignore=KEPT_LAYERS)


if __name__ == "__main__":
    torch.manual_seed(0)
    main(sys.argv[1])
