"""Hard Voronoi cells with undamped polynomials, as the papers use them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import BadData, BadOption
from symscore.learn.hard import HardScore, fit_hard_score
from symscore.learn.hard_ladder import HardLadder
from symscore.learn.partition import KMeansCells
from symscore.learn.prepared import prepare
from symscore.learn.report import LadderReport, LevelChoice
from symscore.learn.select import Candidate, Progress, Sample
from symscore.learn.twin import TwinOptions, soft_twin
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel


@final
@dataclass(frozen=True, kw_only=True)
class HardCells:
    """Options of the recipe with the papers' plain cells: draws, but no density.

    The cells are the Voronoi cells of the k-means centres of whitened data, carried to every
    level; in one dimension they are slabs. Nothing is chosen by cross-fitting. What was fitted
    draws by reverse diffusion; its soft twin (``ScoreDensity.soften``) has a density.

    Attributes
    ----------
    n_cells : int
        Number of cells asked for; fewer where a cell would have too few rows.
    degree : int
        Largest degree of a cell's polynomial.
    ridge : float
        Pull of the coefficients to zero, relative to the Gram diagonal.
    pairs : int
        Antithetic pairs of noise a row and level.
    max_ratio : float
        Largest ratio of consecutive nodes of the ladder. The reverse diffusion is of first order
        and needs smaller steps than the flow: at 1.1 it widens modes by about 5 % in variance, at
        1.5 by about 20 %.
    sharpness : float
        Smoothing left at the data end, relative to the smallest cell's sd.
    rho : float
        Damping radius of the soft twin, in standard deviations of a cell.

    Examples
    --------
    >>> import numpy as np
    >>> from symscore import ScoreDensity
    >>> draws = np.random.default_rng(0).normal(size=(200, 1))
    >>> hard = ScoreDensity(HardCells(n_cells=2), random_state=0).fit(draws)
    >>> hard.sample(3).shape, hasattr(hard, "flow_")
    ((3, 1), False)
    >>> hard.soften().score_samples([[0.0]]).shape
    (1,)
    """

    n_cells: int = 8
    degree: int = 1
    ridge: float = 1e-3
    pairs: int = 2
    max_ratio: float = 1.1
    sharpness: float = 0.1
    rho: float = 3.0

    def __post_init__(self) -> None:
        if self.n_cells < 1 or self.degree < 0 or self.pairs < 1:
            raise BadOption("Expected n_cells >= 1, degree >= 0 and pairs >= 1.")
        if not (0 <= self.ridge < np.inf and self.sharpness > 0):
            raise BadOption("Expected a finite ridge >= 0 and sharpness > 0.")

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
        """Learn a ladder from x (n, d) under `weights` (n,).

        Nothing is held out: `groups` play no part, and the report has 0 folds and NaN for risks.

        Raises
        ------
        BadData
            On too few distinct rows, or columns that are constant or collinear.
        """
        ready = prepare(x, weights, None, names)
        n, dim = ready.x.shape
        if n < dim + 2:
            raise BadData(
                f"Expected at least {dim + 2} distinct rows for {dim} columns; "
                f"got {n} distinct of n_samples = {len(x)}."
            )
        sample = Sample(ready.x, ready.weights, np.zeros(n, dtype=np.int64), seed)
        cells = KMeansCells(self.n_cells)
        crude = cells.fit(sample.x, sample.weights, seed=seed)
        schedule, smoothing = ready.schedule(
            [crude], sharpness=self.sharpness, max_ratio=self.max_ratio
        )
        hard, kappas = [], schedule.field_kappas.tolist()
        for level, kappa in enumerate(kappas):
            hard.append(self._hard(sample, crude, level, kappa))
            progress("fitting levels", level + 1, len(kappas))
        how = TwinOptions(self.degree, self.ridge, self.rho, self.pairs)
        soft = soft_twin(sample, crude, schedule, ready.frame, names, how, progress=progress)
        candidate = Candidate(cells, self.degree, self.ridge, self.rho)
        levels = [LevelChoice.unjudged(f.level.kappa, candidate, len(crude.means)) for f in hard]
        report = ready.report(n_rows=len(x), smoothing=smoothing, levels=levels, tried=[candidate])
        return HardLadder(tuple(hard), schedule.end, soft), report

    def _hard(self, sample: Sample, crude: GaussianMixture, level: int, kappa: float) -> HardScore:
        """Fit a level with the noise that its soft twin uses."""
        return fit_hard_score(
            crude,
            NoiseLevel.from_kappa(kappa),
            sample.x,
            sample.weights,
            sample.noises(level, self.pairs),
            degree=self.degree,
            ridge=self.ridge,
        )
