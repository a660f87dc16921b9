"""The algorithm of arXiv 2404.18869: Voronoi cells of warm starts that are refreshed on the way."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import BadData, BadOption
from symscore.learn.diffusion import LevelScore
from symscore.learn.frame import Whitening
from symscore.learn.hard_ladder import HardLadder
from symscore.learn.partition import smallest_cell
from symscore.learn.prepared import Prepared, prepare
from symscore.learn.report import Finding, LadderReport
from symscore.learn.select import Progress, Sample
from symscore.learn.twin import TwinOptions, soft_twin
from symscore.learn.warm_start.account import findings_of, level_choices
from symscore.learn.warm_start.crude import cell_mixture, lifted, twin_schedule
from symscore.learn.warm_start.heat import level_of
from symscore.learn.warm_start.loop import Plan, learn_means
from symscore.learn.warm_start.noise import estimate_noise, isotropic_frame, noise_covariance
from symscore.learn.warm_start.sizes import TheorySizes, theory_sizes
from symscore.learn.warm_start.subspace import SubspaceScore, signal_axes
from symscore.mixture import GaussianMixture


@final
@dataclass(frozen=True, kw_only=True)
class WarmStartVoronoi:
    r"""Options of the recipe of arXiv 2404.18869, for :math:`Q_0 * N(0, \Sigma_0)`: no density.

    At every heat time a polynomial in every Voronoi cell is fitted to :math:`E[\mu | y]` (steps B3
    and B4). Whenever the time has halved, denoised rows are covered by balls, whose centres are
    the next cells' (step B5). The mixing measure :math:`Q_0` may be continuous: a ring, or a curve
    with noise about it. What was fitted draws by reverse diffusion (step B6); its soft twin has a
    density.

    Attributes
    ----------
    noise : float, (d, d) nested sequence or None
        Standard deviation or covariance of the noise, in the units of the data. None estimates an
        isotropic noise of whitened rows from the smallest spread of their clusters; the functions
        that can be fitted do not depend on it, only radii, levels and the ball do.
    degree : int
        Largest degree of a cell's polynomial (step B2).
    cover : float
        Radius of the balls of a cover, over the noise sigma at its level.
    max_cells : int
        Most centres of a cover.
    subspace : int, optional
        Dimensions of the signal, where the noise is given; None keeps those whose variance stands
        out of the noise. For a mixture of k Gaussians, k - 1 are enough.
    fresh : int
        Of so many rows, one is kept for warm starts, as the theorem asks; 0 uses all rows for
        both, with fresh noise.
    pairs : int
        Antithetic pairs of noise of a row near a border, more where such rows are few; elsewhere
        noise is integrated out.
    max_ratio : float
        Largest ratio of consecutive levels; the reverse diffusion is of first order.
    sharpness : float
        Smoothing left at the data end, relative to the noise of the data.
    twin : TwinOptions
        Of the soft twin.
    sizes : TheorySizes, optional
        Sizes of the theorems, in the units of the data, in place of degree, cover, max_cells,
        max_ratio and sharpness: see :meth:`theory`.

    Examples
    --------
    >>> import numpy as np
    >>> from symscore import ScoreDensity
    >>> draws = np.random.default_rng(0).normal(size=(200, 1))
    >>> learned = ScoreDensity(WarmStartVoronoi(noise=1.0), random_state=0).fit(draws)
    >>> learned.sample(3).shape
    (3, 1)
    """

    noise: Any = None
    degree: int = 3
    cover: float = 1.5
    max_cells: int = 32
    subspace: int | None = None
    fresh: int = 0
    pairs: int = 4
    max_ratio: float = 1.1
    sharpness: float = 0.1
    twin: TwinOptions = field(default_factory=TwinOptions)
    sizes: TheorySizes | None = None

    def __post_init__(self) -> None:
        if self.noise is not None and np.ndim(self.noise):
            rows = np.asarray(self.noise, dtype=np.float64)
            if rows.ndim != 2:
                raise BadOption(
                    f"Expected noise as an sd or a (d, d) covariance; got {rows.shape}."
                )
            # Tuples, so that options can be compared and hashed.
            object.__setattr__(self, "noise", tuple(map(tuple, rows.tolist())))
        if self.degree < 0 or self.max_cells < 1 or self.pairs < 1 or not self.cover > 0:
            raise BadOption("Expected degree >= 0, max_cells >= 1, pairs >= 1 and cover > 0.")
        if self.fresh < 0 or self.fresh == 1:
            raise BadOption(f"Expected fresh 0, or one row in 2 or more; got {self.fresh}.")
        if not self.sharpness > 0 or not self.max_ratio > 1:
            raise BadOption("Expected sharpness > 0 and max_ratio > 1.")
        if self.subspace is not None and (self.noise is None or self.subspace < 1):
            raise BadOption("Expected subspace >= 1 and a given noise, which shows the subspace.")

    @classmethod
    def theory(
        cls, *, noise: Any, fresh: int = 2, twin: TwinOptions | None = None, **instance: Any
    ) -> "WarmStartVoronoi":
        """Return the recipe with the sizes of Theorems 1.2 and 3.1, in the data's own frame.

        Parameters
        ----------
        noise : float or (d, d) nested sequence
            Standard deviation of the noise; or its covariance, in units of which all other
            lengths are then given.
        fresh : int
            One row in so many is kept for warm starts.
        twin : TwinOptions, optional
        **instance
            Of :func:`~symscore.learn.warm_start.sizes.theory_sizes`: epsilon, dim, k, alpha_min,
            local_radius, support_radius, ..., and every universal constant.

        Examples
        --------
        >>> recipe = WarmStartVoronoi.theory(noise=1.0, epsilon=0.5, dim=1, k=2, alpha_min=0.4,
        ...     local_radius=0.5, support_radius=3.0)
        >>> recipe.sizes.degree, recipe.sizes.rounds
        (1, 2)
        """
        unit = float(noise) if np.ndim(noise) == 0 else 1.0
        sizes = theory_sizes(noise=unit, **instance)
        return cls(noise=noise, fresh=fresh, twin=twin or TwinOptions(), sizes=sizes)

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

        No candidates are compared: `groups` play no part, and the report has NaN for risks.

        Raises
        ------
        BadData
            On too few distinct rows, on columns that are constant or collinear, or on rows that
            vary less than the noise given.
        ResourceLimit
            Where theory-sized options are too large to compute with.
        """
        ready = prepare(x, weights, None, names)
        n, dim = ready.x.shape
        if n < dim + 2:
            raise BadData(
                f"Expected at least {dim + 2} distinct rows for {dim} columns; "
                f"got {n} distinct of n_samples = {len(x)}."
            )
        ready, noise = self._framed(ready, seed)
        whole = _sample(ready.x, ready, seed)
        axes = self._axes(ready, noise)
        inner = (
            whole if axes is None else _sample(np.einsum("ni,ij->nj", ready.x, axes), ready, seed)
        )
        plan = self._plan(inner, ready, noise)
        means, refreshes = learn_means(inner, plan, progress=progress)
        crude = cell_mixture(inner.x, inner.weights, means[-1].centres, noise)
        fields: tuple[LevelScore, ...] = means
        if axes is not None:
            fields = tuple(SubspaceScore(mean, axes) for mean in means)
            crude = lifted(crude, axes, noise)
        schedule = twin_schedule(ready, np.sqrt(plan.times[-1]))
        soft = soft_twin(whole, crude, schedule, ready.frame, names, self.twin, progress=progress)
        levels = level_choices(means, crude)
        findings = findings_of(means, refreshes, plan, given=self.noise is not None)
        if axes is not None:
            findings.append(Finding("subspace", f"{axes.shape[1]} of {dim} dimensions"))
        if self.sizes is not None:
            text = f"10^{self.sizes.log10_samples:.1f} asked for by Lemma 5.7; {len(x)} given"
            findings.append(Finding("theory's rows", text))
        report = ready.report(
            n_rows=len(x),
            smoothing=float(np.sqrt(plan.times[-1])),
            levels=levels,
            tried=tuple(dict.fromkeys(level.candidates[0] for level in levels)),
            findings=findings,
        )
        return HardLadder(fields, level_of(plan.times[-1]), soft), report

    def _framed(self, ready: Prepared, seed: int) -> tuple[Prepared, float]:
        """Rows in the frame of isotropic noise, and its sd there."""
        dim = ready.x.shape[1]
        if self.sizes is not None:
            if self.sizes.dim != dim:
                raise BadOption(f"Expected data of dimension {self.sizes.dim}; got {dim}.")
            chol = np.linalg.cholesky(noise_covariance(self.noise, dim))
            frame = Whitening(np.zeros(dim), np.asarray(chol / self.sizes.noise))
            return ready.in_frame(frame), self.sizes.noise
        if self.noise is None:
            return ready, estimate_noise(_sample(ready.x, ready, seed))
        return isotropic_frame(ready, noise_covariance(self.noise, dim))

    def _axes(self, ready: Prepared, noise: float) -> FloatArray | None:
        """Axes of the signal, or None where it fills the space or the noise is not known."""
        rank = self.subspace if self.sizes is None else self.sizes.rank
        if self.noise is None or ready.x.shape[1] == 1:
            return None
        axes = signal_axes(ready.x, ready.weights, noise, rank)
        return None if axes.shape[1] == len(axes) else axes

    def _plan(self, sample: Sample, ready: Prepared, noise: float) -> Plan:
        if self.sizes is not None:
            return Plan(
                times=self.sizes.times(),
                noise=noise,
                degree=self.sizes.degree,
                ball=self.sizes.ball,
                radius=np.inf,
                base=self.sizes.base,
                factor=self.sizes.factor,
                rounds=self.sizes.rounds,
                fresh=self.fresh,
                pairs=self.pairs,
                least=0.0,
            )
        dim = ready.x.shape[1]
        cloud = GaussianMixture(np.ones(1), np.zeros((1, dim)), noise**2 * np.eye(dim)[None])
        schedule, _ = ready.schedule([cloud], sharpness=self.sharpness, max_ratio=self.max_ratio)
        longest = float(np.sqrt((sample.x**2).sum(axis=1).max()))
        return Plan(
            times=tuple((1 / schedule.kappas**2).tolist()),
            noise=noise,
            degree=self.degree,
            ball=longest,
            radius=longest,
            base=0.0,
            factor=self.cover,
            rounds=self.max_cells,
            fresh=self.fresh,
            pairs=self.pairs,
            least=float(smallest_cell(sample.x.shape[1])),
        )


def _sample(x: FloatArray, ready: Prepared, seed: int) -> Sample:
    return Sample(x, ready.weights, np.zeros(len(x), dtype=np.int64), seed)
