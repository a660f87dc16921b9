"""Peaks of a density, the passes between them, and which draws belong to which.

Draws of the density and their nearest neighbours give a coarse picture; exact ascent decides
wherever it matters: where a peak lies, how high a pass is, and on which side of a divide a draw is.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from symscore.arrays import FloatArray, IntArray
from symscore.flow.ascent import STEPS, Landscape, climb

NEIGHBOURS = 12
UNASSIGNED = -1
# Points on the segment between two peaks, denser at its ends: one of the peaks may be narrow.
NEAR_ENDS = 0.5 ** np.arange(5, 11)
STATIONS = np.sort(np.concatenate([NEAR_ENDS, np.arange(1, 16) / 16, 1 - NEAR_ENDS]))
# Ascents by the rough Hessian that need more steps than this are better made by the exact one.
ROUGH_STEPS = 12
# From a pass, the two sides are taken this many local standard deviations off.
OFF_THE_PASS = 0.1

Passes = dict[tuple[int, int], tuple[float, FloatArray]]  # of peaks: height (log q) and place (d,)


@final
@dataclass(frozen=True, eq=False)
class Graph:
    """Draws (n, d), their log densities (n,) and nearest neighbours: the terrain seen coarsely."""

    u: FloatArray
    values: FloatArray
    tree: cKDTree
    near: IntArray  # (n, NEIGHBOURS), nearest first
    distances: FloatArray  # (n, NEIGHBOURS)

    @classmethod
    def over(cls, u: FloatArray, values: FloatArray) -> "Graph":
        """Return the graph of draws u with log densities `values`."""
        tree = cKDTree(u)
        distances, near = tree.query(u, k=NEIGHBOURS + 1)
        return cls(u, values, tree, near[:, 1:], distances[:, 1:])

    def labels_near(self, u: FloatArray, labels: IntArray) -> IntArray:
        """Return the labels of the draws nearest to each of u (m, d), shape (m, NEIGHBOURS)."""
        return labels[self.tree.query(u, k=NEIGHBOURS)[1]]

    def roots(self) -> IntArray:
        """Return for each draw (n,) the draw at which steepest ascent along the graph ends."""
        rise = (self.values[self.near] - self.values[:, None]) / self.distances
        best, rows = rise.argmax(axis=1), np.arange(len(self.u))
        ends = np.where(rise[rows, best] > 0, self.near[rows, best], rows)
        while not np.array_equal(ends, ends[ends]):
            ends = ends[ends]
        return ends

    def crossings(self, labels: IntArray) -> Passes:
        """Return the highest edge between two basins: its lower end's value, and its middle."""
        left, right = np.repeat(np.arange(len(self.u)), NEIGHBOURS), self.near.ravel()
        low, high = np.sort([labels[left], labels[right]], axis=0)
        heights = np.minimum(self.values[left], self.values[right])
        found: Passes = {}
        for edge in heights.argsort():  # the highest comes last and stays
            if UNASSIGNED < low[edge] < high[edge]:
                middle = (self.u[left[edge]] + self.u[right[edge]]) / 2
                found[int(low[edge]), int(high[edge])] = float(heights[edge]), middle
        return found


@final
@dataclass(frozen=True, eq=False)
class Peaks:
    """Distinct local maxima (k, d), highest first, and which of them each start led to."""

    u: FloatArray
    values: FloatArray
    ends: IntArray  # (n_starts,); UNASSIGNED where the ascent did not end
    radius: float  # within which two ends are one

    @classmethod
    def reached_from(cls, land: Landscape, starts: FloatArray) -> "Peaks":
        """Ascend from `starts` (n_starts, d) and keep one of all ends that coincide."""
        reached = climb(land, starts)
        # The flow smooths over 1 / kappa at its end; nothing it knows is finer than that.
        radius = 0.01 / float(land.flow.ladder.schedule.kappas[-1])
        chosen: list[int] = []
        ends = np.full(len(starts), UNASSIGNED)
        for i in np.argsort(-reached.log_densities):
            if reached.converged[i]:
                gaps = np.linalg.norm(reached.u[chosen] - reached.u[i], axis=1)
                if not gaps.size or gaps.min() > radius:
                    ends[i] = len(chosen)
                    chosen.append(i)
                else:
                    ends[i] = gaps.argmin()
        return cls(reached.u[chosen], reached.log_densities[chosen], ends, radius)

    def match(self, u: FloatArray) -> IntArray:
        """Return the index of the peak at each of u (n, d), else UNASSIGNED."""
        if not len(self.u):
            return np.full(len(u), UNASSIGNED)
        gaps = cdist(u, self.u)
        return np.where(gaps.min(axis=1) <= self.radius, gaps.argmin(axis=1), UNASSIGNED)


def passes(land: Landscape, peaks: Peaks, graph: Graph, labels: IntArray) -> Passes:
    """Return lower bounds of the heights of the passes, enough to connect all peaks.

    Every height is that of a path that was found: over an edge of the graph between two basins,
    along a straight line, or through a saddle point from whose two sides ascent leads to two
    peaks. To miss a better path can keep two peaks apart, not merge them.
    """
    if len(peaks.u) < 2:
        return {}
    found = _sounded(land, graph.crossings(labels))
    pairs = _tree(peaks, found)
    for pair, crossing in zip(pairs, _straight(land, peaks, pairs), strict=True):
        found[pair] = max(found.get(pair, crossing), crossing, key=lambda one: one[0])
    starts = np.array([found[pair][1] for pair in pairs if np.isfinite(found[pair][0])])
    for pair, crossing in _saddles(land, peaks, starts.reshape(-1, peaks.u.shape[1])):
        found[pair] = max(found.get(pair, crossing), crossing, key=lambda one: one[0])
    return found


def _sounded(land: Landscape, crossings: Passes) -> Passes:
    """Return the crossings, each no higher than the density in its middle."""
    places = np.array([place for _, place in crossings.values()])
    heights = land.heights(places.reshape(-1, land.flow.dim))
    return {
        pair: (min(height, float(middle)), place)
        for (pair, (height, place)), middle in zip(crossings.items(), heights, strict=True)
    }


def _tree(peaks: Peaks, found: Passes) -> list[tuple[int, int]]:
    """Return the pairs of the tree of highest passes, filled up with the nearest of the others."""
    cost = 1 + cdist(peaks.u, peaks.u)
    known = {pair: peaks.values[0] - height for pair, (height, _) in found.items()}
    cost += max((fall for fall in known.values() if np.isfinite(fall)), default=0.0)
    for (a, b), fall in known.items():
        cost[a, b] = cost[b, a] = min(1 + fall, cost[a, b])
    ends = minimum_spanning_tree(cost).nonzero()
    return [(int(min(pair)), int(max(pair))) for pair in zip(*ends, strict=True)]


def _straight(
    land: Landscape, peaks: Peaks, pairs: list[tuple[int, int]]
) -> list[tuple[float, FloatArray]]:
    """Return the lowest station of the segment between the peaks of each pair."""
    left, right = peaks.u[np.array(pairs).T]
    stations = left[:, None] + STATIONS[:, None] * (right - left)[:, None]
    values = land.heights(stations.reshape(-1, left.shape[1])).reshape(len(pairs), -1)
    lowest = values.argmin(axis=1)
    return [(float(v[i]), s[i]) for v, s, i in zip(values, stations, lowest, strict=True)]


def _saddles(
    land: Landscape, peaks: Peaks, starts: FloatArray
) -> list[tuple[tuple[int, int], tuple[float, FloatArray]]]:
    """Return the saddle points near `starts` (m, d) and the two peaks that each one joins."""
    reached = climb(land, starts, to_pass=True)
    places, heights = reached.u[reached.converged], reached.log_densities[reached.converged]
    curvature, axes = np.linalg.eigh(land.hessian(places, land.at(places)[1]))
    off = OFF_THE_PASS / np.sqrt(np.abs(curvature[:, -1:])) * axes[:, :, -1]
    sides = climb(land, np.concatenate([places + off, places - off]))
    left, right = np.where(sides.converged, peaks.match(sides.u), UNASSIGNED).reshape(2, -1)
    return [
        ((int(min(a, b)), int(max(a, b))), (float(height), place))
        for a, b, height, place in zip(left, right, heights, places, strict=True)
        if a != b and min(a, b) != UNASSIGNED
    ]


def merge(tops: FloatArray, found: Passes, min_depth: float) -> tuple[IntArray, FloatArray]:
    """Return for each peak (k,) the one it is part of, and its depth (k,).

    The depth is the peak's topological persistence: from its top down to the highest pass that
    leads to a higher peak. Peaks come highest first.
    """
    into, depths = np.arange(len(tops)), np.full(len(tops), np.inf)
    part_of = np.arange(len(tops))
    for (a, b), (height, _) in sorted(found.items(), key=lambda item: -item[1][0]):
        high, low = sorted((part_of[a], part_of[b]))
        if high != low:
            depths[low] = tops[low] - height
            part_of[part_of == low] = high
        high, low = sorted((into[a], into[b]))
        if high != low and tops[low] - height < min_depth:
            into[into == low] = high
    return into, depths


def relabel_contested(
    land: Landscape, peaks: Peaks, into: IntArray, graph: Graph, labels: IntArray
) -> IntArray:
    """Return the labels (n,) with those of draws near a divide settled by ascent.

    A draw is contested if its nearest neighbours are not all of its basin. Its ascent stops once
    the neighbours of the point reached are all of one.
    """

    def settled(u: FloatArray) -> np.ndarray:
        near = graph.labels_near(u, labels)
        return (near == near[:, :1]).all(axis=1) & (near[:, 0] != UNASSIGNED)

    contested = np.flatnonzero((labels[graph.near] != labels[:, None]).any(axis=1))
    corrected = labels.copy()
    corrected[contested] = UNASSIGNED
    for rough, steps in ((True, ROUGH_STEPS), (False, STEPS)):
        left = contested[corrected[contested] == UNASSIGNED]
        reached = climb(land, graph.u[left], rough=rough, steps=steps, settled=settled)
        ends = peaks.match(reached.u)
        at_peak = reached.converged & (ends != UNASSIGNED)
        corrected[left[at_peak]] = into[ends[at_peak]]
        near = graph.labels_near(reached.u[reached.settled], labels)
        corrected[left[reached.settled]] = near[:, 0]
    return corrected
