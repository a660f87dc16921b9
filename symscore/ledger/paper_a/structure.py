"""Sections 1.1 and 2 of paper A: the score of a mixture, partitions, and the informal lemmas."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain, combinations, pairwise, product

import sympy
from flint import arb, fmpq
from sympy import Expr, Matrix, symbols

from symscore.exact import DifferentialField, ExactMixture, Slabs, best_piecewise_error, is_identity
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.quadratic_forms import normal_tail
from symscore.ledger.entry import Effort, Entry, Finding, Kind, Label, Outcome, entry, require

Component = tuple[fmpq, fmpq]
# On the line, in two cells: mean and variance of every component.
CELLS: tuple[tuple[Component, ...], ...] = (
    ((fmpq(0), fmpq(1)), (fmpq(1), fmpq(3, 2))),
    ((fmpq(10), fmpq(1)), (fmpq(11), fmpq(1, 2)), (fmpq(12), fmpq(1))),
)
# Where the second cell begins.
CUT = fmpq(5)


@entry(
    "A.Eq3",
    title="The score of a Gaussian mixture",
    page="8",
    statement=r"$\nabla \log M(x) = -\sum_i w_i(x) Q_i^{-1} (x - \mu_i)$ with the posterior "
    r"weights $w_i \propto \lambda_i N_i(x)$.",
    kind=Kind.IDENTITY,
    outcome=Outcome.PROVED,
)
def score_of_mixture(effort: Effort) -> str:
    """Decide it in a field with two exponentials, in the plane, with all parameters symbolic."""
    x, y, m, n, c, one, two = symbols("x y m n c one two")
    inverses = [Matrix([[sympy.Symbol(f"p{k}"), sympy.Symbol(f"r{k}")]] * 2) for k in (1, 2)]
    for k, inverse in enumerate(inverses, start=1):
        inverse[1, 0], inverse[1, 1] = sympy.Symbol(f"r{k}"), sympy.Symbol(f"q{k}")
    # c is the ratio of both weights with their determinants; the first mean is the origin.
    places = (Matrix([x, y]), Matrix([x - m, y - n]))
    forms = [-(z.T * k * z)[0, 0] / 2 for z, k in zip(places, inverses, strict=True)]
    names = [x, y, m, n, c, *sorted(inverses[0].free_symbols | inverses[1].free_symbols, key=str)]
    field = DifferentialField(names, dict(zip((one, two), forms, strict=True)))
    density = field.element(one + c * two)
    shares = (one / (one + c * two), c * two / (one + c * two))
    pulls = [inverse * z for inverse, z in zip(inverses, places, strict=True)]
    for axis, symbol in enumerate((x, y)):
        formula = -sum(w * pull[axis] for w, pull in zip(shares, pulls, strict=True))
        require(field.diff(density, symbol) / density == field.element(formula), "the score", axis)
    law = ExactMixture(("1/3", "2/3"), ((0,), (2,)), (((1,),), (("1/2",),)))
    at = sympy.Rational(3, 4)
    first, second = sympy.exp(-(at**2) / 2) / 3, 2 * sympy.sqrt(2) * sympy.exp(-((at - 2) ** 2)) / 3
    value = -(first * at + second * 2 * (at - 2)) / (first + second)
    require(is_identity(law.score(at)[0], value), "the value on the line", value)
    return f"2 components in the plane, {len(names) - 2} symbolic parameters"


@entry(
    "A.Prop5",
    title="Piecewise polynomials come near the score",
    page="8",
    statement=r"There are cells $c: R^d \to \{1, \dots, n_c\}$ and polynomials of degree "
    r"$poly(k \tau / \varepsilon)$ with $E \Vert s - p_{c(x)} \Vert^2 \le \varepsilon$, found "
    r"from $d^{poly(\ell)}$ samples.",
    kind=Kind.EXISTENCE,
    outcome=Outcome.NOT_CHECKABLE,
    depends_on=("A.Prop48",),
    reason="informal; the polynomials are not stated (proposition 48 is the precise form)",
    weaker="for pairs on the line with variances 1 and 1/2, the least degree for which two cells "
    "reach a mean square of 1/100",
    finding=Finding(
        Label.REMARK,
        "a polynomial on every cell",
        "a gated polynomial with a linear fallback on every cell",
        "As proposition 48 has it.",
    ),
)
def polynomial_on_cells(effort: Effort) -> str:
    """Certify for every pair that the degree is enough and one less is not."""
    halves, most, shown = Slabs((1,), (0,)), Fraction(1, 100), []
    for mu in effort.pick((2, 5), (1, 2, 3, 5)):
        pair = ExactMixture(("1/2", "1/2"), ((-mu,), (mu,)), (((1,),), (("1/2",),)))
        errors = [best_piecewise_error(pair, halves, degree, digits=6) for degree in range(1, 9)]
        reached = [error.upper < most for error in errors]
        require(True in reached, "a degree of at most 8 to be enough", mu)
        degree = 1 + reached.index(True)
        require(all(e.lower > most for e in errors[: degree - 1]), "no lower degree", mu)
        require(all(a.upper >= b.lower for a, b in pairwise(errors)), "order")
        shown.append(f"{degree} at mu = {mu}")
    return f"degrees: {', '.join(shown)}"


def _distance(one: Component, other: Component) -> fmpq:
    r"""Return :math:`\|\Delta \mu\| + \|\Delta Q\|_F` on the line."""
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _separation(cells: Iterable[Iterable[Component]]) -> tuple[fmpq, fmpq]:
    """Return the largest distance inside a cell and the least one across cells."""
    blocks = [list(cell) for cell in cells]
    inside = [_distance(p, q) for cell in blocks for p, q in combinations(cell, 2)]
    across = [_distance(p, q) for a, b in combinations(blocks, 2) for p, q in product(a, b)]
    return max(inside, default=fmpq(0)), min(across)


@entry(
    "A.Def6",
    title="Separated partitions",
    page="10",
    statement=r"A partition is $(\Delta_{in}, \Delta_{out})$-separated if $\Vert \mu_i - \mu_j "
    r"\Vert + \Vert Q_i - Q_j \Vert_F$ is at least $\Delta_{out}$ across cells and at most "
    r"$\Delta_{in}$ inside, and c(x) has $P_{N_i}[c \ne t] \le \varepsilon_{part}$ for i in "
    "cell t.",
    kind=Kind.DEFINITION,
    outcome=Outcome.CERTIFIED,
    finding=Finding(
        Label.TYPO,
        r"one $D_p$ for two distances",
        r"here the sum of norms; in proposition 32 $\Vert \Delta\mu \Vert^2 + "
        r"\Vert \Delta Q \Vert_F^2$",
        "Two quantities under one name.",
    ),
)
def separated_partition(effort: Effort) -> str:
    """Decide the distances of five components, and enclose how often a cut errs."""
    inside, across = _separation(CELLS)
    require((inside, across) == (fmpq(2), fmpq(19, 2)), "the distances", (inside, across))
    moved = (*CELLS[0], CELLS[1][0]), CELLS[1][1:]
    worse = _separation(moved)
    require(worse[0] > worse[1], "no separation once a component changes its cell", worse)
    with precision(64):
        errors = [
            normal_tail(abs(ball_of(CUT - mean)) / ball_of(variance).sqrt())
            for cell in CELLS
            for mean, variance in cell
        ]
        sides = [(mean > CUT) == bool(t) for t, cell in enumerate(CELLS) for mean, _ in cell]
        require(all(sides), "means in their own cells", sides)
        worst = max(errors, key=float)
        # Mills: t / (1 + t^2) phi(t) < P(Z > t) < phi(t) / t.
        t = 4 / ball_of(fmpq(3, 2)).sqrt()
        bell = (-t * t / 2).exp() / (2 * arb.pi()).sqrt()
        require(worst < bell / t and worst > bell * t / (1 + t * t), "Mills's bounds", worst)
    return f"(Delta_in, Delta_out) = ({inside}, {across}), eps_part = {float(worst):.3e}"


def _informal(
    id: str, page: str, title: str, statement: str, precise: str, findings: Finding | None = None
) -> Entry:
    return Entry(
        id=id,
        title=title,
        page=page,
        statement=statement,
        kind=Kind.EXISTENCE,
        outcome=Outcome.NOT_CHECKABLE,
        depends_on=(precise,),
        reason=f"informal, with constants not stated: {precise} is the precise form, and has its "
        "own row",
        finding=findings,
    )


simplification = _informal(
    "A.Prop7",
    "11",
    "Dropping far components changes the score little",
    r"For a separated partition with a good c(x): $E_M \Vert s(x; M) - s(x; M(U_{c(x)})) \Vert^2 "
    r"\le poly(k \tau R) \sqrt\varepsilon$.",
    "A.Prop32",
)
tight_mixture = _informal(
    "A.Lem8",
    "11",
    "The score of a tight mixture is nearly a polynomial",
    r"If all components are within $\Delta_{in}$, then some polynomial of degree "
    r"$poly(\tau \Delta_{in} / \varepsilon)$ is within $\varepsilon$ of the score with high "
    "probability.",
    "A.Lem45",
)
crude_list = _informal(
    "A.Lem9",
    "12",
    "A list that holds crude parameters of every component",
    r"A list of size $(R / \sqrt\beta)^{O(k^2)} d^{O(k)}$ holds for every i crude "
    r"$(\hat\mu_i, \hat Q_i)$, with the errors of lemma 13.",
    "A.Lem13",
    Finding(
        Label.PROOF_GAP,
        r"errors with $\alpha \log R$ and $\lambda_{min}^{-1}$",
        r"errors with $\lambda_{min}^{-3/2}$, and no $\alpha \log R$: see lemma 13",
        "Inherited from lemmas 17 and 18.",
    ),
)


def _linked(points: tuple[Component, ...], reach: fmpq) -> list[list[Component]]:
    """Return the cells of single linkage: chains of steps shorter than the reach."""
    cells: list[list[Component]] = []
    for point in points:
        near = [c for c in cells if any(_distance(point, other) < reach for other in c)]
        cells = [c for c in cells if c not in near] + [[point, *chain(*near)]]
    return cells


def _submixture(parts: list[tuple[Expr, Expr]]) -> tuple[Expr, Expr]:
    """Return weight and density of a sub-mixture of components with weights."""
    weight = sympy.Add(*(w for w, _ in parts))
    return weight, sympy.Add(*(w * density for w, density in parts)) / weight


@entry(
    "A.Def10",
    title="Sub-mixtures of a partition, and its existence",
    page="21",
    statement=r"With cells $U_t$ of a partition: M(S) is the mixture of the components in S, and "
    r"(j, x) the joint law of label and point. Single linkage at $\Delta_{out}$ gives a partition "
    r"with $\Delta_{in} \le (k - 1) \Delta_{out}$.",
    kind=Kind.DEFINITION,
    outcome=Outcome.PROVED,
    finding=Finding(
        Label.REMARK,
        r"weights 1/k and $1 / \vert S \vert$",
        r"weights $\lambda_i$ and $\lambda_i / \sum_{j \in S} \lambda_j$",
        "Written for equal weights; from page 42 on the general ones are used.",
    ),
)
def sub_mixtures(effort: Effort) -> str:
    """Decide the sum of sub-mixtures with symbols, and linkage for all sets on a lattice."""
    weights, densities = symbols("w0:4", positive=True), symbols("N0:4", positive=True)
    parts = list(zip(weights, densities, strict=True))
    whole = sympy.Add(*(w * n for w, n in parts))
    halves = [_submixture(list(block)) for block in (parts[:1], parts[1:])]
    joined = sympy.Add(*(w * density for w, density in halves))
    require(is_identity(joined, whole), "a mixture of its sub-mixtures", joined)
    # Bayes: the posterior weight in M is that in M(S), times the share of S.
    share = halves[1][0] * halves[1][1] / whole
    inner = weights[2] * densities[2] / (halves[1][0] * halves[1][1])
    require(is_identity(share * inner, weights[2] * densities[2] / whole), "posterior weights")
    side = effort.pick(3, 4)
    lattice = [(fmpq(m), fmpq(v)) for m, v in product(range(side + 1), range(1, side))]
    reach, sets, longest = fmpq(2), 0, fmpq(0)
    for count in (2, 3, 4):
        for points in combinations(lattice, count):
            cells, sets = _linked(points, reach), sets + 1
            require(sorted(chain(*cells)) == sorted(points), "a partition", points)
            if len(cells) > 1:
                inside, across = _separation(cells)
                require(across >= reach, "cells apart", (points, across))
            else:
                inside = _separation([*cells, [(fmpq(99), fmpq(1))]])[0]
            # On a lattice steps shorter than 2 have length 1.
            require(inside <= (count - 1) * (reach - 1), "short cells", (points, inside))
            longest = max(longest, inside)
    require(longest == 3 * (reach - 1), "a bound that is attained", longest)
    return f"{sets} sets of components; inside at most {longest} = (k - 1) steps, attained"
