"""The practical search: candidates that the data suggest, one of which fresh rows choose."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.learn.general_mixture.gates import GateRule
from symscore.learn.general_mixture.plans import CellPlan, LinkedCells, Proposal
from symscore.learn.general_mixture.search import Shape, Split, judge
from symscore.learn.general_mixture.validation import least
from symscore.learn.hard import REACH
from symscore.learn.hermite import n_features
from symscore.learn.partition import EMCells, GivenCells, Partition
from symscore.learn.prepared import Prepared
from symscore.learn.report import Finding
from symscore.learn.select import Candidate
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel

JUDGED = 6  # levels at which candidates are compared
ORDER = (2, 4, 0, 1, 3, 5)  # in which they are visited
HEATS = 2  # after so many, all but the best fall out
SURVIVORS = 10
JUDGED_KEY = 2**32  # keys of their noise, apart from those of the levels of the ladder
FIRST_KAPPA = 0.15  # of the judged levels; nearer to the noise all candidates are alike
LARGEST = 700  # features of the soft twin


@final
@dataclass(frozen=True, eq=False)
class ShortList:
    """What to try: every start with every plan.

    Attributes
    ----------
    starts : sequence of Partition
        Ways to find crude components.
    plans : sequence of CellPlan
    gates : GateRule
    shapes : sequence of (int, float)
        Degrees and ridges of the polynomials.
    sharpness : float
        Smoothing left at the last judged level, relative to the smallest component sd.
    """

    starts: Sequence[Partition]
    plans: Sequence[CellPlan]
    gates: GateRule
    shapes: Sequence[Shape]
    sharpness: float


@final
@dataclass(frozen=True, eq=False)
class Choice:
    """What was chosen, and what else was tried.

    Attributes
    ----------
    crude : GaussianMixture
        Crude components of all rows.
    start : Partition
        How they were found.
    plan : CellPlan
    degree, ridge : int and float
        Of the polynomials; an infinite ridge is none.
    tried : tuple of Candidate
    findings : tuple of Finding
    """

    crude: GaussianMixture
    start: Partition
    plan: CellPlan
    degree: int
    ridge: float
    tried: tuple[Candidate, ...] = ()
    findings: tuple[Finding, ...] = ()

    @classmethod
    def one_gaussian(cls, dim: int) -> "Choice":
        """Return the choice where the rows are too few for any: N(0, I), and no polynomial."""
        crude = GaussianMixture(np.ones(1), np.zeros((1, dim)), np.eye(dim)[None])
        return cls(crude, EMCells(1), LinkedCells(0.0), 0, np.inf)

    def candidate(self) -> Candidate:
        """Return the line of the report."""
        return _candidate(self.start, self.crude, self.plan, (self.degree, self.ridge))


def choose(ready: Prepared, split: Split, listed: ShortList) -> Choice:
    r"""Judge every candidate and return the one of least loss: steps A5 and A9.

    Crude components, polynomials and their number come from the fitted rows alone. The loss is
    summed over a few levels as Lemma 12 of arXiv 2404.18893 weighs them, by the length of a step in
    time; differences are then the nats by which the law of the draws is nearer to that of the rows.
    Candidates that are far behind at two of the levels are not judged at the others.
    """
    weights = split.sample.weights[split.fitted]
    rows, share = split.sample.x[split.fitted], weights / weights.sum()
    crudes = [start.fit(rows, share, seed=split.sample.seed) for start in listed.starts]
    tried = [
        (j, Proposal(crude, plan, listed.gates, ball(rows), True))
        for j, crude in enumerate(crudes)
        for plan in (listed.plans if crude.n_components > 1 else listed.plans[:1])
    ]
    schedule, _ = ready.schedule(crudes, sharpness=listed.sharpness, max_ratio=1.5)
    last = float(schedule.kappas[-1])
    losses = _raced(split, last, [proposal for _, proposal in tried], listed.shapes)
    best, column = divmod(least(losses[:, 1:].ravel().tolist()), len(listed.shapes))
    start, proposal = listed.starts[tried[best][0]], tried[best][1]
    gain = np.nanmin(losses[:, 0]) - losses[best, 1 + column]
    whole = split.sample.weights / split.sample.weights.sum()
    return Choice(
        start.fit(split.sample.x, whole, seed=split.sample.seed, start=proposal.crude),
        start,
        proposal.plan,
        *listed.shapes[column],
        tuple(
            _candidate(listed.starts[j], own.crude, own.plan, shape)
            for j, own in tried
            for shape in listed.shapes
        ),
        (Finding("held out", f"{gain:+.4f} nats a row against the best crude mixture"),),
    )


def _raced(
    split: Split, last: float, proposals: Sequence[Proposal], shapes: Sequence[Shape]
) -> FloatArray:
    """Return the losses of :func:`judge`, integrated over time; NaN for those that fell behind."""
    kappas = np.geomspace(min(FIRST_KAPPA, last / 2), last, JUDGED)
    apart = float(np.log(kappas[1] / kappas[0]))
    means = split.means()
    total = np.zeros((len(proposals), 1 + len(shapes)))
    kept = list(range(len(proposals)))
    for place, j in enumerate(ORDER):
        level = NoiseLevel.from_kappa(float(kappas[j]))
        own = [proposals[p] for p in kept]
        losses = judge(split, level, JUDGED_KEY + j, means, own, shapes)
        total[kept] += apart * level.sigma**2 * losses  # dt = sigma^2 d log kappa
        if place == HEATS - 1 and len(kept) > SURVIVORS:
            order = np.argsort(total[:, 1:].min(axis=1), kind="stable")
            total[order[SURVIVORS:]] = np.nan
            kept = sorted(order[:SURVIVORS].tolist())
    return total


def ball(x: FloatArray) -> float:
    """Return the radius of the ball that holds denoised points: twice the largest norm of a row."""
    return REACH * float(np.sqrt((x**2).sum(axis=1).max()))


def twin_degree(degree: int, k: int, dim: int) -> int:
    """Return the degree of the soft twin: at most 2, with features that are not too many."""
    while degree > 0 and (degree > 2 or k * n_features(dim, degree) > LARGEST):
        degree -= 1
    return degree


def _candidate(start: Partition, crude: GaussianMixture, plan: CellPlan, shape: Shape) -> Candidate:
    return Candidate(GivenCells(crude, f"{start} {plan}"), *shape)
