"""Section 5.1 of paper B: warm starts, their Voronoi cells, and where a point falls."""

from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import product
from typing import Any

import sympy
from flint import acb, arb, fmpq
from sympy import Expr, exp, sqrt, symbols

from symscore.exact import DifferentialField, is_identity
from symscore.exact.arithmetic.balls import ball_of, precision, within
from symscore.exact.arithmetic.quadratic_forms import normal_tail
from symscore.exact.arithmetic.quadrature import integral, tail_mass
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require

# Four atoms, within 1 of two warm starts.
ATOMS = (Fraction(-4), Fraction(-5, 2), Fraction(11, 5), Fraction(7, 2))
WEIGHTS = (Fraction(1, 5), Fraction(3, 10), Fraction(3, 10), Fraction(1, 5))
STARTS = (Fraction(-3), Fraction(3))


@entry(
    "B.Def5.1",
    title="A complete set of warm starts",
    page="29",
    statement=r"A set C is a complete set of R-warm starts if "
    r"$Q_0(\bigcup_{\hat\mu \in C} B_R(\hat\mu)) = 1$.",
    kind=Kind.DEFINITION,
    outcome=Outcome.PROVED,
)
def complete_warm_starts(effort: Effort) -> str:
    """Find the least radius of four atoms, and the mass covered at smaller ones, exactly."""
    distances = [min(abs(atom - start) for start in STARTS) for atom in ATOMS]
    radii = sorted(set(distances))
    masses = [_covered(radius) for radius in radii]
    require(masses == sorted(masses) and masses[-1] == 1, "a complete set at last", masses)
    require(_covered(radii[-1] - Fraction(1, 10**9)) < 1, "no complete set below the radius")
    shown = ", ".join(f"{mass} within {radius}" for radius, mass in zip(radii, masses, strict=True))
    return f"four atoms, two warm starts: {shown}"


def _covered(radius: Fraction) -> Fraction:
    near = (any(abs(atom - start) <= radius for start in STARTS) for atom in ATOMS)
    return sum((w for w, found in zip(WEIGHTS, near, strict=True) if found), Fraction(0))


@entry(
    "B.Def5.2",
    title="Voronoi cells, restrictions and their denoisers",
    page="29",
    statement=r"For a set S, $P_S$ is the part of P from S, of the density $p_S$, and "
    r"$f_S(y) = E[\mu \mid y, \mu \in S] = y + \sigma^2 \nabla \ln p_S(y)$; V is the Voronoi "
    r"partition of a set of warm starts. Then $p f = p_S f_S + p_{S^c} f_{S^c}$.",
    kind=Kind.DEFINITION,
    outcome=Outcome.PROVED,
    depends_on=("B.Eq3-4",),
)
def restrictions(effort: Effort) -> str:
    """Decide it for symbolic atoms on both sides, and count cells of exact points with ties."""
    sides = effort.pick((1, 1), (2, 2))
    count, (y, s) = sum(sides), symbols("y s")
    m, w, bells = (symbols(f"{name}0:{count}") for name in ("m", "w", "bell"))
    exponents = {bell: -((y - a) ** 2) / (2 * s) for bell, a in zip(bells, m, strict=True)}
    field = DifferentialField([y, s, *m, *w], exponents)

    def density(places: range) -> Any:
        return sum((field.element(w[i] * bells[i]) for i in places), field.element(0))

    def mean(places: range) -> Any:
        return sum((field.element(m[i] * w[i] * bells[i]) for i in places), field.element(0))

    inside, outside = range(sides[0]), range(sides[0], count)
    for places in (inside, outside, range(count)):
        p = density(places)
        tweedie = field.element(y) + field.element(s) * field.diff(p, y) / p
        require(tweedie == mean(places) / p, "the mean of the restricted law", places)
    require(mean(inside) + mean(outside) == mean(range(count)), "the mean of both parts")
    centres = ((0, 0), (2, 0), (0, 2), (2, 2))
    cells = [cells_of(point, centres) for point in product(range(-2, 5), repeat=2)]
    require(all(len(cell) >= 1 for cell in cells), "a cell for every point")
    ties = sum(len(cell) > 1 for cell in cells)
    require(ties == 13, "13 points on the lines between cells", ties)
    return f"{count} symbolic atoms; {len(cells)} points in cells, {ties} of them in several"


def cells_of(point: tuple[int, ...], centres: tuple[tuple[int, int], ...]) -> list[int]:
    """Return the centres that are nearest: several where there is a tie."""
    squares = [sum((a - b) ** 2 for a, b in zip(point, c, strict=True)) for c in centres]
    return [i for i, square in enumerate(squares) if square == min(squares)]


@entry(
    "B.Lem5.3",
    title="The denoiser is local",
    page="29",
    statement=r"With $R' = 3 R + 2 \sqrt2 \, \sigma \sqrt{\ln(k' / \varepsilon)}$, "
    r"$S_i = B_{R'}(\hat\mu_i)$ and $f_{loc} = f_{S_i}$ on $V_i$: "
    r"$\Vert f - f_{loc} \Vert^2_{L^2(P)} \le (32 \sigma^2 + 6 R'^2) \, \varepsilon$.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    depends_on=("B.Lem5.4", "B.Def5.2"),
    uses=(
        "Jensen's inequality",
        r"$E[Z^2; A] \le r P(A) + \int_0^\infty P(Z^2 > r + a) \, da$",
    ),
    finding=Finding(
        Label.REMARK,
        r"$f_{S_i}$ on $V_i$",
        r"$\hat\mu_i$ on $V_i$ where $Q_0(S_i) = 0$",
        r"There $f_{S_i}$ is not defined; the proof needs only $|f_{loc} - \hat\mu_i| \le R'$.",
    ),
)
def locality(effort: Effort) -> str:
    """Decide the steps of the proof, and certify its first inequality for four atoms."""
    a, b, u, v, r, z, t, s, big, sigma, eps = symbols("a b u v r z t s L sigma eps", positive=True)
    # u and v: how far two foreign atoms of posterior probability a and b are from f_loc.
    gap = a * u**2 + b * v**2 - (a * u + b * v) ** 2
    require(is_identity(gap, (1 - a - b) * (a * u**2 + b * v**2) + a * b * (u - v) ** 2), "Jensen")
    require(is_identity(2 * z**2 + 2 * r**2 - (z + r) ** 2, (z - r) ** 2), "two squares")
    require(is_identity(2 * r**2 + 2 * s**2 - (r + s) ** 2, (r - s) ** 2), "the shifted radius")
    # big is the root of ln(k' / eps); a radius larger by s belongs to a smaller epsilon.
    larger = (big + s / (2 * sqrt(2) * sigma)) ** 2 - big**2
    require(is_identity(larger - s**2 / (8 * sigma**2), big * s / (sqrt(2) * sigma)), "its tail")
    tail = exp(-t / (16 * sigma**2))
    primitive = -16 * sigma**2 * tail
    require(is_identity(primitive.diff(t), tail), "the integral of the tail")
    second = 2 * r**2 * eps - primitive.subs(t, 0) * eps
    require(is_identity(2 * second + 2 * r**2 * eps, (32 * sigma**2 + 6 * r**2) * eps), "the sum")
    with precision(effort.pick(53, 80)):
        error, moment = _local_error(), _foreign_moment()
        require(error <= moment, "an error of at most E[(|mu - start| + 1)^2; foreign]", error)
        require(8 * error > moment, "a bound that is not far above", error)
        return f"radius 1 for four atoms: {float(error):.4f}, at most {float(moment):.3f}"


def _local_error() -> arb:
    """Return the error for cells that know their own atoms only, sigma = 1."""
    far, width = fmpq(14), (2 * arb.pi()).sqrt()
    knots = ([-far, fmpq(-2), fmpq(0)], [fmpq(0), fmpq(2), far])
    # No atom is within 10 of a point outside, and no two are 8 apart.
    mass = sum((integral(lambda y: _bells(y)[0], ends) for ends in knots), arb(0)) / width
    require(mass.overlaps(1 - within(tail_mass(fmpq(1), fmpq(10)))), "a density", mass)
    parts = zip((range(2), range(2, 4)), knots, strict=True)
    found = sum((integral(_misfit(own), ends) for own, ends in parts), arb(0)) / width
    return found + within(64 * tail_mass(fmpq(1), fmpq(10)))


def _bells(y: acb) -> tuple[acb, list[acb]]:
    """Return the density times the root of 2 pi, and the parts of the atoms."""
    parts = [
        ball_of(w) * (-((y - ball_of(a)) ** 2) / 2).exp()
        for w, a in zip(WEIGHTS, ATOMS, strict=True)
    ]
    return sum(parts, acb(0)), parts


def _misfit(own: range) -> Callable[[acb], acb]:
    """Return the squared distance of the posterior means, times the density."""

    def value(y: acb) -> acb:
        density, bells = _bells(y)
        shifts = [bell * ball_of(a) for bell, a in zip(bells, ATOMS, strict=True)]
        near = sum((shifts[i] for i in own), acb(0)) / sum((bells[i] for i in own), acb(0))
        return (sum(shifts, acb(0)) / density - near) ** 2 * density

    return value


def _foreign_moment() -> arb:
    total = arb(0)
    for atom, weight in zip(ATOMS, WEIGHTS, strict=True):
        other = STARTS[0] if atom > 0 else STARTS[1]
        total += ball_of(weight * (abs(atom - other) + 1) ** 2) * normal_tail(ball_of(abs(atom)))
    return total


@entry(
    "B.Lem5.4",
    title="A point falls into the cell of a near centre",
    page="30",
    statement=r"If $|\mu - \hat\mu_i| \le R$ for some i and $Y = \mu + \sigma \xi \in V_{i'}$, "
    r"then $|\mu - \hat\mu_{i'}| \le 3 R + 2 \sqrt2 \, \sigma \sqrt{\ln(k' / \varepsilon)}$ with "
    r"probability at least $1 - \varepsilon$.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    uses=(r"$P(Z > t) \le \frac12 e^{-t^2 / 2}$", "the union bound", "Cauchy's inequality"),
    finding=Finding(
        Label.REMARK,
        r"$\varepsilon$, and $\mu \in V_i$ in the proof",
        r"$\varepsilon / 2$, for any i with $|\mu - \hat\mu_i| \le R$",
        "One side of the normal tail is enough.",
    ),
)
def near_centre(effort: Effort) -> str:
    """Decide the half-space and the radius, and certify the extreme instances."""
    a, b, mu, xi = (symbols(f"{name}1:3") for name in ("a", "b", "mu", "xi"))
    sigma, r, big = symbols("sigma R L", positive=True)

    place = [m + sigma * x for m, x in zip(mu, xi, strict=True)]
    across, own = _minus(b, a), _minus(mu, a)
    nearer = _inner(_minus(place, a), _minus(place, a)) - _inner(_minus(place, b), _minus(place, b))
    half = 2 * (sigma * _inner(xi, across) + _inner(own, across)) - _inner(across, across)
    require(is_identity(nearer, half), "nearer to b as a half-space of the noise")
    apart = 2 * (r + sigma * sqrt(2) * big)  # the largest distance of the centres on the event
    require(is_identity(r + apart, 3 * r + 2 * sqrt(2) * sigma * big), "the radius")
    with precision(64):
        inverses = effort.pick((2, 100), (2, 9, 100, 10**6))
        shares = [_extreme(k, Fraction(1, n)) for k in (1, 2, 5, 40) for n in inverses]
        short = _extreme(2, Fraction(1, 100), Fraction(1, 2))
        require(short > 2, "a radius half as large that fails", short)
        worst = max(shares, key=lambda share: float(share.upper()))
        require(all(share <= 1 for share in shares), "a probability of at most eps / 2", worst)
        require(5 * worst > 2, "nearly attained", worst)
        return f"R = 0: {float(worst):.2f} of eps / 2; {float(short):.1f} of it at half the radius"


def _minus(left: Iterable[Expr], right: Iterable[Expr]) -> list[Expr]:
    return [p - q for p, q in zip(left, right, strict=True)]


def _inner(left: Iterable[Expr], right: Iterable[Expr]) -> Expr:
    return sympy.Add(*(p * q for p, q in zip(left, right, strict=True)))


def _extreme(k: int, eps: Fraction, factor: Fraction = Fraction(1)) -> arb:
    """Return how likely one of k foreign centres just beyond the radius is, over eps / 2.

    R = 0 and sigma = 1, the centres equally far away in orthogonal directions, by the union bound.
    """
    radius = 2 * (2 * (ball_of(Fraction(k) / eps)).log()).sqrt() * ball_of(factor)
    return k * normal_tail(radius / 2) / ball_of(eps / 2)
