"""Section 5.1 of paper B, continued: the law in one cell against a Gaussian at its centre."""

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations_with_replacement, product
from math import factorial

import sympy
from flint import arb
from sympy import Expr, exp, symbols

from symscore.exact import (
    ExactMixture,
    Slabs,
    best_piecewise_error,
    is_identity,
    projection_error,
)
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.quadratic_forms import normal_tail
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require
from symscore.ledger.paper_b.cells import ATOMS, STARTS, WEIGHTS, cells_of


@entry(
    "B.Lem5.5",
    title="The density in a cell, against a Gaussian at its centre",
    page="31",
    statement=r"As printed: $\int_{V_i} (dP_{V_i} / d\gamma_{\hat\mu_i, 1})^{p + 1} \, "
    r"d\gamma_{\hat\mu_i, 1} \le e^{p R^2 / 2}$ for complete R-warm starts.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.REFUTED,
    corrected=Outcome.PROVED,
    depends_on=("B.LemB.4", "B.Eq25"),
    uses=(r"Jensen's inequality for $x^{p + 1}$",),
    finding=Finding(
        Label.REFUTED,
        r"$e^{p R^2 / 2}$",
        r"$e^{p (p + 1) R^2 / 2}$, or the bound $e^{p R^2 / 2}$ for the $L^{1 + p}$ norm",
        r"A point mass at distance R from its centre has $e^{p (p + 1) R^2 / 2}$, above the "
        r"printed bound for all p, R > 0. The norm is what lemma 4.5 asks for, so nothing that "
        r"rests on it changes. For $\sigma \ne 1$ read $R / \sigma$.",
    ),
)
def cell_density(effort: Effort) -> str:
    """Complete the square for every p and R, and certify four atoms in two cells."""
    y, r, p = symbols("y R p", positive=True)
    whole = (p + 1) * (r * y - r**2 / 2) - y**2 / 2
    square = -((y - (p + 1) * r) ** 2) / 2
    require(is_identity(whole - square, _point_rate(p, r)), "the point mass's integral")
    require(is_identity(_point_rate(p, r), (p + 1) * _printed_rate(p, r)), "the norm's bound")
    with precision(96):
        found, printed = (_at_one(rate).exp() for rate in (_point_rate, _printed_rate))
        require(found > printed, "a point mass above the printed bound", (found, printed))
        sigma, shares, above = Fraction(7, 10), [], 0
        radius = 1 / sympy.Rational(str(sigma))
        for power in effort.pick((1, 4), (1, 2, 4, 6)):
            bound = ball_of(Fraction(str(_printed_rate(power, radius)))).exp()
            for cell in (0, 1):
                value = _cell_integral(cell, power, sigma)
                norm = (value.log() / (power + 1)).exp()
                require(norm <= bound, "a norm below the bound", (power, norm))
                above += value > bound
                shares.append(norm / bound)
        worst = max(map(float, shares))
        require(worst > 0.2, "norms not far below the bound", worst)
        require(above > 0, "the printed bound exceeded")
    shown = f"four atoms: norms at most {worst:.3f} of the bound, {above} integrals above it"
    return f"point mass, p = R = 1: {float(found):.3f} > {float(printed):.3f}; {shown}"


def _point_rate(p: Expr | int, r: Expr | int) -> Expr:
    return sympy.Rational(1, 2) * p * (p + 1) * r**2


def _printed_rate(p: Expr | int, r: Expr | int) -> Expr:
    return sympy.Rational(1, 2) * p * r**2


def _at_one(rate: Callable[[int, int], Expr]) -> arb:
    return ball_of(Fraction(str(rate(1, 1))))


def _cell_integral(cell: int, power: int, sigma: Fraction) -> arb:
    """Return the integral over a half-line, by the multinomial theorem and completed squares."""
    centre, side = STARTS[cell], 1 if cell else -1
    places = [(atom - centre) / sigma for atom in ATOMS]
    total = arb(0)
    for chosen in combinations_with_replacement(range(4), power + 1):
        count = factorial(power + 1)
        weight = Fraction(1)
        for i in range(4):
            count //= factorial(chosen.count(i))
            weight *= WEIGHTS[i] ** chosen.count(i)
        mean = sum((places[i] for i in chosen), Fraction(0))
        squares = sum((places[i] ** 2 for i in chosen), Fraction(0))
        inside = normal_tail(ball_of(side * (-centre / sigma - mean)))
        total += count * ball_of(weight) * ball_of((mean**2 - squares) / 2).exp() * inside
    return total


@entry(
    "B.Eq25",
    title="A foreign centre's Gaussian is smaller in a cell",
    page="32",
    statement=r"$d\gamma_{\hat\mu_j} / d\gamma_{\hat\mu_i} \le 1$ on $V_i$, so that the part of a "
    r"foreign component in $V_i$ is bounded by lemma B.4 about its own centre.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    depends_on=("B.LemB.4",),
    finding=Finding(
        Label.TYPO,
        r"the reason given compares the distances of $\mu_j$ from both centres",
        r"those of y: $|y - \hat\mu_i| \le |y - \hat\mu_j|$ for $y \in V_i$",
        "The conclusion is right.",
    ),
)
def foreign_gaussian(effort: Effort) -> str:
    """Decide the ratio of both densities, and its order on exact points, ties included."""
    y, a, b = (symbols(f"{name}1:3") for name in ("y", "a", "b"))
    s = symbols("s", positive=True)
    flat = (((s, 0), (0, s)),)
    above, below = (ExactMixture((1,), (c,), flat).density(y) for c in (b, a))
    # Above 0 beyond the bisecting line.
    height = sympy.Add(*((q - p) * (x - (p + q) / 2) for x, p, q in zip(y, a, b, strict=True)))
    require(is_identity(above / below, exp(height / s)), "the ratio of the densities")
    counts = {-1: 0, 0: 0, 1: 0}
    width = effort.pick(3, 6)
    for place in product(range(-width, width + 1), repeat=2):
        cells = cells_of(place, ((-1, 0), (2, 1)))
        values = dict(zip((*y, *a, *b), (*place, -1, 0, 2, 1), strict=True))
        exponent = Fraction(*map(int, height.subs(values).as_numer_denom()))
        require((0 in cells) == (exponent <= 0), "at most 1 in the cell alone", place)
        require((len(cells) > 1) == (exponent == 0), "1 on the border alone", place)
        counts[(exponent > 0) - (exponent < 0)] += 1
    return f"ratio below, at, above 1: {counts[-1]}, {counts[0]}, {counts[1]} exact points"


@entry(
    "B.Lem5.6",
    title="Low-degree polynomials on cells",
    page="32",
    statement=r"Some polynomials $g_i$ of degree $O((R / \sigma + \sqrt{\ln(k' / \varepsilon)})^6 "
    r"\ln^4(1/\varepsilon))$ have $\Vert f - g_i \Vert^2_{P_{V_i}} \lesssim "
    r"\varepsilon^2 (R^2 + \sigma^2 \ln(k' / \varepsilon))$ and $\Vert g_i \Vert_\gamma \le D$.",
    kind=Kind.EXISTENCE,
    outcome=Outcome.NOT_CHECKABLE,
    depends_on=("B.Lem4.4", "B.Lem4.5", "B.Lem5.3", "B.Lem5.5"),
    reason="the constants in the degree and in the error are not stated",
    weaker="for four atoms and two cells, that the best polynomials on cells come near the "
    "denoiser, much nearer than one polynomial of the same degree",
)
def polynomials_on_cells(effort: Effort) -> str:
    """Certify both squared errors by degree."""
    covariances = (((1,),),) * 4
    law = ExactMixture(WEIGHTS, tuple((atom,) for atom in ATOMS), covariances)
    halves, degrees = Slabs((1,), (0,)), effort.pick((1, 5), (1, 3, 5, 7, 9))
    cells = [best_piecewise_error(law, halves, d, digits=8) for d in degrees]
    whole = [projection_error(law, d, digits=8) for d in degrees]
    uppers = [certificate.upper for certificate in cells]
    require(uppers == sorted(uppers, reverse=True), "errors that fall", uppers)
    for one, two in zip(whole, cells, strict=True):
        require(3 * two.upper < one.lower, "a third of one polynomial's error", (one, two))
    require(uppers[-1] < Fraction(1, 100), "a squared error below 1/100", float(uppers[-1]))
    shown = (
        f"degree {d}: {float(two.upper) ** 0.5:.3g} ({float(one.lower) ** 0.5:.3g})"
        for d, one, two in zip(degrees, whole, cells, strict=True)
    )
    return f"{', '.join(shown)}; in brackets one polynomial"
