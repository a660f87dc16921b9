"""The race for the best cells of every level: all candidates first, refinements of winners last."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.integrate import trapezoid

from symscore.arrays import FloatArray
from symscore.learn.combine import Combination, batch_sums, combine
from symscore.learn.hermite import n_features
from symscore.learn.merging import MergedCells
from symscore.learn.partition import EMCells, Partition
from symscore.learn.select import Candidate, Cells, CrossFit, Progress, Sample, cross_fit
from symscore.learn.stack import held_out
from symscore.learn.subspace import SubspaceCells

CHEAP = 100  # features of a candidate that is tried before its cells have won
RACE_ROWS = 5000  # with more rows than this, partitions are raced on so many first ...
RACED = (0.3, 0.5, 0.7, 0.9)  # ... at these places along the ladder
SURVIVORS = 3  # partitions kept at each of these
WORTH = 1.0  # standard errors that a gain must exceed for what is simpler to be left
AVERAGED = 0.0  # standard errors that combinations must gain on the best candidates alone
FEW = 6  # components of a mixture that is simpler than what gains less ...
SURE = 1.0  # ... standard errors on it
SHARED = 4  # consecutive fields, two steps, that share the choice made at the last of them
NOISY = 0.3  # kappa below which all share one choice: no cells matter much in so much noise
MIXTURES = (EMCells, MergedCells, SubspaceCells)  # partitions whose components are a model


@final
@dataclass(frozen=True)
class Options:
    """What may be chosen: the degrees of every partition, ridges and damping radii."""

    dim: int
    degrees: Mapping[Partition, int]
    ridges: tuple[float, ...]
    rhos: tuple[float, ...]  # the first one is tried everywhere, the others on winners
    refined_degree: int  # tried on winners of at most `refined_features` features
    refined_features: int
    plain: bool  # whether a plain mixture of few components is taken on which nothing gains

    def first(self, partition: Partition) -> tuple[Candidate, ...]:
        """Return the candidates that are tried at every node."""
        return self._candidates(partition, self._cheap(partition), self.rhos[0])

    def refined(self, partition: Partition) -> tuple[Candidate, ...]:
        """Return the candidates that are tried only where the partition has won."""
        cheap, degree = self._cheap(partition), self.degrees[partition]
        if degree and partition.n_cells * self._size(self.refined_degree) <= self.refined_features:
            degree = max(degree, self.refined_degree)
        found = self._candidates(partition, range(cheap.stop, degree + 1), self.rhos[0])[:-1]
        for rho in self.rhos[1:]:
            found += self._candidates(partition, range(1, degree + 1), rho)[:-1]
        return found

    def _cheap(self, partition: Partition) -> range:
        """Return the degrees of few features, among them 1."""
        degree = self.degrees[partition]
        while degree > 1 and partition.n_cells * self._size(degree) > CHEAP:
            degree -= 1
        return range(1, degree + 1)

    def _size(self, degree: int) -> int:
        return n_features(self.dim, degree)

    def _candidates(
        self, partition: Partition, degrees: Sequence[int], rho: float
    ) -> tuple[Candidate, ...]:
        finite = [ridge for ridge in self.ridges if np.isfinite(ridge)]
        deviating = [Candidate(partition, k, ridge, rho) for k in degrees for ridge in finite]
        return (*deviating, Candidate(partition, 0, np.inf, self.rhos[0]))


@final
@dataclass(frozen=True, eq=False)
class Choice:
    """What won at every node, a level whose choice the ones before it share."""

    kappas: FloatArray  # (n_levels,)
    crossed: CrossFit
    nodes: tuple[Combination, ...]
    tried: tuple[Candidate, ...]  # in the race or later
    mixture: int  # position of the plain Gaussian mixture that all else is compared with
    gain: tuple[float, float]  # nats a row over it of the best that was found, and the error

    def at(self, level: int) -> Combination:
        """Return the combination that fits a level."""
        return self.nodes[bisect_left(nodes_of(self.kappas), level)]

    def candidates_at(self, level: int) -> tuple[Candidate, ...]:
        """Return its candidates."""
        return tuple(self.crossed.candidates[j] for j in self.at(level).members)


def nodes_of(kappas: FloatArray) -> tuple[int, ...]:
    """Return the levels at which choices are made: the sharpest one of every few.

    Cells that serve a sharp level serve a noisier one nearly as well as its own best, and not the
    other way round: on a ring, cells chosen at kappa = 1.6 were five times worse at 3.0 than those
    chosen at 3.5.
    """
    first = SHARED * (int(np.count_nonzero(kappas < NOISY)) // SHARED)
    first = min(first, len(kappas) - 1)
    return tuple(min(k + SHARED, len(kappas)) - 1 for k in range(first, len(kappas), SHARED))


def nats_saved(kappas: FloatArray, saved: FloatArray, mass: FloatArray) -> tuple[float, float]:
    """Return the nats a row that lower losses (n_nodes, n_batches) are worth, and the error.

    By the relation between information and mean squared error (Guo, Shamai and Verdu 2005), two
    denoisers' held-out log densities differ by half the integral of the difference of their risks
    over the signal-to-noise ratio kappa^2: here the trapezoid rule in log kappa.
    """
    nats = trapezoid(saved * kappas[:, None] ** 2, np.log(kappas), axis=0)
    return float(nats.sum() / mass.sum()), spread(nats, mass)


def spread(sums: FloatArray, mass: FloatArray) -> float:
    """Return the standard error of sum(sums) / sum(mass), both (n_batches,), from the batches."""
    deviations = sums - mass * sums.sum() / mass.sum()
    n = len(mass)
    return float(np.sqrt(n / (n - 1) * np.sum(deviations**2)) / mass.sum())


def choose(
    sample: Sample,
    kappas: FloatArray,
    cells: Mapping[Partition, Cells],
    options: Options,
    *,
    progress: Progress,
) -> Choice:
    """Choose a candidate for every node of the ladder by held-out risk.

    All partitions run at all nodes, with the degrees that cost little; of more than 5000 rows,
    those partitions that are among the best three at one of four nodes on 5000 rows, and that of
    the best plain mixture. Other damping radii and higher degrees are then tried where their
    partition has won. At every node the best few are then combined, and the combinations kept if
    together they gain on the best alone. If what is then best gains no more than a standard
    error on a plain mixture of few components, that mixture is taken: on data of one Gaussian, the
    least of many risks left twice its total variation. One of many components approximates a shape
    as cells do, and is no simpler. Both gains are of what would have been chosen without the fold
    that judges it.
    """
    nodes = nodes_of(kappas)
    partitions = list(cells)
    tried: dict[Candidate, None] = {}
    candidates = [c for partition in partitions for c in options.first(partition)]
    if len(sample.x) > RACE_ROWS and len(nodes) > len(RACED):
        raced = sorted({nodes[round(share * (len(nodes) - 1))] for share in RACED})
        thinned = sample.thinned(RACE_ROWS)
        first = cross_fit(thinned, kappas, candidates, cells, raced, progress=progress)
        plain = first.candidates[plainest(thinned, first.candidates, cells)]
        partitions = survivors(first, raced, plain)
        tried.update(dict.fromkeys(candidates))
        candidates = [c for c in candidates if c.partition in partitions]
    crossed = cross_fit(sample, kappas, candidates, cells, nodes, progress=progress)
    mixture = plainest(sample, crossed.candidates, cells)
    for partition in dict.fromkeys(crossed.candidates[crossed.best(k)].partition for k in nodes):
        own = [k for k in nodes if crossed.candidates[crossed.best(k)].partition == partition]
        finer = options.refined(partition)
        if finer:
            more = cross_fit(sample, kappas, finer, cells, own, progress=progress)
            crossed = crossed.joined(more)
    tried.update(dict.fromkeys(crossed.candidates))
    combined = []
    for done, k in enumerate(nodes):
        combined.append(combine(sample, float(kappas[k]), crossed, cells, k, mixture))
        progress("combining", done + 1, len(nodes))
    saved = np.stack([node.best_fresh - node.fresh for node in combined])
    worth, error = nats_saved(kappas[list(nodes)], saved, combined[0].mass)
    if not worth > AVERAGED * error:
        combined = [node.best_alone() for node in combined]
    saved = np.stack([node.mixture_losses - node.fresh for node in combined])
    gain = nats_saved(kappas[list(nodes)], saved, combined[0].mass)
    few = cells[crossed.candidates[mixture].partition].whole.n_components <= FEW
    if options.plain and few and not gain[0] > SURE * gain[1]:
        combined = [node.mixture_alone(mixture) for node in combined]
    return Choice(kappas, crossed, tuple(combined), tuple(tried), mixture, gain)


def survivors(first: CrossFit, raced: Sequence[int], mixture: Candidate) -> list[Partition]:
    """Return the partitions that are among the best at some raced level, and the mixture's."""
    partitions = list(dict.fromkeys(c.partition for c in first.candidates))
    risks = first.risks[list(raced)]
    best = np.stack(
        [risks[:, [c.partition == p for c in first.candidates]].min(axis=1) for p in partitions],
        axis=1,
    )
    kept = {partitions[j] for j in best.argsort(axis=1)[:, :SURVIVORS].ravel()}
    kept.add(mixture.partition)
    return [partition for partition in partitions if partition in kept]


def plainest(
    sample: Sample, candidates: Sequence[Candidate], cells: Mapping[Partition, Cells]
) -> int:
    """Return the position of the plain mixture of fewest components that is as good as the best.

    Good is the log density of held-out rows; as good is within a standard error.
    """
    plain = [j for j, c in enumerate(candidates) if np.isinf(c.ridge)]
    some = [j for j in plain if isinstance(candidates[j].partition, MIXTURES)] or plain
    some.sort(key=lambda j: cells[candidates[j].partition].whole.n_components)
    values = [held_out(sample, cells[candidates[j].partition]) for j in some]
    sums = np.stack([batch_sums(sample, sample.weights * value) for value in values])
    mass = batch_sums(sample, sample.weights)
    behind = sums[int(np.argmax(sums.sum(axis=1)))] - sums
    enough = [not b.sum() / mass.sum() > WORTH * spread(b, mass) for b in behind]
    return some[enough.index(True)]
