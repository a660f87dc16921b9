"""Steps A7 and A9 together: fit every candidate at some levels, judge it on fresh rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.learn.general_mixture.clustering import PairedCells
from symscore.learn.general_mixture.field import GatedScore
from symscore.learn.general_mixture.plans import Proposal
from symscore.learn.general_mixture.regression import (
    NO_CLIP,
    CellSums,
    LossClip,
    hermite_means,
    integrated_sums,
    sampled_sums,
)
from symscore.learn.general_mixture.validation import denoising_loss, denoising_losses
from symscore.learn.select import Sample
from symscore.schedule import NoiseLevel

Shape = tuple[int, float]  # degree and ridge; an infinite ridge is no polynomial at all


@final
@dataclass(frozen=True, kw_only=True)
class Regression:
    """How the polynomials of step A7 are fitted.

    Attributes
    ----------
    degree : int
        Largest total degree.
    ridge : float
        Pull of the coefficients to zero, relative to the Gram diagonal.
    pairs : int
        Antithetic pairs of noise a row and level.
    clip : LossClip
    integrated : bool
        Whether the noise of a single cell of whitened rows is integrated out instead of drawn.
    """

    degree: int
    ridge: float
    pairs: int
    clip: LossClip = NO_CLIP
    integrated: bool = True

    def sums(self, proposal: Proposal, blank: GatedScore, rows: "Rows") -> CellSums:
        """Return the normal equations of one candidate at one level."""
        if self.integrated and proposal.whitened and blank.n_cells == 1:
            return integrated_sums(blank, rows.means, rows.effective, degree=self.degree)
        return sampled_sums(
            blank, rows.x, rows.weights, rows.noises, degree=self.degree, clip=self.clip
        )

    def fit(self, proposal: Proposal, level: NoiseLevel, rows: "Rows") -> GatedScore:
        """Return one candidate's score of one level."""
        blank = proposal.at(level)
        return blank.with_coef(self.sums(proposal, blank, rows).solve(self.degree, self.ridge))


@final
@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a regression, with the noise of one level.

    Attributes
    ----------
    x : (n, d) array
    weights : (n,) array
        Summing to one.
    noises : tuple of (n, d) array
    means : (F,) array
        Their :func:`hermite_means`, the same at every level.
    """

    x: FloatArray
    weights: FloatArray
    noises: tuple[FloatArray, ...]
    means: FloatArray

    @property
    def effective(self) -> float:
        """Effective number of rows."""
        return float(np.round(1 / (self.weights**2).sum(), 6))


@final
@dataclass(frozen=True, eq=False)
class Split:
    """Rows to fit and rows to judge, noised alike.

    Attributes
    ----------
    sample : Sample
    fitted : (n,) array of bool
        Which rows are fitted; the others are fresh.
    how : Regression
    """

    sample: Sample
    fitted: np.ndarray
    how: Regression

    def means(self) -> FloatArray:
        """Return the fitted rows' means of Hermite polynomials."""
        own = self.sample.weights[self.fitted]
        degree = max(2 * self.how.degree, 2)
        return hermite_means(self.sample.x[self.fitted], own / own.sum(), degree)

    def at(self, key: int, means: FloatArray) -> tuple[Rows, Rows]:
        """Return the fitted and the fresh rows with the noise of the level `key`."""
        noises = self.sample.noises(key, self.how.pairs)

        def part(rows: np.ndarray) -> Rows:
            weights = self.sample.weights[rows]
            own = tuple(z[rows] for z in noises)
            return Rows(self.sample.x[rows], weights / weights.sum(), own, means)

        return part(self.fitted), part(~self.fitted)


def judge(
    split: Split,
    level: NoiseLevel,
    key: int,
    means: FloatArray,
    proposals: Sequence[Proposal],
    shapes: Sequence[Shape],
) -> FloatArray:
    """Return the losses of every candidate of step A5 at a level, on fresh rows.

    Shape (P, 1 + G): column 0 is the crude mixture's own score, for comparison only; the others
    are the G `shapes`. Equal cells of the same crude mixture are fitted once.
    """
    fitted, fresh = split.at(key, means)
    rows = fresh.x, fresh.weights, fresh.noises
    found: dict[tuple[object, ...], list[float]] = {}
    losses = []
    for proposal in proposals:
        blank = proposal.at(level)
        cells = _identity(blank)
        if cells not in found:
            sums = split.how.sums(proposal, blank, fitted)
            coefs = np.array([sums.solve(*shape) for shape in shapes])
            own = denoising_losses(blank, coefs, *rows).tolist()
            found[cells] = [denoising_loss(blank.carried, *rows), *own]
        losses.append(found[cells])
    return np.array(losses)


def _identity(blank: GatedScore) -> tuple[object, ...]:
    """Return what distinguishes the cells of one candidate from another's at a level."""
    rule = blank.rule
    if len(rule.blocks) == 1:
        return (id(blank.crude),)
    if isinstance(rule, PairedCells):
        parts = rule.by_mean, rule.by_covariance, rule.thresholds.tobytes()
        return (id(blank.crude), *parts)
    return id(blank.crude), rule.blocks
