"""Section 4.1 of paper B: derivatives as averages over replicas, and how fast they grow."""

from collections.abc import Iterator
from functools import cache
from itertools import product
from math import factorial
from typing import Any

import sympy
from sympy import Expr, symbols

from symscore.exact import DifferentialField, is_identity
from symscore.exact.proofs.replicas import ReplicaSum, ReplicaTerm, growth
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require

# Products of inner products of replicas, with up to three of them.
MONOMIALS = (
    ReplicaTerm(),
    ReplicaTerm((), (1,)),
    ReplicaTerm((), (2, 2), 1),
    ReplicaTerm(((1, 2),), (2,), 2),
    ReplicaTerm(((1, 1),), (2, 3), 1),
    ReplicaTerm(((2, 3), (2, 2)), (1, 3), 3),
)


# Two atoms in any number of dimensions: all depends on their inner products P with y and GRAM
# between them, on sigma^2 = S, and on the first one's share 1 / (1 + ODDS * TILT).
P = symbols("p0:2")
GRAM = symbols("g00 g01 g11")
S, ODDS, TILT = symbols("s odds tilt")


@cache
def _space() -> DifferentialField:
    return DifferentialField([*P, *GRAM, S, ODDS], {TILT: (P[1] - P[0]) / S})


def _mean() -> Any:
    """Return what multiplies the first atom in the posterior mean, its probability."""
    return _space().element(1 / (1 + ODDS * TILT))


def _euler(f: Any) -> Any:
    space = _space()
    first, second = (space.element(p) * space.diff(f, p) for p in P)
    return first + second


def _laplacian(f: Any) -> Any:
    r"""Return :math:`\sum_{ab} G_{ab} \, \partial_{p_a} \partial_{p_b} f`."""
    space = _space()
    first, second = (space.diff(f, p) for p in P)
    g = [space.element(inner) for inner in GRAM]
    cross = g[1] * space.diff(first, P[1])
    return g[0] * space.diff(first, P[0]) + g[2] * space.diff(second, P[1]) + cross + cross


def _value(average: ReplicaSum) -> Any:
    """Return what multiplies the first atom in an average over replicas."""
    space, share = _space(), _mean()
    groups: dict[tuple[int, ...], list[Expr]] = {}
    for (weights, inner, outer, (q,)), value in average.by_moments(2, 0).items():
        factors = zip((*GRAM, *P), (*inner, *outer), strict=True)
        term = sympy.Mul(value, S**-q, *(base**power for base, power in factors))
        groups.setdefault(weights, []).append(term)
    total, other = space.element(0), space.element(1) - share
    for (i, j), terms in groups.items():
        total += space.element(sympy.Add(*terms)) * share**i * other**j
    return total


@entry(
    "B.p21",
    title="The derivative of a posterior mean, by replicas",
    page="21",
    statement=r"$\sigma^2 \nabla \langle g(x) \rangle = "
    r"\langle g(x) (x - \langle x \rangle) \rangle$ and "
    r"$\sigma^2 \nabla \langle g(x_1, \dots, x_r) \rangle = "
    r"\langle g \, (x_1 + \dots + x_r - r x_{r+1}) \rangle$.",
    kind=Kind.IDENTITY,
    outcome=Outcome.PROVED,
)
def derivative_by_replicas(effort: Effort) -> str:
    """Decide it for atoms with symbolic weights and places, and arbitrary values of g."""
    atoms = effort.pick(2, 3)
    y, s = symbols("y s")  # along one direction, in which the atoms have the coordinates u
    u, w, tilts = (symbols(f"{name}0:{atoms}") for name in ("u", "w", "tilt"))
    total = sympy.Add(*(a * b for a, b in zip(w, tilts, strict=True)))
    for r in (1, 2):
        places = list(product(range(atoms), repeat=r))
        g = dict(zip(places, symbols(f"g0:{len(places)}"), strict=True))
        space = DifferentialField(
            [y, s, *u, *w, *g.values()],
            {tilt: place * y / s for tilt, place in zip(tilts, u, strict=True)},
        )

        def mean(terms: Iterator[Expr], power: int, space: Any = space) -> Any:
            return space.element(sympy.Add(*terms)) / space.element(total) ** power

        average = mean((g[a] * _weight(w, tilts, a) for a in places), r)
        left = space.element(s) * space.diff(average, y)
        more = product(range(atoms), repeat=r + 1)
        right = mean((g[a[:r]] * _source(u, a, r) * _weight(w, tilts, a) for a in more), r + 1)
        require(left == right, "the replica form", r)
        if r == 1:
            centre = mean((u[i] * w[i] * tilts[i] for i in range(atoms)), 1)
            product_mean = mean((g[a] * u[a[0]] * _weight(w, tilts, a) for a in places), 1)
            require(left == product_mean - average * centre, "the covariance with g")
    return f"{atoms} atoms in any dimension, r = 1 and 2, arbitrary g"


def _weight(w: tuple[Expr, ...], tilts: tuple[Expr, ...], chosen: tuple[int, ...]) -> Expr:
    return sympy.Mul(*(w[i] * tilts[i] for i in chosen))


def _source(u: tuple[Expr, ...], chosen: tuple[int, ...], r: int) -> Expr:
    return sympy.Add(*(u[i] for i in chosen[:r]), -r * u[chosen[r]])


@entry(
    "B.Eq10-11",
    title="The Euler operator and the Laplacian on replica averages",
    page="22",
    statement=r"With t factors $\langle x_j, y \rangle$, r replicas and "
    r"$S_r = x_1 + \dots + x_r - r x_{r+1}$: $\langle y, \nabla \rangle \langle P \rangle = "
    r"t \langle P \rangle + \sigma^{-2} \langle P \langle S_r, y \rangle \rangle$, and "
    r"$\Delta \langle P \rangle = \langle \Delta_y P \rangle + 2 \sigma^{-2} "
    r"\langle \langle S_r, \nabla_y P \rangle \rangle + \sigma^{-4} "
    r"\langle P \langle S_r, S_{r+1} \rangle \rangle$.",
    kind=Kind.IDENTITY,
    outcome=Outcome.PROVED,
    depends_on=("B.p21",),
)
def two_rules(effort: Effort) -> str:
    """Decide both rules on products of up to four factors, in every dimension."""
    chosen = MONOMIALS[: effort.pick(4, 6)]
    for monomial in chosen:
        average = ReplicaSum({monomial: 1})
        value = _value(average)
        require(_value(average.euler()) == _euler(value), "rule 10", monomial)
        require(_value(average.laplacian()) == _laplacian(value), "rule 11", monomial)
    return f"{len(chosen)} products, two atoms with symbolic weights and places in any dimension"


@entry(
    "B.Lem4.2",
    title="Powers of the generator by replicas, with counted terms",
    page="22",
    statement=r"$\mathcal L^m f = \langle x_1 \sum_{s + t \le m} \sum a \, \sigma^{-2(s + t + m)} "
    r"\prod_{l \le s} \langle x_{i_l}, x_{i_l'} \rangle \prod_{l \le t} \langle x_{j_l}, y \rangle "
    r"\rangle$ with indices up to 2m + 1 and $\sum |a| \le 30^m (m!)^2$.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    depends_on=("B.Eq10-11",),
    finding=Finding(
        Label.REMARK,
        r"$\sum |a| \le 30^m (m!)^2$",
        r"$\sum |a| \le \prod_{j \le m} (25 j^2 - 18 j + 3) \le 25^m (m!)^2$",
        "By the same induction.",
    ),
)
def replica_expansion(effort: Effort) -> str:
    """Expand and compare for small m, and decide the induction's step for all."""
    found, left, bound, shown = ReplicaSum.mean(), _mean(), 1, []
    for m in range(1, effort.pick(2, 3) + 1):
        found = found.generator()
        left = _laplacian(left) - _euler(left) / _space().element(S)
        require(_value(found) == left, "the expansion", m)
        bound *= growth(2 * m - 1, m - 1)
        require(found.size <= bound <= 25**m * factorial(m) ** 2, "a bound on all |a|", found.size)
        for term in found.terms:
            factors = len(term.pairs) + len(term.singles)
            require(factors <= m and term.power == factors + m, "powers of sigma", term)
        most = max(term.replicas for term in found.terms)
        require(most == 2 * m + 1, "2m + 1 replicas", most)
        shown.append(f"{len(found.terms)} terms, sum {found.size} <= {bound}")
    # A step adds at most one factor and two replicas, and one to q beyond the factors added.
    m, r, t = symbols("m r t")
    drift = t + 2 * r
    curve = t * (t - 1) + 2 * t * 2 * r + 2 * r * 2 * (r + 1)
    for i, j in product(range(1, 6), range(5)):
        counted = (drift + curve).subs({r: i, t: j})
        require(growth(i, j) == int(counted), "the counted growth", (i, j))
    step = (drift + curve).subs({r: 2 * m - 1, t: m - 1})
    require(is_identity(step, 25 * m**2 - 18 * m + 3), "the induction's step", step)
    spare = sympy.Poly((25 * m**2 - step).subs(m, m + 1), m)
    require(
        all(c >= 0 for c in map(int, spare.all_coeffs())), "25 m^2 to be enough for m >= 1", spare
    )
    return f"m = 1, ..., {len(shown)}: " + "; ".join(shown)
