"""Fits how sure tags are on the evaluated draws of an iteration, and writes runs/ITERATION/confidence/."""

from pathlib import Path

import numpy as np
import polars as pl

from inference.fusion.calibration import Calibration, apply, read_calibration, select_candidates
from inference.fusion.confidence import Confidence, RowScores, write_confidence
from shared.artifacts.files import replacing_folder
from shared.artifacts.lineage import Lineage
from shared.artifacts.manifest import write_manifest
from shared.task.current import TASK
from shared.task.folds import labelled_queries, right_ids, seen_ids
from shared.task.splits import UNSEEN
from shared.task.tables import CANDIDATES, PAIR, RANKED
from training.analysis.confidence.fit import Row, fit_rows, try_out

FOLDER = "confidence"


def fit_confidence(iteration: Path) -> Confidence:
    """Fill `iteration`/confidence from the draws that its calibration was chosen on, and print what it reaches.

    Raises ValueError where `calibrate` has not run.
    """
    calibration = read_calibration(iteration / "calibration")
    if calibration is None or calibration.fitted is None:
        raise ValueError(f"{iteration}/calibration does not exist: `just calibrate` makes it")
    draws = tuple(calibration.fitted.splits)
    rows = {"reranked": [], "retrieved": []}
    for number, draw in enumerate(draws):
        for name, found in _rows_of(iteration / draw, number, calibration).items():
            rows[name] += found
    reached = {name: try_out(found) for name, found in rows.items()}
    confidence = Confidence(
        **{name: fit_rows(found) for name, found in rows.items()},
        draws=draws,
        auroc={name: auroc for name, (auroc, _) in reached.items()},
        error={name: error for name, (_, error) in reached.items()},
    )
    with replacing_folder(iteration / FOLDER) as partial:
        write_confidence(confidence, partial)
        write_manifest(partial, Lineage(stage="confidence", **calibration.fitted.model_dump()).record())
    for name in rows:
        print(
            f"{name}: an entry that is not in the catalogue is told with AUROC {confidence.auroc[name]:.3f}, the best"
            f" candidate's probability is {confidence.error[name]:.3f} off on average (each draw by the others' fit)"
        )
    print(f"written to {iteration / FOLDER}")
    return confidence


def _rows_of(run: Path, number: int, calibration: Calibration) -> dict[str, list[Row]]:
    """The held-out rows of a draw, in the order of the calibration and in that of similarity alone."""
    queries, candidates = TASK.tables.queries.read(run / "prepare"), CANDIDATES.read(run / "evaluate")
    seen = seen_ids(queries)
    calibration = calibration.model_copy(update={"labelled": tuple(sorted(seen))})  # as this draw was trained
    scores = RANKED.read(run / "evaluate").select(*PAIR, "rerank_score").drop_nulls()
    chosen = select_candidates(candidates.filter(pl.col("rank") <= calibration.retrieved), calibration)
    scored = scores.join(chosen, on=PAIR, how="semi")
    ranked = with_final_score(apply(candidates, scored, calibration).drop_nulls("rerank_score"), calibration)
    valid = labelled_queries(queries, "valid")
    near = chosen.join(ranked, on=PAIR, how="semi").sort("query_id", "rank").with_columns(score="retrieval_score")
    return {"reranked": _split(ranked, valid, seen, number), "retrieved": _split(near, valid, seen, number)}


def with_final_score(ranked: pl.DataFrame, calibration: Calibration) -> pl.DataFrame:
    """`ranked` with the column `score`, which the calibration orders by."""
    never = (~pl.col("misconception_id").is_in(list(calibration.labelled))).cast(pl.Float64)
    blended = pl.col("rerank_score").cast(pl.Float64) + calibration.blend * pl.col("retrieval_score")
    return ranked.with_columns(score=blended + calibration.offset * never)


def _split(ranked: pl.DataFrame, valid: pl.DataFrame, seen: set[int], number: int) -> list[Row]:
    """A Row of each query; unseen ones weigh as much as the hidden test has of them, where the task says a weight.

    Of several right answers the one that is ranked first counts, and all of them are taken away.
    """
    answers = {row["query_id"]: right_ids(row) for row in valid.iter_rows(named=True)}
    unseen = np.mean([not right & seen for right in answers.values()]) if answers else 0.5
    weights = {False: (1 - UNSEEN) / max(1 - unseen, 1e-9), True: UNSEEN / max(unseen, 1e-9)}
    if TASK.unseen is None:
        weights = {False: 1.0, True: 1.0}
    rows = []
    for (query_id,), table in ranked.group_by("query_id", maintain_order=True):
        ids = table["misconception_id"].to_numpy()
        scores, near = table["score"].to_numpy().astype(float), table["retrieval_score"].to_numpy().astype(float)
        others = ~np.isin(ids, list(answers[query_id]))
        if others.sum() < 2:
            continue
        right = None if others.all() else int(np.flatnonzero(~others)[0])
        gone = RowScores(scores[others], near[others])
        new = not answers[query_id] & seen
        rows.append(Row(number, weights[new], new, RowScores(scores, near), gone, right))
    return rows
