"""Step A5: candidate crude parameters, partitions and thresholds, each a plan for every level."""

from dataclasses import dataclass
from typing import Protocol, final

import numpy as np

from symscore.arrays import FloatArray
from symscore.learn.general_mixture.clustering import (
    CellRule,
    LikelihoodCells,
    PairedCells,
    likelihood_thresholds,
)
from symscore.learn.general_mixture.covariances import (
    covariance_subspaces,
    floored,
    fourth_moment_blocks,
    project_covariances,
)
from symscore.learn.general_mixture.field import GatedScore, blank_score
from symscore.learn.general_mixture.gates import GateRule
from symscore.learn.general_mixture.means import kurtosis_subspace
from symscore.learn.general_mixture.partitions import (
    Blocks,
    relative_distances,
    single_linkage,
)
from symscore.learn.partition import KMeansCells
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel

FLOOR = 1e-4  # least eigenvalue, whitened, of a covariance that was projected


class CellPlan(Protocol):
    """A way to divide the space of every level into cells of the crude components."""

    def rule(self, carried: GaussianMixture) -> CellRule:
        """Return the cells of the level of `carried`."""


@final
@dataclass(frozen=True)
class LinkedCells:
    """Components nearer than a threshold share a cell; points go by likelihood.

    The partition is the single linkage of the noised components, in standard deviations of each
    pair, at one threshold: few partitions instead of all of Bell's number. Noise brings components
    together, so that cells merge towards the noise.

    Attributes
    ----------
    threshold : float
        Of the sum of both :func:`relative_distances`; 0 for a cell per component.
    """

    threshold: float

    def __str__(self) -> str:
        return f"joined within {self.threshold:g} sd"

    def rule(self, carried: GaussianMixture) -> CellRule:
        """See :class:`CellPlan`."""
        by_mean, by_covariance = relative_distances(carried)
        blocks = single_linkage(by_mean + by_covariance, self.threshold)
        return LikelihoodCells(carried, blocks)


@final
@dataclass(frozen=True)
class PairedPlan:
    """Algorithm 5 on two single linkages, of means and of covariances, at one threshold.

    Attributes
    ----------
    threshold : float
        Of each distance, by :func:`relative_distances`.
    """

    threshold: float

    def __str__(self) -> str:
        return f"paired within {self.threshold:g} sd"

    def rule(self, carried: GaussianMixture) -> CellRule:
        """See :class:`CellPlan`."""
        by_mean, by_covariance = relative_distances(carried)
        return PairedCells(
            carried,
            single_linkage(by_mean, self.threshold),
            single_linkage(by_covariance, self.threshold),
            likelihood_thresholds(carried),
        )


@final
@dataclass(frozen=True, eq=False)
class GivenPair:
    """Algorithm 5 with given partitions and thresholds, as in the paper's enumeration."""

    by_mean: Blocks
    by_covariance: Blocks
    thresholds: FloatArray

    def rule(self, carried: GaussianMixture) -> CellRule:
        """See :class:`CellPlan`."""
        return PairedCells(carried, self.by_mean, self.by_covariance, self.thresholds)


@final
@dataclass(frozen=True, eq=False)
class Proposal:
    """One candidate of the search: crude parameters and cells.

    Attributes
    ----------
    crude : GaussianMixture
        Of the clean rows.
    plan : CellPlan
    gates : GateRule
    radius : float
        Of the ball that holds the denoiser.
    whitened : bool
        Whether the rows are.
    """

    crude: GaussianMixture
    plan: CellPlan
    gates: GateRule
    radius: float
    whitened: bool

    def at(self, level: NoiseLevel) -> GatedScore:
        """Return cells, gates and linear parts at a level, without coefficients."""
        rule = self.plan.rule(self.crude.at(level))
        return blank_score(self.crude, level, rule, self.gates, self.radius, whitened=self.whitened)


@final
@dataclass(frozen=True)
class SpectralCells:
    """Crude components from moments: k-means in the leading directions, projected covariances.

    The data-driven reading of steps A3 and A4 for whitened rows: directions of largest kurtosis
    in place of those of the second moment, k-means centres there in place of a net, and the
    covariances of the k-means cells, each projected on the leading spaces of the fourth moments
    about the centres. Adds to the other starts where there are fewer components than directions.
    """

    n_cells: int

    def __str__(self) -> str:
        return f"{self.n_cells} spectral cells"

    def fit(
        self,
        x: FloatArray,
        weights: FloatArray,
        *,
        seed: int,
        start: GaussianMixture | None = None,
    ) -> GaussianMixture:
        """See :class:`~symscore.learn.partition.Partition`; `start` is not used."""
        basis = kurtosis_subspace(x, weights, self.n_cells)
        inner = KMeansCells(self.n_cells).fit(np.einsum("ni,ir->nr", x, basis), weights, seed=seed)
        gates = LikelihoodCells(inner, tuple((c,) for c in range(inner.n_components)))
        labels = gates.cells(np.einsum("ni,ir->nr", x, basis))
        means, covariances, mass = [], [], []
        for c in np.unique(labels):
            own, share = x[labels == c], weights[labels == c] / weights[labels == c].sum()
            means.append(np.einsum("n,ni->i", share, own))
            apart = own - means[-1]
            covariances.append(np.einsum("n,ni,nj->ij", share, apart, apart))
            mass.append(weights[labels == c].sum())
        blocks = fourth_moment_blocks(x, weights, np.array(means))
        spaces = covariance_subspaces(blocks, len(means))
        total = np.array(mass)
        crude = floored(project_covariances(np.array(covariances), spaces), FLOOR)
        return GaussianMixture(total / total.sum(), np.array(means), crude)

    def refit(
        self, x: FloatArray, weights: FloatArray, *, seed: int, whole: GaussianMixture
    ) -> GaussianMixture:
        """See :class:`~symscore.learn.partition.Partition`; `whole` is not used."""
        return self.fit(x, weights, seed=seed)
