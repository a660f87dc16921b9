"""Mixtures of general Gaussians by the algorithm of arXiv 2404.18893."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import BadOption, TooFewRows, caller_level
from symscore.learn.folds import fold_labels
from symscore.learn.general_mixture.choice import Choice, ShortList, ball, choose, twin_degree
from symscore.learn.general_mixture.gates import TailGates
from symscore.learn.general_mixture.grid import time_grid
from symscore.learn.general_mixture.plans import (
    LinkedCells,
    PairedPlan,
    Proposal,
    SpectralCells,
)
from symscore.learn.general_mixture.regression import hermite_means
from symscore.learn.general_mixture.search import Regression, Rows, Split
from symscore.learn.general_mixture.sizes import ALL_ONE, Constants, TheorySizes
from symscore.learn.general_mixture.theory import GeneralMixtureTheory
from symscore.learn.hard_ladder import HardLadder
from symscore.learn.partition import EMCells, KMeansCells, Partition, smallest_cell
from symscore.learn.prepared import Prepared, prepare
from symscore.learn.report import LadderReport, LevelChoice
from symscore.learn.select import Progress, Sample
from symscore.learn.twin import TwinOptions, soft_twin

HORIZON = 3.5  # time at which whitened data are noise: alpha = .03
SPECTRAL = 12  # columns up to which fourth moments are flattened
TWIN_RIDGE = 1e-2  # of the soft twin


@final
@dataclass(frozen=True, kw_only=True)
class GeneralMixture:
    """Options of the algorithm of Chen, Kontonis and Shah (arXiv 2404.18893).

    Crude components come from the data (steps A3 and A4), every way to join them into cells is
    judged on rows that were held out (A5, A6, A9), every cell of every level gets a polynomial by
    denoising regression (A7) behind a gate (A8), and draws are made by the reverse diffusion
    (A10). The search is over a short list that the data suggest; :meth:`theory` makes the paper's
    own, for tiny instances. The result draws but has no density: its soft twin has one.

    Attributes
    ----------
    n_components : tuple of int
        Numbers of crude components to try.
    degree : int
        Largest degree of a cell's polynomial; lower ones, and none at all, are tried too.
    ridges : tuple of float
        Pulls of the coefficients to zero to try, relative to the Gram diagonal.
    thresholds : tuple of float
        Distances in standard deviations within which components share a cell, to try; 0 for a cell
        per component.
    folds : int
        One of so many parts of the rows is held out for the choice.
    pairs : int
        Antithetic pairs of noise a row and level.
    step : float
        Of the time grid, relative to the time left (A1). The sampler is of first order: 0.1 widens
        modes by about 5 % in variance.
    sharpness : float
        Smoothing left at the data end, relative to the smallest component sd.
    outside : float
        Probability of leaving a gate, under the crude components.
    max_ratio, rho : float
        Largest ratio of levels and damping radius of the soft twin.

    Examples
    --------
    >>> import numpy as np
    >>> from symscore import ScoreDensity
    >>> draws = np.random.default_rng(0).normal(size=(200, 1))
    >>> recipe = GeneralMixture(n_components=(1, 2), step=0.5)
    >>> fitted = ScoreDensity(recipe, random_state=0).fit(draws)
    >>> fitted.sample(3).shape, hasattr(fitted, "flow_")
    ((3, 1), False)
    """

    n_components: tuple[int, ...] = (1, 2, 3, 4, 6, 8)
    degree: int = 3
    ridges: tuple[float, ...] = (1e-3, 1e-1)
    thresholds: tuple[float, ...] = (0.0, 2.0, 5.0)
    folds: int = 4
    pairs: int = 2
    step: float = 0.1
    sharpness: float = 0.1
    outside: float = 1e-4
    max_ratio: float = 1.5
    rho: float = 3.0

    def __post_init__(self) -> None:
        if not self.n_components or min(self.n_components) < 1 or not self.thresholds:
            raise BadOption("Expected numbers of n_components >= 1, and one or more thresholds.")
        if self.degree < 0 or self.folds < 2 or self.pairs < 1:
            raise BadOption("Expected degree >= 0, folds >= 2 and pairs >= 1.")
        if not self.ridges or not all(0 <= ridge < np.inf for ridge in self.ridges):
            raise BadOption("Expected one or more finite ridges >= 0.")
        if not (self.sharpness > 0 and self.step > 0):
            raise BadOption("Expected sharpness > 0 and step > 0.")

    @classmethod
    def theory(
        cls,
        *,
        epsilon: float,
        alpha: float,
        beta: float,
        radius: float,
        k: int,
        dim: int,
        smallest_weight: float | None = None,
        failure: float = 0.1,
        constants: Constants = ALL_ONE,
    ) -> GeneralMixtureTheory:
        """Return the recipe with the nets, the enumeration and the sizes of the paper's theorems.

        Its fit refuses an instance that is too large to run, with what it would need; with all
        constants 1 nearly every instance is.

        Parameters
        ----------
        epsilon : float
            Total variation distance to reach.
        alpha, beta : float
            Bounds on the eigenvalues of the covariances, ``0 < alpha <= 1 <= beta``.
        radius : float
            R, which bounds each mean's length plus its covariance's Frobenius distance to I.
        k : int
            Number of components.
        dim : int
            Number of columns.
        smallest_weight : float, optional
            Of a component; 1 / k if not given.
        failure : float
            Probability of failure that is allowed.
        constants : Constants
            What the statements leave unspecified.

        Raises
        ------
        BadOption
            Where a number is outside its domain.
        """
        sizes = TheorySizes(
            epsilon=epsilon,
            alpha=alpha,
            beta=beta,
            radius=radius,
            k=k,
            dim=dim,
            smallest_weight=smallest_weight,
            failure=failure,
            constants=constants,
        )
        return GeneralMixtureTheory(sizes=sizes)

    def fit(
        self,
        x: FloatArray,
        weights: FloatArray,
        groups: np.ndarray | None,
        names: Sequence[str],
        *,
        seed: int,
        progress: Progress,
    ) -> tuple[HardLadder, LadderReport]:
        """Learn a ladder from x (n, d) under `weights` (n,); rows of one group share a fold.

        Raises
        ------
        BadData
            On fewer than two distinct rows, or columns that are constant or collinear.

        Warns
        -----
        TooFewRows
            Where there are hardly more distinct rows than columns, and the draws are Gaussian.
        OutliersLeftOut
            Where isolated rows were left out.
        """
        ready = prepare(x, weights, groups, names)
        n, dim = ready.x.shape
        if n < dim + 2:
            _warn_of(n, dim)
        choice = Choice.one_gaussian(dim)
        folds = np.zeros(n, dtype=np.int64)
        starts = self._starts(n, dim)
        if starts:
            folds = fold_labels(n, ready.groups, self.folds, seed=seed)
            choice = self._choose(ready, Sample(ready.x, ready.weights, folds, seed), starts)
        sample = Sample(ready.x, ready.weights, folds, seed)
        return self._learn(ready, sample, choice, names, len(x), progress)

    def _starts(self, n: int, dim: int) -> list[Partition]:
        """Return the ways to find crude components that the fitted rows can fill."""
        most = (n - n // self.folds) // (2 * smallest_cell(dim))
        found: list[Partition] = []
        for k in (k for k in self.n_components if k <= most):
            found.append(EMCells(k))
            if k > 1:
                found.append(KMeansCells(k))
            # With more components, projections on the leading spaces change nothing.
            if 1 < k < dim * (dim + 1) // 2 and dim <= SPECTRAL:
                found.append(SpectralCells(k))
        return found

    def _choose(self, ready: Prepared, sample: Sample, starts: Sequence[Partition]) -> Choice:
        options = ShortList(
            starts,
            [LinkedCells(t) for t in self.thresholds]
            + [PairedPlan(t) for t in self.thresholds if t],
            TailGates(self.outside),
            [(0, np.inf), *product(range(1, self.degree + 1), self.ridges)],
            self.sharpness,
        )
        how = Regression(degree=self.degree, ridge=self.ridges[0], pairs=self.pairs)
        return choose(ready, Split(sample, sample.folds != 0, how), options)

    def _learn(
        self,
        ready: Prepared,
        sample: Sample,
        choice: Choice,
        names: Sequence[str],
        n_rows: int,
        progress: Progress,
    ) -> tuple[HardLadder, LadderReport]:
        """Fit the chosen candidate to all rows at every level, and its soft twin."""
        crude, dim = choice.crude, sample.x.shape[1]
        schedule, smoothing = ready.schedule(
            [crude], sharpness=self.sharpness, max_ratio=self.max_ratio
        )
        *levels, end = time_grid(HORIZON, schedule.end.t, self.step)
        how = Regression(degree=choice.degree, ridge=choice.ridge, pairs=self.pairs)
        proposal = Proposal(crude, choice.plan, TailGates(self.outside), ball(sample.x), True)
        means = hermite_means(sample.x, sample.weights, max(2 * choice.degree, 2))
        fields = []
        for key, level in enumerate(levels):
            rows = Rows(sample.x, sample.weights, tuple(sample.noises(key, self.pairs)), means)
            fields.append(how.fit(proposal, level, rows))
            progress("fitting levels", key + 1, len(levels))
        degree = twin_degree(choice.degree, crude.n_components, dim)
        twin = TwinOptions(degree, TWIN_RIDGE, self.rho, self.pairs)
        soft = soft_twin(sample, crude, schedule, ready.frame, names, twin, progress=progress)
        candidate = choice.candidate()
        report = ready.report(
            n_rows=n_rows,
            smoothing=smoothing,
            levels=[LevelChoice.unjudged(f.level.kappa, candidate, f.n_cells) for f in fields],
            tried=choice.tried or [candidate],
            n_folds=len(np.unique(sample.folds)) if choice.tried else 0,
            findings=choice.findings,
        )
        return HardLadder(tuple(fields), end, soft), report


def _warn_of(n: int, dim: int) -> None:
    warnings.warn(
        f"Expected at least {dim + 2} distinct rows for {dim} columns to learn a shape; got "
        f"{n}: the density is one Gaussian with shrunk covariance.",
        TooFewRows,
        stacklevel=caller_level(),
    )
