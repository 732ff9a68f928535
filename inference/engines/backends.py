"""Finds the module of an engine by its name."""

from shared.settings.sections import Engine


def backend(engine: Engine):
    """The module of an engine: heavy, loaded only when it is used."""
    if engine == "vllm":
        from inference.engines import vllm as module
    else:
        from inference.engines.transformers import engine as module
    return module
