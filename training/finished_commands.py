"""Declares the commands that give a finished run to others: other programs, and people with rows of their own."""

from pathlib import Path

from shared.settings.arguments import Arguments, callers_path
from training import words
from training.commands import app, run_of


@app.command(words.EXPORTED, "iter=1 split=full hub=me/misconceptions --dry-run")
def export_model(said: Arguments) -> int:
    """Make folders of merged models that sentence-transformers and vllm serve open.

    What they answer there is compared with what the models answer here, and a model card is written. With hub= they are
    uploaded to the Hugging Face Hub.
    """
    from training.export.share.export_model import Export, export_models

    run, options = _run(said), said.options
    export = Export(
        callers_path(options["to"]) if "to" in options else run / "export",
        options.get("hub", ""),
        options.get("licence", ""),
        public=words.PUBLIC.name in said.flags,
        dry_run=words.DRY_RUN.name in said.flags,
    )
    if not export.hub and (export.public or export.dry_run):
        raise ValueError("--public and --dry-run are about an upload: say hub=OWNER/NAME too")
    return export_models(run, words.roles_of(said), export)


@app.command(words.EXPORTED_TEXTS, "iter=demotexts0 to=data/demo")
def export_texts(said: Arguments) -> int:
    """Write the texts of a run as rationales.csv and explanations.csv.

    They are what its models read, cleaned, with who wrote each. explain.writer=replay reads them again, and predict
    reads rationales.csv beside a test.csv. Texts whose writers saw labels, solved examples or a teacher's lessons are
    refused, for another split may hold these out.
    """
    from training.export.share.export_texts import export_texts

    run, options = _run(said), said.options
    folder = callers_path(options["to"]) if "to" in options else run / "texts"
    return export_texts(run, folder, words.ANYWAY.name in said.flags)


@app.command(words.TAGGED, "rows.csv iter=1 k=3")
def tag(said: Arguments) -> int:
    """Tag the rows of a file with entries of the catalogue.

    Each row gets the best k entries with their scores and probabilities, and how likely it is that its entry is not in
    the catalogue. Edits that were made while the models were served count.
    """
    from training.tagging.run_models import whole_number
    from training.tagging.tag_file import tag_file

    options = said.options
    k = whole_number(options, "k", 5, 1, 100)
    out = callers_path(options["out"]) if "out" in options else None
    return tag_file(callers_path(options["file"]), out, k, _tagging(said))


@app.command(words.SERVED, "iter=1 port=8080")
def serve(said: Arguments) -> int:
    """Serve tags over HTTP.

    POST /tag takes rows; /catalogue lists, adds, renames and retires entries, which are found at once and kept; GET
    /health and /metrics say how it goes, and /docs shows every form.
    """
    from training.tagging.run_models import whole_number
    from training.tagging.serve import serve

    port = whole_number(said.options, "port", 8000, 0, 65535)
    return serve(_tagging(said), said.options.get("host", "127.0.0.1"), port)


@app.command(words.LABELS_AUDITED, "iter=1")
def audit_labels(said: Arguments) -> int:
    """List labels that may be wrong, and double entries.

    The models of the evaluated draws judge the rows that they were not trained on. runs/ITERATION/label_audit gets a
    list of labels, one of double entries and one of confused pairs, each with a column for your decision; decided= then
    measures what your decisions change.
    """
    from training.analysis.label_audit.label_audit import audit_labels, measure_decisions

    iteration = _run(said).parent
    if "decided" in said.options:
        return measure_decisions(iteration, callers_path(said.options["decided"]))
    return audit_labels(iteration, vectors=words.WORDS_ONLY.name not in said.flags)


def _tagging(said: Arguments):
    from training.tagging.run_models import read_run

    target = run_of(said)
    return read_run(target.run.parent.name, said.options, retrieve_only=words.RETRIEVE_ONLY.name in said.flags)


def _run(said: Arguments) -> Path:
    return run_of(said).run
