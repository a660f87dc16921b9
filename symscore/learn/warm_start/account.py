"""What the loop over warm starts found, in words, and what it used at every level."""

from collections.abc import Sequence

from symscore.learn.partition import GivenCells
from symscore.learn.report import Finding, LevelChoice
from symscore.learn.select import Candidate
from symscore.learn.warm_start.loop import Plan, Refresh
from symscore.learn.warm_start.means import VoronoiMean
from symscore.mixture import GaussianMixture


def findings_of(
    means: Sequence[VoronoiMean], refreshes: Sequence[Refresh], plan: Plan, *, given: bool
) -> list[Finding]:
    """Return the noise, centres and shares covered at each refresh, and whether the ball held.

    Parameters
    ----------
    means : sequence of VoronoiMean
    refreshes : sequence of Refresh
    plan : Plan
    given : bool
        Whether the noise was given rather than estimated.
    """
    counts = ", ".join(str(len(refresh.cover.centres)) for refresh in refreshes)
    held = sum(int((mean.multipliers > 0).sum()) for mean in means)
    cells = sum(len(mean.centres) for mean in means)
    found = [
        Finding("noise", f"sd {plan.noise:.3g} in the frame, {'given' if given else 'estimated'}"),
        Finding("warm starts", f"{counts or 'none'} at each refresh"),
        Finding("ball", f"of coefficients, held {held} of {cells} fits of a cell"),
    ]
    if refreshes:
        shares = [refresh.cover.covered for refresh in refreshes]
        text = f"{min(shares):.1%} of the denoised rows at least, {shares[-1]:.1%} at the last"
        found.append(Finding("covered", text))
    return found


def level_choices(means: Sequence[VoronoiMean], crude: GaussianMixture) -> list[LevelChoice]:
    """Return a choice a level; levels with as many centres share a candidate.

    Parameters
    ----------
    means : sequence of VoronoiMean
    crude : GaussianMixture
        About the last warm starts.
    """
    levels: list[LevelChoice] = []
    for mean in means:
        name = f"{len(mean.centres)} warm starts"
        if levels and str(levels[-1].candidates[0].partition) == name:
            candidate = levels[-1].candidates[0]
        else:
            candidate = Candidate(GivenCells(crude, name), mean.degree, 0.0)
        levels.append(LevelChoice.unjudged(mean.level.kappa, candidate, len(mean.centres)))
    return levels
