"""Fits how sure a ranking is, to rows with and without their right entry; tried on draws that a fit has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logsumexp
from scipy.stats import rankdata

from inference.fusion.confidence import Fit, RowScores, absent_probability, candidate_probabilities, features_of

RIDGE = 1.0  # of the weights of standardised features: a dozen rows must not fit them without bound
BINS = 10  # of the expected calibration error
HALF = 0.5


@dataclass(frozen=True)
class Row:
    """A held-out row: its scored candidates as they are, and without its right entry; the latter's place, or None."""

    draw: int
    weight: float
    unseen: bool  # whether no model was trained on its right entry
    there: RowScores
    gone: RowScores
    right: int | None


def fit_rows(rows: Sequence[Row]) -> Fit:
    """The fit that makes the right candidates of `rows`, and their entries' absence, most likely."""
    scale, elsewhere = _fit_candidates(rows)
    inside = [row for row in rows if row.unseen] or list(rows)
    values = np.array([features_of(side) for row in inside for side in (row.there, row.gone)])
    absent = np.tile([0.0, 1.0], len(inside))
    centre, spread = values.mean(0), np.maximum(values.std(0), 1e-6)
    weights = _fit_logistic((values - centre) / spread, absent)
    return Fit(
        scale=scale,
        elsewhere=elsewhere,
        centre=tuple(map(float, centre)),
        spread=tuple(map(float, spread)),
        weights=tuple(map(float, weights[1:])),
        bias=float(weights[0]),
    )


def try_out(rows: Sequence[Row]) -> tuple[float, float]:
    """(AUROC of absence, calibration error of the best candidate), every draw judged by the fit of the others.

    The AUROC is of the unseen rows; of all of them where a task holds no entries out, so that each was trained on.
    """
    absent, guesses, sure, right, weights = [], [], [], [], []
    none_unseen = not any(row.unseen for row in rows)
    for draw in sorted({row.draw for row in rows}):
        fit = fit_rows([row for row in rows if row.draw != draw])
        for row in (row for row in rows if row.draw == draw):
            if row.unseen or none_unseen:
                absent += [False, True]
                guesses += [absent_probability(side, fit, HALF) for side in (row.there, row.gone)]
            sure.append(candidate_probabilities(row.there.scores, fit, 0.0)[0])
            right.append(row.right == 0)
            weights.append(row.weight)
    return auroc(np.array(absent), np.array(guesses)), calibration_error(*map(np.array, (sure, right, weights)))


def auroc(positive: np.ndarray, values: np.ndarray) -> float:
    """How often a positive has a higher value than a negative, a tie counting half; positive [N] bool."""
    ranks, count = rankdata(values), positive.sum()
    pairs = count * (len(positive) - count)
    return float((ranks[positive].sum() - count * (count + 1) / 2) / pairs) if pairs else float("nan")


def calibration_error(sure: np.ndarray, right: np.ndarray, weights: np.ndarray) -> float:
    """The mean difference between a probability [N] and how often it is right, in BINS bins of equally many rows."""
    order = np.argsort(sure, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    gaps = [abs(np.sum(weights[part] * (sure[part] - right[part]))) for part in parts]
    return float(sum(gaps) / weights.sum())


def _fit_candidates(rows: Sequence[Row]) -> tuple[float, float]:
    """Scale and logit of "elsewhere" under which the right candidates of the rows are most likely."""
    longest = max(len(row.there.scores) for row in rows)
    scores = np.full((len(rows), longest), -np.inf)
    for place, row in enumerate(rows):
        scores[place, : len(row.there.scores)] = row.there.scores
    weights = np.array([row.weight for row in rows])
    right = np.array([longest if row.right is None else row.right for row in rows])
    inside = np.where(np.isfinite(scores), scores, 0.0)

    def loss(values: np.ndarray) -> float:
        logits = np.where(np.isfinite(scores), np.exp(values[0]) * inside, -np.inf)
        logits = np.hstack([logits, np.full((len(rows), 1), values[1])])
        likely = logits[np.arange(len(rows)), right] - logsumexp(logits, axis=1)
        return -float((weights * likely).sum() / weights.sum())

    spread = max(float(inside.std()), 1e-6)
    found = minimize(loss, np.array([-np.log(spread), 0.0]), method="Nelder-Mead", options={"maxiter": 400})
    return float(np.exp(found.x[0])), float(found.x[1])


def _fit_logistic(values: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Bias and weights [1 + F] of a logistic regression of `positive` [N] on standardised `values` [N, F]."""
    design = np.hstack([np.ones((len(values), 1)), values])
    ridge = np.append(0.0, np.full(values.shape[1], RIDGE))

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        logits = design @ weights
        value = np.logaddexp(0, logits).sum() - positive @ logits + 0.5 * ridge @ weights**2
        return float(value), design.T @ (expit(logits) - positive) + ridge * weights

    return minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B").x
