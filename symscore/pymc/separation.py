"""Modes between which a sampler that moves in x itself will not move."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.sparse.csgraph import connected_components

from symscore.arrays import FloatArray, IntArray
from symscore.errors import SeparatedModes, caller_level
from symscore.flow.basins import Graph
from symscore.flow.flow import ScoreFlow

DRAWS = 1000
# Between two equal Gaussians this far apart log q falls by 5^2 / 8, about 3 nats.
FAR = 5.0
LEAST_MASS = 0.01


@final
@dataclass(frozen=True)
class Separation:
    """Groups of modes with nothing between them: masses (k,), heaviest first, and the least gap.

    The gap is the distance of the two nearest groups in standard deviations within them.
    """

    masses: FloatArray
    gap: float


def warn_if_separated(flows: Sequence[ScoreFlow]) -> None:
    """Warn of flows whose modes a chain in x itself will not leave.

    Warns
    -----
    SeparatedModes
        With their masses and what to do.
    """
    for flow in flows:
        found = separation(flow)
        if len(found.masses) > 1:
            masses = ", ".join(f"{mass:.2f}" for mass in found.masses[:6])
            more = ", ..." if len(found.masses) > 6 else ""
            warnings.warn(
                f"The flow of {', '.join(flow.names)} has {len(found.masses)} groups of modes, of "
                f"masses {masses}{more}, at least {found.gap:.0f} standard deviations apart: a "
                "chain that samples x itself stays in the one where it starts, and no diagnostic "
                "tells. Leave latent=True, or use pm.sample_smc.",
                SeparatedModes,
                stacklevel=caller_level(),
            )


def separation(flow: ScoreFlow, n: int = DRAWS) -> Separation:
    r"""Group the modes of a flow by what lies between them.

    Draws that steepest ascent along their neighbours takes to one peak are a basin; one of too few
    draws to have a covariance is part of the basin that most of their neighbours are in. Two
    basins of means :math:`m_i` and pooled covariance S within them, of :math:`\nu` degrees of
    freedom, are

    .. math:: \Delta^2 = \frac{\nu - d - 1}{\nu} (m_1 - m_2)^\top S^{-1} (m_1 - m_2)
              - d (1 / n_1 + 1 / n_2)

    apart, which is unbiased for Gaussians. Cut in two, one connected shape leaves parts about 3.5
    apart, since a uniform stretch of length L has standard deviation :math:`L / \sqrt{12}`. Basins
    up to 5 apart are joined, and whatever a chain of them joins is one group.
    """
    u, values = _whitened_draws(flow, n)
    labels = _basins(Graph.over(u, values), max(LEAST_MASS * n, 5 * (u.shape[1] + 1)))
    gaps = _gaps(u, labels)
    _, groups = connected_components(gaps <= FAR, directed=False)
    masses = np.bincount(groups, weights=np.bincount(labels)) / n
    heavy = np.flatnonzero(masses >= LEAST_MASS)
    apart = (groups[:, None] != groups) & np.isin(groups, heavy)[:, None] & np.isin(groups, heavy)
    least = gaps[apart].min() if apart.any() else np.inf
    return Separation(np.sort(masses[heavy])[::-1], float(least))


def _basins(graph: Graph, least: float) -> IntArray:
    """Return the basins of the draws (n,), numbered from 0.

    Each has `least` draws, or fewer if all their neighbours are in it too.
    """
    labels = np.unique(graph.roots(), return_inverse=True)[1]
    merged = True
    while merged:
        merged = False
        counts = np.bincount(labels)
        for small in np.argsort(counts):
            around = labels[graph.near[labels == small]].ravel()
            around = around[around != small]
            if around.size and counts[small] < least:
                labels[labels == small] = np.bincount(around).argmax()
                merged = True
                break
    return np.unique(labels, return_inverse=True)[1]


def _whitened_draws(flow: ScoreFlow, n: int) -> tuple[FloatArray, FloatArray]:
    """Return draws (n, d) in the frame and coordinates of the fit, and their log densities.

    A steep chart may have no mode, or a spurious one, where its coordinates have one.
    """
    z = np.random.default_rng(0).standard_normal((n, flow.latent_dim))
    inner = flow.unbounded
    values = np.nan_to_num(inner.latent_log_density(z), nan=-np.inf)
    return flow.ladder.frame.whiten(inner.from_latent(z)), values


def _gaps(u: FloatArray, labels: IntArray) -> FloatArray:
    """Return the distances (k, k) between basins."""
    d, counts = u.shape[1], np.bincount(labels)
    parts = [u[labels == basin] for basin in range(len(counts))]
    means = np.array([part.mean(axis=0) for part in parts])
    scatter = np.array([_scatter(part) for part in parts])
    left, right = np.triu_indices(len(counts), 1)
    freedom = counts[left] + counts[right] - 2.0
    step = means[left] - means[right]
    pooled = (scatter[left] + scatter[right]) / freedom[:, None, None]
    precision = np.linalg.pinv(pooled, hermitian=True)
    square = np.einsum("pi,pij,pj->p", step, precision, step)
    square *= np.maximum(freedom - d - 1, 0) / freedom
    square -= d * (1 / counts[left] + 1 / counts[right])
    gaps = np.zeros((len(counts), len(counts)))
    gaps[left, right] = gaps[right, left] = np.sqrt(np.maximum(square, 0))
    return gaps


def _scatter(u: FloatArray) -> FloatArray:
    centred = u - u.mean(axis=0)
    return centred.T @ centred
