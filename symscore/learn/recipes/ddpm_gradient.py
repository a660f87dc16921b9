"""Gradient descent on the DDPM objective with a mixture as the student (arXiv 2307.01178)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from symscore.arrays import FloatArray
from symscore.errors import BadData, BadOption
from symscore.learn.ddpm.choosing import Chosen, affordable, choose_number
from symscore.learn.ddpm.descent import Descended
from symscore.learn.ddpm.free import FreeDescent
from symscore.learn.ddpm.result import findings_of, mixture_ladder, one_gaussian
from symscore.learn.ddpm.sizes import theory_sizes
from symscore.learn.ddpm.starts import (
    WarmStarts,
    given_covariance,
    known_frame,
    smallest_sd,
    to_data,
    to_frame,
)
from symscore.learn.ddpm.two_stages import TwoStages
from symscore.learn.ddpm.warm import WarmDescent
from symscore.learn.folds import fold_labels
from symscore.learn.ladder import ScoreLadder
from symscore.learn.partition import KMeansCells
from symscore.learn.prepared import Prepared, prepare
from symscore.learn.report import Finding, LadderReport
from symscore.learn.select import Progress, Sample
from symscore.mixture import GaussianMixture

CHOOSING = 3_000  # rows on which the number of components is chosen
DESCENDING = 20_000  # rows on which free parameters are learned
Method = TwoStages | WarmDescent | FreeDescent


@final
@dataclass(frozen=True, kw_only=True)
class DDPMGradient:
    """Options of the recipe that recovers the parameters of a mixture by gradient descent.

    By default weights and covariances are free and the number of components is chosen on held-out
    data, so any data may be given; :meth:`paper` is the algorithm of arXiv 2307.01178 for
    components of known covariance and equal weights, and :meth:`theory` that with the sizes of its
    theorem. The result is a Gaussian mixture, so it draws and has a density, and the report's
    ``parameters`` hold it in the units of the data.

    Attributes
    ----------
    n_components : int, optional
        K; None chooses it by held-out loss. Components that starve are dropped.
    choices : tuple of int
        Numbers to choose from.
    covariance : float or (d, d) array_like, optional
        Known covariance of all components, in the units of the data; a number stands for that
        multiple of the identity. None: to be learned.
    method : FreeDescent, WarmDescent or TwoStages
        The last two need a known covariance and n_components.
    start : callable or GaussianMixture
        Warm start: from K to a partition (``KMeansCells``, ``EMCells``, ``FarthestCells``), or a
        mixture in the units of the data. `TwoStages` starts at random.
    folds : int
        Folds by which K is chosen.
    max_ratio : float
        Largest ratio of consecutive levels of the flow.
    sharpness : float
        Smoothing left at the data end, relative to the smallest component sd.

    Examples
    --------
    >>> from symscore import ScoreDensity
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(400, 1)) + np.repeat([[-4.0], [4.0]], 200, axis=0)
    >>> fitted = ScoreDensity(DDPMGradient.paper(), random_state=0).fit(x)
    >>> means = fitted.report_.ladder.parameters.means
    >>> np.sort(np.round(means.ravel()))
    array([-4.,  4.])
    """

    n_components: int | None = None
    choices: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 8)
    covariance: ArrayLike | None = None
    method: Method = field(default_factory=FreeDescent)
    start: WarmStarts | GaussianMixture = KMeansCells
    folds: int = 3
    max_ratio: float = 1.5
    sharpness: float = 0.1

    def __post_init__(self) -> None:
        if self.covariance is not None:
            # Nested tuples compare and hash, as an option must.
            plain = np.asarray(self.covariance, dtype=np.float64)
            exact = float(plain) if plain.ndim == 0 else tuple(map(tuple, plain.tolist()))
            object.__setattr__(self, "covariance", exact)
        numbers = [*self.choices, 1 if self.n_components is None else self.n_components]
        if min(numbers) < 1 or self.folds < 2 or not self.choices:
            raise BadOption("Expected numbers of components >= 1 and folds >= 2.")
        if isinstance(self.method, FreeDescent):
            return
        name = type(self.method).__name__
        if self.covariance is None or self.n_components is None:
            raise BadOption(f"Expected a known covariance and n_components for {name}; got none.")
        if isinstance(self.method, TwoStages) and self.n_components != 2:
            raise BadOption(f"Expected n_components=2 for {name}; got {self.n_components}.")

    @classmethod
    def paper(
        cls,
        n_components: int = 2,
        *,
        covariance: ArrayLike = 1.0,
        method: TwoStages | WarmDescent | None = None,
        start: WarmStarts | GaussianMixture = KMeansCells,
    ) -> "DDPMGradient":
        """Return the paper's algorithm: equal weights, known covariance, plain gradient descent.

        Parameters
        ----------
        n_components : int
            2 starts at random and descends in two stages, more start warm.
        covariance : float or (d, d) array_like
            The components' common covariance; rows are first whitened by it.
        method : TwoStages or WarmDescent, optional
            Options of the descent.
        start : callable or GaussianMixture
            Of `WarmDescent`.
        """
        by_number = TwoStages() if n_components == 2 else WarmDescent()
        return cls(
            n_components=n_components,
            covariance=covariance,
            method=method or by_number,
            start=start,
        )

    @classmethod
    def theory(
        cls,
        *,
        epsilon: float,
        n_components: int,
        dim: int,
        bound: float,
        covariance: ArrayLike = 1.0,
        start: WarmStarts | GaussianMixture = KMeansCells,
        time_constant: float = 1.0,
        step_constant: float = 1.0,
        sample_constant: float = 1.0,
    ) -> "DDPMGradient":
        """Return the warm-started algorithm with t, H' and n' of its theorem.

        See :func:`~symscore.learn.ddpm.sizes.theory_sizes` for the arguments. Fewer rows than n'
        are refused when fitting.

        Raises
        ------
        ResourceLimit
            Where n' is more than a hundred million rows.
        """
        sizes = theory_sizes(
            epsilon=epsilon,
            n_components=n_components,
            dim=dim,
            bound=bound,
            time_constant=time_constant,
            step_constant=step_constant,
            sample_constant=sample_constant,
        )
        sizes.check(dim)
        method = WarmDescent(
            time=sizes.time, steps=sizes.steps, pairs=1, min_rows=int(np.ceil(sizes.rows))
        )
        return cls(n_components=n_components, covariance=covariance, method=method, start=start)

    def fit(
        self,
        x: FloatArray,
        weights: FloatArray,
        groups: np.ndarray | None,
        names: Sequence[str],
        *,
        seed: int,
        progress: Progress,
    ) -> tuple[ScoreLadder, LadderReport]:
        """Learn a ladder from x (n, d) under `weights` (n,); rows of one group share a fold.

        Raises
        ------
        BadData
            On fewer than two distinct rows, columns that are constant or collinear, a covariance
            that is not positive definite, or fewer rows than components need.

        Warns
        -----
        TooFewRows
            Where there are hardly more distinct rows than columns, and the density is one Gaussian.
        OutliersLeftOut
            Where isolated rows were left out.
        """
        ready = prepare(x, weights, groups, names)
        n, dim = ready.x.shape
        chosen: Chosen | None = None
        findings: tuple[Finding, ...] = ()
        if n < dim + 2:
            mixture = one_gaussian(n, dim)
        elif isinstance(self.method, FreeDescent):
            how, chosen = self._free(ready, self.method, seed, progress)
            mixture, findings = how.mixture, findings_of(how, chosen)
        else:
            how = self._known(ready, self.method, seed, progress)
            mixture, findings = to_frame(how.mixture, ready.frame), findings_of(how, None)
        return mixture_ladder(
            ready,
            mixture,
            names,
            n_rows=len(x),
            n_folds=0 if chosen is None else self.folds,
            findings=findings,
            sharpness=self.sharpness,
            max_ratio=self.max_ratio,
        )

    def _covariance(self, dim: int) -> FloatArray | None:
        """Return the known covariance as a matrix (d, d), in the units of the data."""
        if self.covariance is None:
            return None
        known = np.asarray(self.covariance, dtype=np.float64)
        return known * np.eye(dim) if known.ndim == 0 else known

    def _free(
        self, ready: Prepared, method: FreeDescent, seed: int, progress: Progress
    ) -> tuple[Descended, Chosen | None]:
        """Learn all parameters that are free, in the whitened frame."""
        n, dim = ready.x.shape
        plain = self._covariance(dim)
        known = None
        if plain is not None:
            root = (
                np.linalg.inv(ready.frame.scale_tril)
                @ known_frame(ready.x, ready.weights, plain).scale_tril
            )
            known = root @ root.T
        folds = fold_labels(n, ready.groups, min(self.folds, n // 2), seed=seed)
        sample = Sample(ready.x, ready.weights, folds, seed)
        k, chosen = self.n_components, None
        if isinstance(self.start, GaussianMixture):
            start = to_frame(self.start, ready.frame)
        else:
            if k is None:
                reservoir = sample.thinned(CHOOSING)
                numbers = affordable(self.choices, len(reservoir.x) * 2 // 3, dim)
                chosen = choose_number(
                    reservoir, numbers, self.start, method, known, progress=progress
                )
                k = chosen.best
            start = self.start(k).fit(ready.x, ready.weights, seed=seed)
        start = given_covariance(start, known)
        levels = method.levels(smallest_sd([start]))
        rows = sample.thinned(DESCENDING)
        return method.fit(rows, start, levels, known=known is not None, progress=progress), chosen

    def _known(
        self, ready: Prepared, method: TwoStages | WarmDescent, seed: int, progress: Progress
    ) -> Descended:
        """Run the paper's descent where the covariance is I; its mixture in units of the data."""
        n, dim = ready.x.shape
        covariance = self._covariance(dim)
        assert covariance is not None  # the options were checked
        rows = ready.frame.unwhiten(ready.x)
        frame = known_frame(rows, ready.weights, covariance)
        here = ready.in_frame(frame)
        sample = Sample(here.x, here.weights, np.zeros(n, dtype=np.int64), seed)
        if isinstance(method, TwoStages):
            found = method.fit(sample, progress=progress)
        else:
            if n < method.min_rows:
                raise BadData(
                    f"Expected at least n' = {method.min_rows} distinct rows; got {n}: ask for a "
                    "larger epsilon or a smaller sample_constant, or use DDPMGradient.paper."
                )
            start = self._warm_means(here, seed)
            found = method.fit(sample, start, progress=progress)
        return replace(found, mixture=to_data(found.mixture, frame))

    def _warm_means(self, here: Prepared, seed: int) -> FloatArray:
        if isinstance(self.start, GaussianMixture):
            start = to_frame(self.start, here.frame)
        else:
            start = self.start(self.n_components or 1).fit(here.x, here.weights, seed=seed)
        if start.n_components != self.n_components:
            raise BadData(
                f"Expected a warm start of {self.n_components} components; got "
                f"{start.n_components}: give more rows, or the start itself."
            )
        return start.means
