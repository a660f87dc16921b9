"""Sections 3 and 4.1 of paper B: what is regressed, the generator, and its eigenfunctions."""

from fractions import Fraction
from itertools import product as tuples

import sympy
from flint import arb, fmpq
from sympy import Expr, symbols

from symscore.exact import DifferentialField, ExactMixture, hermite_coefficients, is_identity
from symscore.exact import hermite_e as hermite
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.moments import Exponent, exponents, gaussian_moments
from symscore.exact.arithmetic.polynomial import Polynomial, expectation, partial, product
from symscore.exact.bounds.tanh_powers import generator_moment
from symscore.exact.expansions.hermite import factorials, hermite_to_monomials
from symscore.ledger.entry import Effort, Kind, Outcome, entry, require


@entry(
    "B.Eq3-4",
    title="The posterior mean from the score",
    page="19",
    statement=r"$y + \sigma^2 \nabla \ln p_t(y) = E[\mu \mid y] = \int \mu \, "
    r"e^{\langle y, \mu \rangle / \sigma^2 - |\mu|^2 / 2 \sigma^2} dQ_0 \big/ "
    r"\int e^{\langle y, \mu \rangle / \sigma^2 - |\mu|^2 / 2 \sigma^2} dQ_0$.",
    kind=Kind.IDENTITY,
    outcome=Outcome.PROVED,
)
def tweedie(effort: Effort) -> str:
    """Decide it for atoms with symbolic weights and places in the plane."""
    count = effort.pick(2, 3)
    y, s = symbols("y1:3"), sympy.Symbol("s")
    places = [symbols(f"m{i}_1:3") for i in range(count)]
    weights, tilts = symbols(f"w0:{count}"), symbols(f"tilt0:{count}")
    plain = sympy.Symbol("plain")  # e^(-|y|^2 / 2 s)
    arguments = {
        tilt: (_dot(y, m) - _dot(m, m) / 2) / s for tilt, m in zip(tilts, places, strict=True)
    }
    for m, exponent in zip(places, arguments.values(), strict=True):
        gap = tuple(a - b for a, b in zip(y, m, strict=True))
        normal = -_dot(gap, gap) / (2 * s)
        require(is_identity(normal, exponent - _dot(y, y) / (2 * s)), "a Gaussian, tilted", m)
    field = DifferentialField(
        [*y, s, *(entry for m in places for entry in m), *weights],
        arguments | {plain: -_dot(y, y) / (2 * s)},
    )
    parts = [w * tilt for w, tilt in zip(weights, tilts, strict=True)]
    density = field.element(plain * sympy.Add(*parts))
    for j, coordinate in enumerate(y):
        score = field.diff(density, coordinate) / density
        mean = sympy.Add(*(part * m[j] for part, m in zip(parts, places, strict=True)))
        posterior = field.element(mean) / field.element(sympy.Add(*parts))
        found = field.element(coordinate) + field.element(s) * score
        require(found == posterior, "the posterior mean", coordinate)
    return f"{len(y)} coordinates, {count} atoms with symbolic weights and places"


def _dot(left: tuple[Expr, ...], right: tuple[Expr, ...]) -> Expr:
    return sympy.Add(*(a * b for a, b in zip(left, right, strict=True)))


@entry(
    "B.Eq5-6",
    title="The mean of the clean point, and the regression target",
    page="19",
    statement=r"$y + t \nabla \ln p_t(y) = E[X \mid y]$ for $X = \mu + \sigma_0 \xi$, and "
    r"$E[\mu \mid y] = (1 - \sigma^2 / t) y + (\sigma^2 / t) E[X \mid y]$ with "
    r"$\sigma^2 = \sigma_0^2 + t$; given $\mu$ and y the target is "
    r"$N(\mu, (\sigma_0^2 \sigma^2 / t) I)$.",
    kind=Kind.IDENTITY,
    outcome=Outcome.PROVED,
    depends_on=("B.Eq3-4",),
)
def clean_point(effort: Effort) -> str:
    """Condition every component by completing its square, and compare."""
    x, y, t, a, m, n, w, first, second = symbols("x y t a m n w first second")
    mean, spread = (t * m + a * y) / (a + t), a * t / (a + t)
    square = (x - m) ** 2 / a + (y - x) ** 2 / t
    completed = (x - mean) ** 2 / spread + (y - m) ** 2 / (a + t)
    require(is_identity(square, completed), "a completed square")
    share = (a + t) / t
    target, noise = (1 - share) * y + share * mean, share**2 * spread
    require(is_identity(target, m), "the atom as the target's mean", target)
    require(is_identity(noise, a * (a + t) / t), "the target's variance", noise)
    arguments = {
        symbol: -((y - place) ** 2) / (2 * (a + t)) for symbol, place in ((first, m), (second, n))
    }
    field = DifferentialField([y, t, a, m, n, w], arguments)
    density = field.element(w * first + (1 - w) * second)
    clean = w * first * mean + (1 - w) * second * mean.subs(m, n)
    found = field.element(y) + field.element(t) * field.diff(density, y) / density
    require(found == field.element(clean) / density, "the mean of the clean point")
    regressed = field.element((1 - share) * y) + field.element(share) * found
    atom = field.element(w * first * m + (1 - w) * second * n) / density
    require(regressed == atom, "the posterior mean of the atom")
    return "the target's mean is the atom, its variance sigma_0^2 sigma^2 / t"


@entry(
    "B.Eq7-9",
    title="The generator, its eigenfunctions and its semigroup",
    page="20",
    statement=r"$\mathcal L f = \Delta f - \sigma^{-2} \langle x, \nabla f \rangle$ has "
    r"$\mathcal L h_k = -(|k| / \sigma^2) h_k$, is symmetric in $L^2(N(0, \sigma^2 I))$, and its "
    r"semigroup multiplies $h_k$ by $e^{-|k| t / \sigma^2}$.",
    kind=Kind.IDENTITY,
    outcome=Outcome.PROVED,
)
def generator(effort: Effort) -> str:
    """Derive Hermite polynomials by hand, and average them over noise, all exactly."""
    most, v = effort.pick(5, 8), sympy.Symbol("v")
    x = symbols("x1:3")
    indices = exponents(2, most)
    for k in indices:
        h = sympy.Poly(hermite(k, x, v), *x, v)
        laplacian = h.diff((x[0], 2)) + h.diff((x[1], 2))
        drift = sum((h.diff(s) * sympy.Poly(s, *x, v) for s in x), sympy.Poly(0, *x, v))
        left = laplacian * sympy.Poly(v, *x, v) - drift
        require(left == -sum(k) * h, "an eigenfunction", k)
    for degree in range(most + 1):
        require(_averaged(degree) == _shrunk(degree), "an eigenfunction of the semigroup", degree)
    table = gaussian_moments((fmpq(0),) * 2, ((fmpq(9, 4), fmpq(0)), (fmpq(0), fmpq(9, 4))), 10)
    basis: list[Polynomial] = [{a: fmpq(1)} for a in exponents(2, 4)]
    for f, g in tuples(basis, repeat=2):
        left = expectation(product(g, _generated(f, fmpq(9, 4))), table)
        pairs = (product(partial(f, j), partial(g, j)) for j in range(2))
        energy = sum((expectation(pair, table) for pair in pairs if pair), fmpq(0))
        require(left == -energy, "minus the Dirichlet form", (f, g))
    return f"{len(indices)} eigenfunctions in two variables, symbolic sigma^2"


def _averaged(k: int) -> sympy.Poly:
    r"""Return the mean of ``H_k(a x + (v (1 - a^2))^(1/2) z; v)`` over z."""
    a, v, x, z = symbols("a v x z")
    spread = v * (1 - a**2)
    h = sympy.Poly(hermite(k, a * x + z, v), z)
    moments = (spread ** (j // 2) * sympy.factorial2(j - 1) for j in range(0, k + 1, 2))
    even = [h.coeff_monomial(z**j) for j in range(0, k + 1, 2)]
    total = sympy.Add(*(c * moment for c, moment in zip(even, moments, strict=True)))
    return sympy.Poly(total, a, v, x)


def _shrunk(k: int) -> sympy.Poly:
    a, v, x = symbols("a v x")
    return sympy.Poly(a**k * hermite(k, x, v), a, v, x)


def _generated(f: Polynomial, variance: fmpq) -> dict[Exponent, fmpq]:
    """Apply the generator to a polynomial in two variables."""
    total: dict[Exponent, fmpq] = {}
    for j in range(2):
        slope = partial(f, j)
        place = {tuple(int(i == j) for i in range(2)): -1 / variance}
        for part in (partial(slope, j), product(place, slope)):
            for a, value in part.items():
                total[a] = total.get(a, fmpq(0)) + value
    return {a: value for a, value in total.items() if value != 0} or {(0, 0): fmpq(0)}


@entry(
    "B.Lem4.1",
    title="Noise stability gives low degree",
    page="20",
    statement=r"If $\Vert \mathcal L^m f \Vert \le L^m$ in $L^2(N(0, \sigma^2 I))$, a polynomial g "
    r"of degree below d has $\Vert f - g \Vert \le (L \sigma^2 / d)^m$.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    depends_on=("B.Eq7-9", "B.Herm"),
    uses=("Parseval's identity for the normalised Hermite polynomials",),
    proof="proof-low-degree",
)
def low_degree(effort: Effort) -> str:
    """Decide Parseval and the tail term by term, with its equality case; certify tanh."""
    variance = fmpq(9, 4)
    f: Polynomial = {k: fmpq((7 * sum(k) ** 2 + 3 * k[0] + 1) % 11 - 5, 2) for k in exponents(2, 4)}
    monomials = hermite_to_monomials(f, variance)
    table = gaussian_moments((fmpq(0),) * 2, ((variance, fmpq(0)), (fmpq(0), variance)), 8)
    energies = {k: c * c * variance ** sum(k) * factorials(k) for k, c in f.items()}
    power: Polynomial = monomials
    for m in range(effort.pick(3, 5)):
        norm = expectation(product(power, power), table)
        terms = {k: (sum(k) / variance) ** (2 * m) * e for k, e in energies.items()}
        require(norm == sum(terms.values(), fmpq(0)), "Parseval", (m, norm))
        for d in range(1, 6):
            tail = sum((e for k, e in energies.items() if sum(k) >= d), fmpq(0))
            require(tail <= _bound(norm, variance, d, m), "the tail's bound", (m, d))
        power = _generated(power, variance)
    top: Polynomial = {(4, 0): fmpq(1)}
    norm = expectation(_square(_generated(hermite_to_monomials(top, variance), variance)), table)
    whole = expectation(_square(hermite_to_monomials(top, variance)), table)
    require(_bound(norm, variance, 4, 1) == whole, "equality for one Hermite polynomial")
    d = effort.pick(11, 41)
    with precision(80):
        tail = _tanh_tail(d)
        bounds = [_tanh_bound(d, m) for m in range(1, effort.pick(4, 6))]
        require(all(tail <= bound for bound in bounds), "the tail below all bounds", bounds)
        require(bounds[-1] < bounds[0], "higher orders to be better", bounds)
        return (
            f"tanh, d = {d}: tail {float(tail):.3g}, bounds {float(bounds[0]):.3g} (m = 1) to "
            f"{float(bounds[-1]):.3g} (m = {len(bounds)})"
        )


def _bound(norm: fmpq, variance: fmpq, d: int, m: int) -> fmpq:
    """Return the lemma's bound on the squared distance, from the squared norm of L^m f."""
    return (variance / d) ** (2 * m) * norm


def _square(f: Polynomial) -> dict[Exponent, fmpq]:
    return product(f, f)


def _tanh_tail(d: int) -> arb:
    """Return the distance of tanh from polynomials of degree below d, under N(0, 1)."""
    pair = ExactMixture(("1/2", "1/2"), ((-1,), (1,)), (((1,),), ((1,),)))
    (found,) = hermite_coefficients(pair, d - 1, 1, relative=True, digits=16)
    total = generator_moment(Fraction(1), 0, 2)
    for coefficient in found.values():
        total -= ball_of(coefficient.lower).union(ball_of(coefficient.upper)) ** 2
    return total.sqrt()


def _tanh_bound(d: int, m: int) -> arb:
    return generator_moment(Fraction(1), m, 2).sqrt() / d**m
