"""The commands about a submission that is there: score it against known answers, write it as a run in TREC's form."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer


@dataclass(frozen=True)
class Score:
    """Print the task's metric of a submission against a file like it with the right ids, or against judgements.

    Judgements are rows of query, item and grade as BEIR has them, or query, 0, item and grade as TREC has them.

    \b
    Example:
      python -m inference score --competition data/demo --submission submission.csv --labels data/demo/test_labels.csv
    """

    competition: Annotated[Path, typer.Option(help="Folder with test.csv and misconception_mapping.csv.")]
    submission: Annotated[Path, typer.Option(help="The submission.csv to score.")]
    labels: Annotated[Path, typer.Option(help="A file like it with the right ids alone, or judgements in TREC's form.")]
    task: Annotated[str, typer.Option(help="What is asked, as params.toml says.")] = "eedi"

    def run(self) -> int:
        from shared.task.current import use
        from shared.task.files.qrels import is_qrels, read_qrels
        from shared.task.submission import known_of, read_labels, read_right, read_submission, score_submission

        task = use(self.task)
        data = task.read(self.competition, need_train=False)
        known = known_of(data.misconceptions)
        submission = read_submission(self.submission, data.test, known)
        if is_qrels(self.labels):
            labelled = read_qrels(self.labels, data.test, known)
        elif isinstance(known, dict):
            labelled = read_right(self.labels, data.test, known)
        else:
            labelled = read_labels(self.labels, data.test)
        rows = labelled["query_id"].n_unique()
        print(f"{task.metric.title} {score_submission(submission, labelled):.4f} over {rows} labelled rows")
        return 0


@dataclass(frozen=True)
class ExportRun:
    """Write a submission as a run in TREC's form, which trec_eval, pytrec_eval and ranx read.

    \b
    Example:
      python -m inference export-run --task beir --competition data/beir --submission submission.csv --out malrule.run
    """

    competition: Annotated[Path, typer.Option(help="Folder with the task's files.")]
    submission: Annotated[Path, typer.Option(help="The submission.csv to write so.")]
    out: Annotated[Path, typer.Option(help="The run to write: query Q0 item rank score tag.")]
    tag: Annotated[str, typer.Option(help="The name of the run, in its last column.")] = "malrule"
    task: Annotated[str, typer.Option(help="What is asked, as params.toml says.")] = "eedi"

    def run(self) -> int:
        from shared.task.current import use
        from shared.task.files.qrels import write_run
        from shared.task.submission import known_of, names_of, read_submission

        data = use(self.task).read(self.competition, need_train=False)
        ranked = read_submission(self.submission, data.test, known_of(data.misconceptions))
        print(f"{self.out}: {write_run(ranked, names_of(data.misconceptions), self.tag, self.out):,} lines")
        return 0
