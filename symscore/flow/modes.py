"""The modes of a flow: where its density peaks, and how much mass each peak draws to itself."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from scipy.special import ndtri

from symscore.arrays import FloatArray, frozen
from symscore.errors import BadOption, InversionFailed
from symscore.flow.ascent import Landscape
from symscore.flow.basins import UNASSIGNED, Graph, Peaks, merge, passes, relabel_contested

if TYPE_CHECKING:
    import pandas as pd

    from symscore.flow.flow import ScoreFlow

FEWEST_DRAWS = 50
# Flows learned from 5000 rows of benchmarks/targets.py dip by up to .60 nats (ring) and .27 (moons)
# along ridges whose own ripples are .22 and 0, and by 2.3 or more between the modes of moons and
# separated. From 1000 rows the ridges dip by up to .85 and 1.9: no one figure suits all sizes.
MIN_DEPTH = float(np.log(2.0))


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Modes:
    r"""Modes of a density, heaviest first, with the masses of their basins.

    The basin of mode i is the set of points from which gradient ascent of log q, in whitened
    coordinates, ends there (or at a mode merged into it). Its mass is estimated from n draws of q,
    of which :math:`c_i` fall into it,

    .. math:: \hat p_i = c_i / n, \qquad
              \frac{\hat p_i + z^2 / 2n \pm z \sqrt{\hat p_i (1 - \hat p_i) / n + z^2 / 4n^2}}
                   {1 + z^2 / n}

    the interval being Wilson's, with z the normal quantile of ``confidence``. It covers the chance
    of these draws alone: that the density was itself learned from data is not in it.

    Parameters
    ----------
    names : tuple of str
        Names of the d columns.
    locations : (k, d) array
        In the units of the data.
    log_densities : (k,) array
        log q at the modes.
    counts : (k,) array
        Draws in each basin, in descending order.
    depths : (k,) array
        How far log q falls on the best way found to a higher mode; infinite for the highest, and
        where log q could be evaluated along no way.
    n_draws : int
    n_unassigned : int
        Draws whose ascent did not end at a mode; ``masses`` sum to one less their share.
    n_merged : int
        Local maxima of depth below ``min_depth``, counted as part of a higher one.
    min_depth : float
    confidence : float
        Of each interval by itself.
    """

    names: tuple[str, ...]
    locations: FloatArray
    log_densities: FloatArray
    counts: FloatArray
    depths: FloatArray
    n_draws: int
    n_unassigned: int
    n_merged: int
    min_depth: float
    confidence: float

    def __post_init__(self) -> None:
        for name in ("locations", "log_densities", "counts", "depths"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    def __len__(self) -> int:
        """Return the number of modes k."""
        return len(self.locations)

    @property
    def masses(self) -> FloatArray:
        """Share of the draws in each basin, (k,)."""
        return self.counts / self.n_draws

    @property
    def standard_errors(self) -> FloatArray:
        """Binomial standard errors of the masses, (k,)."""
        return np.sqrt(self.masses * (1 - self.masses) / self.n_draws)

    @property
    def intervals(self) -> FloatArray:
        """Wilson intervals of the masses, (k, 2)."""
        z = float(ndtri((1 + self.confidence) / 2))
        shrink = 1 + z**2 / self.n_draws
        centre = (self.masses + z**2 / (2 * self.n_draws)) / shrink
        half = z * np.sqrt(self.standard_errors**2 + z**2 / (4 * self.n_draws**2)) / shrink
        return np.stack([np.maximum(centre - half, 0), np.minimum(centre + half, 1)], axis=1)

    def to_frame(self) -> "pd.DataFrame":
        """Return one row a mode: the columns' values there, then the figures."""
        import pandas as pd

        lower, upper = self.intervals.T
        figures = {
            "log_density": self.log_densities,
            "mass": self.masses,
            "standard_error": self.standard_errors,
            "lower": lower,
            "upper": upper,
            "depth": self.depths,
        }
        index = pd.RangeIndex(1, len(self) + 1, name="mode")
        places = pd.DataFrame(self.locations, index=index, columns=list(self.names))
        return pd.concat([places, pd.DataFrame(figures, index=index)], axis=1)

    def __str__(self) -> str:
        table = self.to_frame().to_string(float_format="{:.4g}".format)
        return (
            f"{table}\n{self.n_draws} draws, {self.n_unassigned} of them unassigned; "
            f"{100 * self.confidence:g} % intervals; {self.n_merged} shallower than "
            f"{self.min_depth:.3g} merged"
        )


def find_modes(
    flow: "ScoreFlow",
    n: int = 4000,
    *,
    rng: np.random.Generator,
    min_depth: float = MIN_DEPTH,
    confidence: float = 0.95,
) -> Modes:
    """Return the modes of a flow; see :meth:`symscore.ScoreFlow.modes`."""
    if n < FEWEST_DRAWS:
        raise BadOption(f"Expected at least {FEWEST_DRAWS} draws; got n = {n}.")
    if not min_depth >= 0:
        raise BadOption(f"Expected min_depth >= 0 nats; got {min_depth}.")
    if not 0 < confidence < 1:
        raise BadOption(f"Expected 0 < confidence < 1, say .95; got {confidence}.")
    inner = flow.unbounded
    land = Landscape(inner)
    draws, values = _draw(inner, n, rng=rng)
    graph = Graph.over(draws, values)
    roots, root_of = np.unique(graph.roots(), return_inverse=True)
    peaks = Peaks.reached_from(land, draws[roots])
    labels = peaks.ends[root_of]
    heights = passes(land, peaks, graph, labels)
    into, depths = merge(peaks.values, heights, min_depth)
    labels = np.append(into, UNASSIGNED)[labels]
    labels = relabel_contested(land, peaks, into, graph, labels)
    kept = np.unique(into)
    counts = np.array([np.sum(labels == mode) for mode in kept])
    order = np.lexsort((-peaks.values[kept], -counts))
    kept, counts = kept[order], counts[order]
    locations = flow.chart.from_free(flow.ladder.frame.unwhiten(peaks.u[kept]))
    free = flow.chart.is_free
    return Modes(
        names=flow.names,
        locations=locations,
        log_densities=peaks.values[kept] if free else flow.log_density(locations),
        counts=counts,
        depths=depths[kept],
        n_draws=n,
        n_unassigned=n - int(counts.sum()),
        n_merged=len(peaks.u) - len(kept),
        min_depth=float(min_depth),
        confidence=float(confidence),
    )


def _draw(flow: "ScoreFlow", n: int, *, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Return whitened draws (m, d) and their log densities, without inverting anything.

    m falls short of n by the draws at which a step folds, whose density is not known.
    """
    z = rng.standard_normal((n, flow.dim))
    values = flow.latent_log_density(z)
    known = np.isfinite(values)
    if known.sum() < FEWEST_DRAWS:
        raise InversionFailed(
            f"Expected a density at {FEWEST_DRAWS} draws at least; a step folds at "
            f"{n - known.sum()} of {n}, which the fit-time check missed."
        )
    return flow.ladder.frame.whiten(flow.from_latent(z[known])), values[known]
