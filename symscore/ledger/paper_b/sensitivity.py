"""Section 4.1 of paper B: noise sensitivity, and that denoisers of bounded laws have it."""

from fractions import Fraction
from itertools import product as tuples
from typing import TypeVar

import sympy
from flint import arb, fmpq
from sympy import symbols

from symscore.exact import is_identity
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.moments import gaussian_moments
from symscore.exact.bounds.tanh_powers import generator_moment
from symscore.exact.proofs.replicas import ReplicaSum
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require

Number = TypeVar("Number", arb, sympy.Expr)
# R / sigma, what stands for the root of m p, and sigma.
INSTANCES = (("1", "3/2", "4"), ("0", "1/3", "5"), ("1/2", "2"))
ORDERS = ((1, 2), (1, 4), (2, 2), (2, 4), (3, 2))  # m and p


def _norm(mu: Fraction, m: int, p: int, law: bool = False) -> arb:
    """Return the norm of the generator's m-th power on mu tanh(mu y)."""
    return generator_moment(mu, m, p, law=law).root(p)


def _side(r: Number, sigma: Number, m: int, root: Number) -> Number:
    """Return the right side of definition 4.3, `root` being that of m p or r if that is larger."""
    return r * sigma * (r * m**2 / sigma**2) ** m * root**m


def _allowed(r: Fraction, m: int, p: int) -> arb:
    """Return the right side for sigma = 1."""
    size = ball_of(r)
    return _side(size, arb(1), m, arb.max(size, arb(m * p).sqrt()))


@entry(
    "B.Def4.3",
    title="Gaussian noise sensitivity",
    page="23",
    statement=r"f is $(r, \sigma)$-Gaussian-noise-sensitive if "
    r"$\Vert \mathcal L^m f \Vert_{L^p} \le r \sigma \, (r m^2 / \sigma^2)^m "
    r"\max(r, \sqrt{m p})^m$ under $N(0, \sigma^2 I)$ for all $m, p \ge 1$.",
    kind=Kind.DEFINITION,
    outcome=Outcome.CERTIFIED,
    depends_on=("B.Eq7-9",),
)
def noise_sensitivity(effort: Effort) -> str:
    """Decide for two atoms which r suffice, and that sigma is a change of scale."""
    _check_scale(effort.pick(2, 4))
    enough, short = Fraction(4, 5), Fraction(3, 4)
    orders, places = effort.pick(ORDERS[:3], ORDERS), effort.pick((1,), (Fraction(1, 2), 1, 2))
    shares = []
    with precision(64):
        for mu in map(Fraction, places):
            for order in orders:
                norm = _norm(mu, *order)
                require(norm <= _allowed(enough * mu, *order), "r = 4/5 R / sigma", (mu, order))
                shares.append(norm / _allowed(enough * mu, *order))
            first = _norm(mu, 1, 2)
            require(first > _allowed(short * mu, 1, 2), "r = 3/4 R / sigma to be too small", mu)
        most = max(shares, key=lambda share: float(share.upper()))
    return (
        f"two atoms, {len(shares)} cases of (R / sigma, m, p): r = {enough} R / sigma is enough, "
        f"norms at most {float(most.upper()):.3f} of what is allowed; {short} R / sigma is not"
    )


def _check_scale(most: int) -> None:
    """Check that both sides of the definition have one scale for sigma f(y / sigma)."""
    y, r = sympy.Symbol("y"), sympy.Rational(5, 7)
    for sigma in map(sympy.Rational, ("3/2", "2/5")):
        plain = wide = sympy.Poly(y**7 - 2 * y**4 + y / 3, y)
        wide = wide.compose(sympy.Poly(y / sigma, y)) * sigma
        for m in range(1, most + 1):
            plain = plain.diff((y, 2)) - sympy.Poly(y, y) * plain.diff(y)
            wide = wide.diff((y, 2)) - sympy.Poly(y / sigma**2, y) * wide.diff(y)
            factor = _side(r, sigma, m, r) / _side(r, sympy.Integer(1), m, r)
            scaled = plain.compose(sympy.Poly(y / sigma, y)) * factor
            require(wide == scaled, "the scale of both sides", m)


@entry(
    "B.Lem4.4",
    title="The denoiser of a bounded law is noise sensitive",
    page="23",
    statement=r"$Q_0$ in $B_R$, $R \ge \sigma$: $\Vert \mathcal L^m f \Vert_{L^p(P)} = R \cdot "
    r"O(\sigma^{-2} (m R / \sigma)^2 (1 + \sqrt{m p} \, \sigma / R))^m$, and under "
    r"$N(0, \sigma^2 I)$ it is at most $R \cdot O(\sigma^{-2} (m^2 R / \sigma) "
    r"\max(R / \sigma, \sqrt{m p}))^m$.",
    kind=Kind.UNSPECIFIED,
    outcome=Outcome.PROVED,
    depends_on=("B.Lem4.2", "B.LemB.4"),
    uses=("Jensen's and Hölder's inequalities", r"$(E |\xi|^q)^{1/q} \le \sqrt q$ for $q \ge 1$"),
    proof="proof-bounded-denoiser",
    finding=Finding(
        Label.REMARK,
        "constants in O",
        r"$25^m (m!)^2 R \sigma^{-2m} (R / \sigma)^{2m} (1 + \sqrt{m p} \, \sigma / R)^m$ under P, "
        r"and $e^{m/2} 25^m (m!)^2 R \sigma^{-2m} (R / \sigma)^{2m} "
        r"(2 + \sqrt{m p} \, \sigma / R)^m$ under $N(0, \sigma^2 I)$: f is "
        r"$(44 R / \sigma, \sigma)$-noise-sensitive",
        r"A term of lemma 4.2 is at most $R^{1 + 2 s} \sigma^{-2(s + t + m)}$ times the t-th power "
        r"of $\Vert \langle \mu, y \rangle \Vert_{p m} \le R^2 + \sigma R \sqrt{p m}$, as "
        r"$(x_j, y)$ has the law of $(\mu, y)$. Under $N(0, \sigma^2 I)$ take Hölder's inequality "
        r"with $q = (R / \sigma)^2 / (p m)$.",
    ),
)
def bounded_law(effort: Effort) -> str:
    """Decide every step of the explicit form, and compare it with two atoms."""
    for a, g, sigma in tuples(*(map(Fraction, row) for row in INSTANCES)):
        for m in range(1, effort.pick(3, 6)):
            terms = _term_bounds(a * sigma, sigma, g, m)
            closed = a * sigma * (a**2 * (1 + g / a) / sigma**2) ** m
            require(max(terms) == closed, "the largest term", (a, g, m))
    _check_change_of_measure()
    with precision(64):
        _check_singles(effort.pick(10, 20))
        constant = 25 * (arb(1) / 2).exp() * (1 + arb(2) / 44)
        require(constant <= 44 and constant > 43, "44 R / sigma to be enough", constant)
        found, shares = ReplicaSum.mean(), []
        for m in range(1, effort.pick(2, 3) + 1):
            found = found.generator()
            bound = sum(
                (abs(a) * (1 + arb(2 * m).sqrt()) ** len(term.singles))
                for term, a in found.terms.items()
            )
            norm = _norm(Fraction(1), m, 2, law=True)
            require(norm <= bound, "two atoms below the bound", (norm, bound))
            shares.append(f"{float(norm):.3g} <= {float(bound):.3g}")
    return f"(44 R / sigma, sigma)-noise-sensitive; two atoms, p = 2, under P: {', '.join(shares)}"


def _term_bounds(radius: Fraction, sigma: Fraction, g: Fraction, m: int) -> list[Fraction]:
    """Return the bounds of all kinds of terms, g standing for the root of m p."""
    return [
        radius ** (1 + 2 * s) * (radius**2 + sigma * radius * g) ** t / sigma ** (2 * (s + t + m))
        for s in range(m + 1)
        for t in range(m + 1 - s)
    ]


def _check_change_of_measure() -> None:
    """Check Hölder's exponents, and what they make of the two factors."""
    a, mp = symbols("a mp", positive=True)  # R / sigma, and m p
    q = a**2 / mp
    require(is_identity(1 / (1 + 1 / q) + 1 / (1 + q), 1), "conjugate exponents")
    # The density's norm in L^(1 + 1/q) is at most e^(a^2 / 2 q); it comes to the power 1 / m p.
    require(is_identity(a**2 / (2 * q) / mp, sympy.Rational(1, 2)), "a factor e^(1/2) a single")
    require(is_identity(mp * (1 + q), mp + a**2), "the moment's order")
    excess = (sympy.sqrt(mp) + a) ** 2 - (mp + a**2)
    require(is_identity(excess, 2 * a * sympy.sqrt(mp)), "a root of at most sqrt(m p) + R / sigma")


def _check_singles(most: int) -> None:
    """Check the norm of <mu, y> for two atoms, where it is R^2 + sigma R xi."""
    for radius, sigma in ((fmpq(1), fmpq(1)), (fmpq(3), fmpq(1)), (fmpq(1, 8), fmpq(1))):
        table = gaussian_moments((radius**2,), (((sigma * radius) ** 2,),), 2 * most)
        for q in range(2, 2 * most + 1, 2):
            norm, spread = ball_of(table[(q,)]).root(q), ball_of(sigma * radius)
            bound = ball_of(radius**2) + spread * arb(q).sqrt()
            require(norm <= bound, "a single's norm below its bound", (norm, bound))
            require(norm > ball_of(radius**2), "a norm above that without noise", norm)
