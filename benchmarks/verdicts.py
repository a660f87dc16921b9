"""From results to the table, the summary over targets and the verdict."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np
from scipy.stats import t as student_t

from benchmarks.measured import Result
from benchmarks.methods import OURS, RIVALS
from benchmarks.targets import MIXTURE, OTHER

GOALS = {MIXTURE: 0.95, OTHER: 0.70}
WORST_RATIO, WORST_EXCESS = 1.10, 0.005
CONFIDENCE = 0.95
# A fitted density is normalised if the twins differ by no more than this many standard errors.
TWINS_APART = 5.0
GroupOf = Callable[[str], str]


@final
@dataclass(frozen=True)
class Mean:
    """A mean over seeds and the half width of its 95 % interval (None for one seed)."""

    value: float
    half: float | None
    seeds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Mean":
        """Return the mean with Student's interval."""
        n = len(values)
        half = None
        if n > 1:
            error = float(np.std(values, ddof=1)) / n**0.5
            half = float(student_t.ppf((1 + CONFIDENCE) / 2, n - 1)) * error
        return cls(float(np.mean(values)), half, n)

    def __str__(self) -> str:
        return f"{self.value:.4f}" + ("" if self.half is None else f" +-{self.half:.4f}")


@final
@dataclass(frozen=True)
class Ratio:
    """TV(symscore) over the least TV of the rivals, each averaged over the seeds they share.

    `log_error` is the standard error of the ratio's logarithm over seeds, to first order and
    paired, with the better rival taken as known; None for one seed.
    """

    target: str
    group: str
    rival: str
    ours: float
    theirs: float
    log_error: float | None

    @property
    def value(self) -> float:
        """The ratio."""
        return self.ours / self.theirs

    @property
    def breaks(self) -> bool:
        """Whether symscore is worse by more than a tenth and by more than .005."""
        return self.value > WORST_RATIO and self.ours > self.theirs + WORST_EXCESS


@final
@dataclass(frozen=True)
class GroupVerdict:
    """The geometric mean of a group's ratios, its 95 % interval, and the goal."""

    group: str
    targets: int
    mean: float
    interval: tuple[float, float] | None
    goal: float

    @property
    def met(self) -> bool:
        """Whether the geometric mean itself reaches the goal."""
        return self.mean <= self.goal

    def __str__(self) -> str:
        shown = "" if self.interval is None else " [{:.3f}, {:.3f}]".format(*self.interval)
        said = "met" if self.met else f"missed by {self.mean - self.goal:.3f}"
        name = "mixtures of up to 8 Gaussians" if self.group == MIXTURE else "other targets"
        return (
            f"{name} ({self.targets}): geometric mean of the ratios {self.mean:.3f}{shown}, "
            f"goal {self.goal:.2f}: {said}"
        )


def by_target(results: Iterable[Result]) -> dict[str, dict[str, dict[int, Result]]]:
    """Return results by target, method and seed."""
    found: dict[str, dict[str, dict[int, Result]]] = {}
    for result in results:
        found.setdefault(result.target, {}).setdefault(result.method, {})[result.seed] = result
    return found


def ratio_of(target: str, group: str, methods: dict[str, dict[int, Result]]) -> Ratio | None:
    """Return the ratio of one target, over the seeds that all of its methods have done."""
    compared = [methods.get(name, {}) for name in (OURS, *RIVALS)]
    seeds = sorted(set(compared[0]).intersection(*compared[1:]))
    if not seeds:
        return None
    tv = np.array([[method[seed].tv for seed in seeds] for method in compared])
    best = 1 + int(tv[1:].mean(axis=1).argmin())
    ours, theirs = float(tv[0].mean()), float(tv[best].mean())
    influence = tv[0] / ours - tv[best] / theirs
    error = float(influence.std(ddof=1)) / len(seeds) ** 0.5 if len(seeds) > 1 else None
    return Ratio(target, group, RIVALS[best - 1], ours, theirs, error)


def ratios(results: Iterable[Result], group_of: GroupOf) -> list[Ratio]:
    """Return the ratio of every target for which there are all results of some seed."""
    found = by_target(results)
    wanted = (ratio_of(name, group_of(name), methods) for name, methods in found.items())
    return [ratio for ratio in wanted if ratio is not None]


def verdict_on(group: str, rows: Sequence[Ratio]) -> GroupVerdict | None:
    """Return the verdict on a group, or None where none of its targets was measured."""
    own = [row for row in rows if row.group == group]
    if not own:
        return None
    centre = float(np.mean(np.log([row.value for row in own])))
    errors = [row.log_error for row in own if row.log_error is not None]
    interval = None
    if len(errors) == len(own):
        half = 1.96 * float(np.sqrt(np.sum(np.square(errors)))) / len(own)
        interval = float(np.exp(centre - half)), float(np.exp(centre + half))
    return GroupVerdict(group, len(own), float(np.exp(centre)), interval, GOALS[group])


def verdicts(rows: Sequence[Ratio]) -> list[GroupVerdict]:
    """Return the verdicts on both groups, as far as they were measured."""
    return [found for group in GOALS if (found := verdict_on(group, rows)) is not None]


def not_normalised(results: Iterable[Result]) -> list[Result]:
    """Return the results whose twins differ by more than chance."""
    return [
        result
        for result in results
        if abs(result.tv - result.twin) > TWINS_APART * np.hypot(result.tv_error, result.twin_error)
    ]


def conclusion(results: Sequence[Result], group_of: GroupOf) -> list[str]:
    """Return the lines under the table."""
    rows = ratios(results, group_of)
    if not rows:
        return [f"no target was measured with all of {OURS}, {' and '.join(RIVALS)}"]
    lines = [str(found) for found in verdicts(rows)]
    broken = [f"{row.target} ({row.value:.2f})" for row in rows if row.breaks]
    limit = f"more than {WORST_RATIO:.2f} times the better of {' and '.join(RIVALS)} and .005 above"
    lines.append(f"{limit}: {', '.join(broken) or 'none'}")
    apart = [f"{result.method} on {result.target}" for result in not_normalised(results)]
    if apart:
        lines.append(f"twins {TWINS_APART:.0f} standard errors apart: {', '.join(apart)}")
    return lines


def as_json(results: Sequence[Result], group_of: GroupOf) -> dict[str, Any]:
    """Return everything as plain values."""
    rows = ratios(results, group_of)
    return {
        "results": [asdict(result) for result in results],
        "ratios": [asdict(row) | {"ratio": row.value, "breaks": row.breaks} for row in rows],
        "verdicts": [asdict(found) | {"met": found.met} for found in verdicts(rows)],
    }
