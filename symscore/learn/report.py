"""What a recipe tried, what it chose, and what it noticed about the data."""

from dataclasses import asdict, dataclass, replace
from math import isnan, nan
from typing import Any, final

from symscore.learn.select import Candidate
from symscore.mixture import GaussianMixture


@final
@dataclass(frozen=True)
class LevelChoice:
    """What was chosen at one level.

    Attributes
    ----------
    kappa : float
        Signal-to-noise ratio alpha / sigma.
    candidates : tuple of Candidate
        Whose fields are averaged, the best one first.
    shares : tuple of float
        Their shares, which sum to one.
    n_cells : int
        Cells of all of them in the fit to all rows; small ones may have been merged.
    risk, error : float
        Held-out mean of ``|x_0 - D|^2`` in whitened units, and its standard error.
    mixture_risk : float
        Of the best plain Gaussian mixture.
    """

    kappa: float
    candidates: tuple[Candidate, ...]
    shares: tuple[float, ...]
    n_cells: int
    risk: float
    error: float
    mixture_risk: float

    @classmethod
    def unjudged(cls, kappa: float, candidate: Candidate, n_cells: int) -> "LevelChoice":
        """Return the choice of a recipe that holds nothing out: one candidate, and no risks."""
        return cls(kappa, (candidate,), (1.0,), n_cells, nan, nan, nan)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON; figures of what was not held out are None."""
        plain = asdict(self)
        plain["candidates"] = [str(candidate) for candidate in self.candidates]
        plain["shares"] = list(self.shares)
        for name in ("risk", "error", "mixture_risk"):
            plain[name] = None if isnan(plain[name]) else plain[name]
        return plain

    def __str__(self) -> str:
        if len(self.candidates) == 1:
            return str(self.candidates[0])
        parts = zip(self.shares, self.candidates, strict=True)
        return " + ".join(f"{share:.2f} ({candidate})" for share, candidate in parts)


@final
@dataclass(frozen=True)
class MixtureGain:
    """Held-out gain over a plain Gaussian mixture, the simplest that is as good as any.

    Attributes
    ----------
    components : int
        Of that mixture.
    nats, error : float
        Log density gained by the best ladder found, a row, and its standard error over folds.
    taken : bool
        Whether all levels are that mixture.
    """

    components: int
    nats: float
    error: float
    taken: bool = False

    @property
    def mixture_is_enough(self) -> bool:
        """Whether it was taken, or the gain is within two standard errors of nothing."""
        return self.taken or not self.nats > 2 * self.error

    def __str__(self) -> str:
        text = (
            f"{self.nats:+.4f} +- {self.error:.4f} nats a row against a Gaussian mixture with "
            f"k = {self.components}"
        )
        if self.taken:
            return f"{text}, which was taken: use that"
        return f"{text}, which fits as well: use that" if self.mixture_is_enough else text


@final
@dataclass(frozen=True)
class Spike:
    """A single value that holds much more of a column than the values next to it."""

    column: str
    value: float
    share: float


@final
@dataclass(frozen=True)
class Finding:
    """One line of what a recipe found on its way, under a name of at most 15 characters."""

    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.name:<15} {self.text}"


@final
@dataclass(frozen=True, kw_only=True)
class LadderReport:
    """How a ladder was learned.

    Attributes
    ----------
    n_rows, n_distinct : int
        Rows given, and rows left after merging identical ones into weights.
    n_effective : float
        ``(sum w)^2 / sum w^2`` of the rows' weights.
    n_folds : int
        Folds of the cross-fit; 0 where nothing was held out.
    smoothing : float
        Standard deviation, in whitened units, of the smoothing left at the data end.
    rounding : float
        Largest rounding step of a column in whitened units; 0 for continuous data.
    levels : tuple of LevelChoice
        From noise to data.
    tried : tuple of Candidate
        Every candidate that was judged at some level.
    gain : MixtureGain or None
        None where nothing was held out.
    spikes : tuple of Spike
        Values with a mass of their own, which a density cannot show.
    left_out : tuple of int
        Positions of isolated rows so far out that they were left out.
    findings : tuple of Finding
        What the recipe found on its way, in its own words.
    parameters : GaussianMixture or None
        The mixture that a parametric recipe recovered, in the coordinates of the data.
    """

    n_rows: int
    n_distinct: int
    n_effective: float
    n_folds: int
    smoothing: float
    rounding: float
    levels: tuple[LevelChoice, ...]
    tried: tuple[Candidate, ...] = ()
    gain: MixtureGain | None = None
    spikes: tuple[Spike, ...] = ()
    left_out: tuple[int, ...] = ()
    findings: tuple[Finding, ...] = ()
    parameters: GaussianMixture | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain numbers, strings, lists and dicts, ready for JSON."""
        plain = asdict(replace(self, parameters=None))
        plain["levels"] = [level.to_dict() for level in self.levels]
        plain["tried"] = [str(candidate) for candidate in self.tried]
        for name in ("spikes", "left_out", "findings"):
            plain[name] = list(plain[name])
        if self.parameters is not None:
            parts = ("weights", "means", "covariances")
            plain["parameters"] = {part: getattr(self.parameters, part).tolist() for part in parts}
        return plain

    def __str__(self) -> str:
        return "\n".join([*self._summary(), "", *self._table()])

    def _summary(self) -> list[str]:
        lines = [
            f"rows            {self.n_rows}, {self.n_distinct} distinct, "
            f"{self.n_effective:.0f} effective",
            f"candidates      {len(self.tried)} tried on {self.n_folds} folds",
            f"smoothing left  {self.smoothing:.2g} of a standard deviation",
        ]
        if self.rounding:
            lines.append(f"rounding step   {self.rounding:.2g} of a standard deviation")
        if self.gain is not None:
            lines.append(f"gain            {self.gain}")
        lines += [
            f"spike           {spike.share:.1%} of {spike.column!r} is {spike.value:g}"
            for spike in self.spikes
        ]
        if self.left_out:
            lines.append(f"left out        {len(self.left_out)} isolated rows")
        return lines + [str(finding) for finding in self.findings]

    def _table(self) -> list[str]:
        """One line for every stretch of levels that share a choice."""
        lines = [f"{'kappa':>9}  {'risk':>9} {'+-':>8} {'mixture':>9}  cells"]
        before: tuple[object, ...] = ()
        for level in self.levels:
            if (level.candidates, level.shares) != before:
                figures = f"{level.risk:9.2e} {level.error:8.1e} {level.mixture_risk:9.2e}"
                lines.append(f"{level.kappa:9.3g}  {figures}  {level}")
            before = level.candidates, level.shares
        return lines
