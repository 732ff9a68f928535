"""Declares the commands that give a finished run to others: other programs, and people with rows of their own."""

from pathlib import Path

from shared.settings.arguments import Arguments
from training import words
from training.commands import app


@app.command(words.EXPORTED, "iter=1 split=full hub=me/misconceptions --dry-run")
def export_model(said: Arguments) -> int:
    """Make folders of merged models that sentence-transformers and vllm serve open.

    What they answer there is compared with what the models answer here, and a model card is written. With hub= they are
    uploaded to the Hugging Face Hub.
    """
    from training.export.share.export_model import Export, export_models

    run, options = _run(said), said.options
    export = Export(
        Path(options.get("to", run / "export")),
        options.get("hub", ""),
        options.get("licence", ""),
        public=words.PUBLIC.name in said.flags,
        dry_run=words.DRY_RUN.name in said.flags,
    )
    if not export.hub and (export.public or export.dry_run):
        raise ValueError("--public and --dry-run are about an upload: say hub=OWNER/NAME too")
    return export_models(run, words.roles_of(said), export)


def _run(said: Arguments) -> Path:
    from training.run_folder.names import read_target

    return read_target(said.options).run
