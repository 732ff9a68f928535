"""Keeps other libraries from writing what nobody can act on between our own lines."""

import logging
import os
import warnings


def hush_libraries() -> None:
    """Silence torch's and vLLM's warnings about this machine; errors stay. Before torch is imported, where that is."""
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # where a process's memory lies, on every start of vLLM
    logging.getLogger("torch._library.triton").setLevel(logging.ERROR)  # that a CPU has no Triton
    logging.getLogger("transformers.configuration_utils").setLevel(logging.ERROR)  # labels, which no model here has
    logging.getLogger("transformers.modeling_utils").addFilter(_not_a_load_report)
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"vllm\.")  # about torch, for vLLM's authors


def _not_a_load_report(record: logging.LogRecord) -> bool:
    """Which tensors a model lacks or has too many: check_model has compared them, and refused what matters."""
    return "LOAD REPORT" not in record.getMessage()
