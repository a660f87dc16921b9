"""The learned score of one level: gated polynomials in cells, linear outside the gates."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from symscore.arrays import FloatArray, as_points, check_shape, frozen
from symscore.errors import BadOption
from symscore.learn.general_mixture.clustering import CellRule
from symscore.learn.general_mixture.gates import GateRule, inside_gate, precisions
from symscore.learn.general_mixture.partitions import Blocks
from symscore.learn.hard import cell_features, clipped
from symscore.learn.hermite import degree_of, n_features
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel


@final
@dataclass(frozen=True, eq=False)
class GatedScore:
    r"""Score of noised data by Proposition 48 of arXiv 2404.18893.

    In cell c, with reference component 1 of crude mean :math:`\mu_1` and covariance :math:`Q_1`,
    :math:`K = (\alpha^2 Q_1 + \sigma^2 I)^{-1}` and gate B,

    .. math::

        \hat s(x) = -K (x - \alpha \mu_1) + 1_B(x) \, \frac{\alpha}{\sigma^2}
            \sum_p \theta_{c,p} h_p(u),

    where u is the coordinate in which the cell's own Gaussian is standard normal. Outside the gate
    and without coefficients it is exactly the linear score of the reference. (The paper's
    polynomial replaces the linear part in the gate instead of adding to it: the same functions
    from degree 1 on. The paper prints the linear part with the opposite sign.) Where a polynomial
    acts, the denoiser is moved into a ball about 0, as in :class:`~symscore.learn.hard.HardScore`.

    Parameters
    ----------
    crude : GaussianMixture
        The k crude components of the *clean* data.
    level : NoiseLevel
        With 0 < alpha, sigma < 1.
    rule : CellRule
        From points of this level to C cells.
    local : GaussianMixture
        Masses, means and covariances of the C cells of the clean data; they define u.
    gates : (C, 2) array
        Thresholds theta_1 and theta_2 of every cell.
    coef : (C, F, d) array
        Coefficients :math:`\theta`; F is 0 or the number of Hermite polynomials of some degree.
    radius : float
        Of the ball, about the data.

    Raises
    ------
    BadOption
        Where F belongs to no degree, or the radius is not positive.
    """

    crude: GaussianMixture
    level: NoiseLevel
    rule: CellRule
    local: GaussianMixture
    gates: FloatArray
    coef: FloatArray
    radius: float

    def __post_init__(self) -> None:
        for name in ("gates", "coef"):
            object.__setattr__(self, name, frozen(getattr(self, name)))
        cells = len(self.rule.blocks)
        check_shape("local.means", self.local.means, cells, self.dim)
        check_shape("gates", self.gates, cells, 2)
        check_shape("coef", self.coef, cells, None, self.dim)
        size = self.coef.shape[1]
        if size and n_features(self.dim, self.degree) != size:
            raise BadOption(f"Expected the features of one degree; got {size} of them.")
        if not self.radius > 0:
            raise BadOption(f"Expected radius > 0; got {self.radius}.")

    @property
    def dim(self) -> int:
        """Dimension d."""
        return self.crude.dim

    @property
    def n_cells(self) -> int:
        """Number of cells C."""
        return len(self.rule.blocks)

    @property
    def degree(self) -> int:
        """Largest total degree of a cell's polynomial; -1 where there is none."""
        return degree_of(self.dim, self.coef.shape[1])

    @cached_property
    def carried(self) -> GaussianMixture:
        """The crude components with the level's noise: step A2."""
        return self.crude.at(self.level)

    @cached_property
    def carried_local(self) -> GaussianMixture:
        """The cells' own Gaussians with the level's noise."""
        return self.local.at(self.level)

    @cached_property
    def blocks(self) -> Blocks:
        """Components of every cell, the heaviest, which is its reference, first."""
        weights = self.crude.weights
        return tuple(
            tuple(sorted(block, key=lambda i: (-weights[i], i))) for block in self.rule.blocks
        )

    def with_coef(self, coef: FloatArray) -> "GatedScore":
        """Return the same cells and gates with other coefficients."""
        return replace(self, coef=coef)

    def inside(self, c: int, x: FloatArray) -> np.ndarray:
        """Return whether rows of x (n, d) in cell c are inside its gate, shape (n,)."""
        return inside_gate(self.carried, self.blocks[c], self.gates[c], x)

    def linear(self, c: int, x: FloatArray) -> FloatArray:
        r"""Return the reference's denoiser :math:`\mu_1 + \alpha Q_1 K (x - \alpha \mu_1)`."""
        one = self.blocks[c][0]
        gain = self._gains[one]
        return self.crude.means[one] + np.einsum("ij,nj->ni", gain, x - self.carried.means[one])

    def features(self, c: int, x: FloatArray, degree: int) -> FloatArray:
        """Return the Hermite polynomials (n, F) of x (n, d) in the coordinate of cell c."""
        return cell_features(self.carried_local, c, x, degree)

    def denoise(self, x: ArrayLike) -> FloatArray:
        """Return the learned E[x_0 | x_t = x], shape (n, d)."""
        return self.denoise_each(x, self.coef[None])[0]

    def denoise_each(self, x: ArrayLike, coefs: FloatArray) -> FloatArray:
        """Return what :meth:`denoise` would with each of `coefs` (m, C, F, d), shape (m, n, d)."""
        points = as_points("x", x, self.dim)
        labels = self.rule.cells(points)
        value = np.empty((len(coefs), *points.shape))
        for c in np.unique(labels).tolist():
            rows = labels == c
            value[:, rows] = self._denoise_in(c, points[rows], coefs[:, c])
        return value

    def score(self, x: ArrayLike) -> FloatArray:
        """Return the learned score at x_t = x, shape (n, d)."""
        points = as_points("x", x, self.dim)
        return (self.level.alpha * self.denoise(points) - points) / self.level.sigma**2

    @cached_property
    def _gains(self) -> FloatArray:
        inverse = precisions(self.carried)
        return np.asarray(
            self.level.alpha * np.einsum("kij,kjl->kil", self.crude.covariances, inverse)
        )

    def _denoise_in(self, c: int, x: FloatArray, coefs: FloatArray) -> FloatArray:
        value = np.repeat(self.linear(c, x)[None], len(coefs), axis=0)
        if not coefs.any():
            return value
        rows = np.flatnonzero(self.inside(c, x))
        phi = self.features(c, x[rows], degree_of(self.dim, coefs.shape[1]))
        for own, coef in zip(value, coefs, strict=True):
            if coef.any():
                # einsum, not a product by BLAS, whose bits depend on its number of threads.
                moved = own[rows] + np.einsum("nf,fi->ni", phi, coef)
                own[rows] = clipped(moved, self.radius)
        return value


def blank_score(
    crude: GaussianMixture,
    level: NoiseLevel,
    rule: CellRule,
    gate_rule: GateRule,
    radius: float,
    *,
    whitened: bool,
) -> GatedScore:
    """Return the score without coefficients: every cell's linear one.

    Parameters
    ----------
    crude : GaussianMixture
        Of the clean data.
    level : NoiseLevel
    rule : CellRule
        Of this level.
    gate_rule : GateRule
    radius : float
    whitened : bool
        Whether the rows have mean 0 and covariance I, which a single cell then has for its own.
    """
    local = pooled(crude, rule.blocks)
    if whitened and len(rule.blocks) == 1:
        local = GaussianMixture(np.ones(1), np.zeros((1, crude.dim)), np.eye(crude.dim)[None])
    blank = GatedScore(
        crude,
        level,
        rule,
        local,
        np.zeros((len(rule.blocks), 2)),
        np.zeros((len(rule.blocks), 0, crude.dim)),
        radius,
    )
    gates = [
        gate_rule.thresholds(blank.carried, block) if len(block) > 1 else (0.0, 0.0)
        for block in blank.blocks
    ]
    return replace(blank, gates=np.array(gates))


def pooled(mixture: GaussianMixture, blocks: Blocks) -> GaussianMixture:
    """Return one Gaussian per block of components, of the same mass, mean and covariance."""
    weights, means, covariances = [], [], []
    for block in map(list, blocks):
        own = mixture.weights[block]
        share = own / own.sum()
        mean = np.einsum("m,mi->i", share, mixture.means[block])
        apart = mixture.means[block] - mean
        spread = mixture.covariances[block] + np.einsum("mi,mj->mij", apart, apart)
        weights.append(own.sum())
        means.append(mean)
        covariances.append(np.einsum("m,mij->ij", share, spread))
    total = np.array(weights)
    return GaussianMixture(total / total.sum(), np.array(means), np.array(covariances))
