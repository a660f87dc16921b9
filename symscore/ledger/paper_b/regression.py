"""Section 5.2 of paper B: least squares in a ball, cell by cell, and what its error is made of."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import combinations, product

import sympy
from flint import fmpq, fmpq_mat
from sympy import Expr, Matrix, Rational, Symbol, sqrt, symbols

from symscore.exact import is_identity
from symscore.ledger.entry import Effort, Finding, Kind, Label, Outcome, entry, require

DEGREE = 2


@entry(
    "B.Eq28-29",
    title="Least squares in a ball of coefficients",
    page="33-34",
    statement=r"On every cell $\hat b$ minimises $\frac1N \sum_i 1_{V_j}(y_i) "
    r"|\sum_k b_k h_k(y_i - \hat\mu_j) - z_i|^2$ over $|b| \le D$, with targets z, and $\hat g$ "
    r"is the polynomial of y's cell. In the ball b is optimal if and only if $(G + \lambda I) b = "
    r"c$ with $\lambda \ge 0$ and $\lambda (D - |b|) = 0$.",
    kind=Kind.ALGORITHM,
    outcome=Outcome.CERTIFIED,
)
def ball_regression(effort: Effort) -> str:
    """Decide that the conditions suffice, and bound the program's excess loss exactly."""
    _check_sufficient()
    gaps, ridges = [], 0
    for start, parity in ((-3, 0), (3, 1)):
        places = [Fraction(3 * i + parity, 8) for i in range(-effort.pick(4, 9), 5)]
        rows = [_features(place) for place in places]
        targets = [start + 2 * place / (1 + place**2) for place in places]
        gram = _means([[a * b for a in row] for b in row] for row in rows)
        cross = _means([[a * z] for a in row] for row, z in zip(rows, targets, strict=True))
        for radius in (2, 50):
            gap, multiplier = _excess(gram, cross, Fraction(radius))
            gaps.append(gap)
            ridges += multiplier > 0
    require(0 < ridges < len(gaps), "both kinds of solutions", ridges)
    worst = max(gaps)
    require(worst < Fraction(1, 10**12), "an excess loss below 1e-12", float(worst))
    return (
        f"{len(gaps)} regressions, {ridges} on the sphere: excess loss at most {float(worst):.1e}"
    )


def _check_sufficient() -> None:
    """Decide the loss at any other point for a symbolic 2 x 2 matrix."""
    g, b, other = symbols("g00 g01 g11"), symbols("b0:2"), symbols("u0:2")
    ridge = Symbol("ridge")
    matrix = Matrix([[g[0], g[1]], [g[1], g[2]]])
    here, there = Matrix(b), Matrix(other)
    cross = (matrix + ridge * sympy.eye(2)) * here

    def loss(at: Matrix) -> Expr:
        return (at.T * matrix * at - 2 * at.T * cross)[0, 0]

    away = there - here
    form = (away.T * matrix * away + ridge * away.T * away)[0, 0]
    slack = ridge * ((here.T * here)[0, 0] - (there.T * there)[0, 0])
    require(is_identity(loss(there) - loss(here), form + slack), "no smaller loss in the ball")


def _features(place: Fraction) -> list[Fraction]:
    """Return the first Hermite polynomials at a place."""
    found = [Fraction(1), place]
    for k in range(1, DEGREE):
        found.append(place * found[k] - k * found[k - 1])
    return found


def _means(tables: Iterable[list[list[Fraction]]]) -> list[list[Fraction]]:
    rows = list(tables)
    return [
        [sum((row[i][j] for row in rows), Fraction(0)) / len(rows) for j in range(len(rows[0][i]))]
        for i in range(len(rows[0]))
    ]


def _excess(
    gram: list[list[Fraction]], cross: list[list[Fraction]], radius: Fraction
) -> tuple[Fraction, float]:
    r"""Bound the loss of the program's coefficients over the least one, and return its ridge.

    For every :math:`\lambda \ge 0` the least loss in the ball is at least
    :math:`-\langle c, (G + \lambda)^{-1} c \rangle - \lambda D^2`. The program's floats are taken
    as the rationals that they are, and scaled into the ball.
    """
    import numpy as np

    from symscore.learn.warm_start.ball import ball_least_squares

    found = ball_least_squares(np.array(gram, float), np.array(cross, float), float(radius))
    ridge = Fraction(found.multiplier)
    b = [Fraction(float(value)) for value in found.coef[:, 0]]
    square = sum((value * value for value in b), Fraction(0))
    if square > radius**2:  # 2 - x is below 1 / x
        b = [(2 - square / radius**2) * value for value in b]
    require(sum(value * value for value in b) <= radius**2, "coefficients in the ball")
    g, c = _exact(gram), _exact(cross)
    column = _exact([[value] for value in b])
    loss = (column.transpose() * g * column - 2 * column.transpose() * c)[0, 0]
    identity = fmpq_mat([[int(i == j) for j in range(len(b))] for i in range(len(b))])
    size = fmpq(ridge.numerator, ridge.denominator)
    dual = -(c.transpose() * (g + size * identity).inv() * c)[0, 0]
    dual -= size * fmpq(radius.numerator, radius.denominator) ** 2
    gap = loss - dual
    require(gap >= 0, "a loss above its lower bound", gap)
    return Fraction(int(gap.p), int(gap.q)), float(ridge)


def _exact(values: list[list[Fraction]]) -> fmpq_mat:
    return fmpq_mat([[fmpq(v.numerator, v.denominator) for v in row] for row in values])


@entry(
    "B.Eq30",
    title="The empirical error, taken apart",
    page="34",
    statement=r"As printed, with $z = E[\mu \mid y]$, $\eta = \mu - z$ and up to terms without B, "
    r"the empirical loss less its mean is $\frac1N \sum_i \langle B h(y_i), \eta_i \rangle + "
    r"\frac1N \sum_i (|B h(y_i) - z_i|^2 - E |B h - z|^2)$.",
    kind=Kind.IDENTITY,
    outcome=Outcome.REFUTED,
    corrected=Outcome.PROVED,
    finding=Finding(
        Label.REFUTED,
        r"the coefficient $+\frac1N$ of the cross term",
        r"$-\frac2N$, with $1_{V_j}(y_i)$ inside both sums and their means",
        r"From $|B h - z - \eta|^2 = |B h - z|^2 - 2 \langle B h - z, \eta \rangle + |\eta|^2$. "
        r"The error bound grows by a factor of 2 at most, which its unstated constants absorb.",
    ),
)
def error_decomposition(effort: Effort) -> str:
    """Decide the corrected identity for symbolic B, and evaluate the printed one on an instance."""
    count = effort.pick(2, 4)
    matrix = Matrix(2, 2, symbols("b0:4"))
    h, z, eta = (
        [Matrix(symbols(f"{name}{i}_0:2")) for i in range(count)] for name in ("h", "z", "eta")
    )
    inside = symbols(f"inside0:{count}")  # the indicator of the cell

    def total(terms: list[Expr]) -> Expr:
        return sympy.Add(*(a * t for a, t in zip(inside, terms, strict=True))) / count

    def loss(at: Matrix) -> Expr:
        return total([_square(at * a - b - c) for a, b, c in zip(h, z, eta, strict=True)])

    def parts(at: Matrix, cross: Rational) -> Expr:
        centred = total([_square(at * a - b) for a, b in zip(h, z, strict=True)])
        mixed = total([((at * a).T * c)[0, 0] for a, c in zip(h, eta, strict=True)])
        return centred + cross * mixed

    # Differences from B = 0, in which terms without B and the means drop out.
    zero = sympy.zeros(2, 2)
    moved = loss(matrix) - loss(zero)
    corrected = parts(matrix, Rational(-2)) - parts(zero, Rational(-2))
    require(is_identity(moved, corrected), "the corrected identity")
    printed = parts(matrix, Rational(1)) - parts(zero, Rational(1))
    # B = I, all h and eta the first unit vector, all z = 0.
    values = dict.fromkeys(inside, 1) | dict.fromkeys(matrix, 0) | {matrix[0]: 1, matrix[3]: 1}
    values |= {vector[i]: int(i == 0) for vector in (*h, *eta) for i in range(2)}
    values |= {vector[i]: 0 for vector in z for i in range(2)}
    left, right = moved.subs(values), printed.subs(values)
    require(left != right, "an instance on which the printed form fails", (left, right))
    return f"symbolic B, N = {count}; printed form on an instance: {right}, loss {left}"


def _square(vector: Matrix) -> Expr:
    return (vector.T * vector)[0, 0]


@entry(
    "B.Lem1",
    title="Small errors of the loss give a small excess loss",
    page="34",
    statement=r"If $\hat b$ minimises the empirical loss, $L(\hat b) - \min_b L(b) \le "
    r"2 \max_b |\hat L(b) - L(b) - c|$ for every constant c.",
    kind=Kind.EXPLICIT,
    outcome=Outcome.PROVED,
    depends_on=("B.Eq30",),
)
def excess_loss(effort: Effort) -> str:
    """Decide the decomposition, and go through all losses on a few points with few values."""
    true, best, empirical, other, shift = symbols("L Lbest E Ebest c")
    parts = (true - empirical + shift) + (empirical - other) + (other - best - shift)
    require(is_identity(true - best, parts), "three parts, the middle one at most 0")
    points, top = 3, effort.pick(3, 4)
    tables = list(product(range(top), repeat=points))
    attained = checked = 0
    for loss, found in product(tables, repeat=2):
        errors = [a - b for a, b in zip(found, loss, strict=True)]
        span = max(errors) - min(errors)  # twice the largest error with the best constant
        for i in (j for j in range(points) if found[j] == min(found)):
            excess = loss[i] - min(loss)
            require(excess <= span, "an excess of at most twice the error", (loss, found))
            attained += excess == span > 0
            checked += 1
    require(attained > 0, "equality somewhere")
    return (
        f"{checked} minimisers of all losses with {top} values on {points} points; {attained} equal"
    )


@entry(
    "B.Eq34",
    title="The largest trace over a ball of matrices",
    page="35",
    statement=r"$\max_{\Vert B \Vert_F \le M} \operatorname{tr}(B G) = M \Vert G \Vert_F$.",
    kind=Kind.IDENTITY,
    outcome=Outcome.PROVED,
)
def largest_trace(effort: Effort) -> str:
    """Decide Lagrange's identity and the case of equality for symbolic matrices."""
    shapes = effort.pick(((1, 2), (2, 2)), ((1, 2), (2, 2), (2, 3), (3, 3)))
    for rows, columns in shapes:
        size = rows * columns
        b, g = symbols(f"b0:{size}", real=True), symbols(f"g0:{size}", real=True)
        left, right = Matrix(rows, columns, b), Matrix(columns, rows, g)
        trace = (left * right).trace()
        flat = list(right.T)
        squares = sum(v * v for v in b) * sum(v * v for v in g)
        pairs = combinations(range(size), 2)
        gap = sympy.Add(*((b[i] * flat[j] - b[j] * flat[i]) ** 2 for i, j in pairs))
        require(is_identity(squares - trace**2, gap), "Lagrange's identity", (rows, columns))
        norm, most = sqrt(sum(v * v for v in g)), Symbol("M", positive=True)
        best = right.T * most / norm
        require(is_identity((best * right).trace(), most * norm), "equality", (rows, columns))
        require(is_identity(sum(v * v for v in best), most**2), "a matrix of the ball")
    return f"symbolic matrices of {len(shapes)} shapes, up to {shapes[-1][0]} x {shapes[-1][1]}"
