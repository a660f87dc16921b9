"""Generic proofs in differential fields: cumulants of every order and the replica formula."""

from collections import Counter
from itertools import combinations, product
from math import factorial

import pytest
import sympy
from sympy import exp, symbols

from symscore.errors import BadData, BadOption, NotCertified
from symscore.exact import DifferentialField, is_identity
from symscore.exact.cumulants import cumulants

y, v = symbols("y v")
MEANS, WEIGHTS, ATOMS = symbols("m0:3"), symbols("w0:3"), symbols("E0:3")
LINE = DifferentialField(
    [y, v, *MEANS, *WEIGHTS],
    {e: -((y - m) ** 2) / (2 * v) for e, m in zip(ATOMS, MEANS, strict=True)},
)
TERMS = [w * e for w, e in zip(WEIGHTS, ATOMS, strict=True)]


def moment(order: int):
    return sum(term * m**order for term, m in zip(TERMS, MEANS, strict=True)) / sum(TERMS)


def test_every_derivative_of_the_posterior_mean_is_a_cumulant():
    # f = E[m | y]; its derivative of order n is the cumulant of order n + 1 over v^n.
    table = cumulants({(n,): moment(n) for n in range(6)})
    for order in range(1, 6):
        derivative = LINE.diff(moment(1), y, order - 1)
        assert derivative == LINE.element(table[order,] / v ** (order - 1))
        assert derivative != LINE.element(-table[order,] / v ** (order - 1))


def test_score_and_tweedie_and_heat_equation_hold_for_any_atoms():
    density = sum(TERMS) / v  # v^(-1/2) replaced by v^-1: the equation below allows for it
    score = LINE.diff(density, y) / LINE.element(density)
    assert score == LINE.element((moment(1) - y) / v)
    # p = v^(-1/2) S solves dp/dv = p'' / 2, so q = v^(-1/2) p solves dq/dv = q'' / 2 - q / (2 v).
    right = LINE.diff(density, y, 2) / LINE.element(2) - LINE.element(density / (2 * v))
    assert LINE.diff(density, v) == right
    assert LINE.diff(density, v) != LINE.diff(density, y, 2)


def test_elements_turn_back_into_expressions():
    square = LINE.element((y + 1) ** 2 / v) - LINE.element((y**2 + 1) / v)
    assert is_identity(LINE.expression(square), 2 * y / v)
    assert LINE.element(0).is_zero


# A term is (pairs, list, power): <x_1 prod <x_i, x_j> prod <x_i, y>> / v^power, the bracket being
# the mean over independent posterior draws x_1, x_2, ...
def generator(terms: Counter) -> Counter:
    """Apply L = Laplacian - <y, grad> / v to a sum of terms.

    From grad <g> = <grad g> + <g V_r> / v with V_r = x_1 + ... + x_r - r x_(r+1), r draws being in
    use; once more for the divergence.
    """
    result: Counter = Counter()
    for (pairs, singles, power), c in terms.items():
        used = max([1, *singles, *(i for pair in pairs for i in pair)])
        first = [(i, 1) for i in range(1, used + 1)] + [(used + 1, -used)]
        second = [(i, 1) for i in range(1, used + 2)] + [(used + 2, -used - 1)]

        def add(more_pairs, left, power, coefficient, pairs=pairs):
            joined = sorted([*pairs, *(tuple(sorted(pair)) for pair in more_pairs)])
            result[tuple(joined), tuple(sorted(left)), power] += coefficient

        add([], singles, power + 1, -c * len(singles))
        for i, a in first:
            add([], (*singles, i), power + 2, -c * a)
            for j, b in second:
                add([(i, j)], singles, power + 2, c * a * b)
            for place, single in enumerate(singles):
                left = singles[:place] + singles[place + 1 :]
                add([(single, i)], left, power + 1, 2 * c * a)
        for one, two in combinations(range(len(singles)), 2):
            left = tuple(s for k, s in enumerate(singles) if k not in (one, two))
            add([(singles[one], singles[two])], left, power, 2 * c)
    return Counter({term: c for term, c in result.items() if c})


# Two atoms in any dimension: only their inner products with each other and with y occur.
GRAM = {(0, 0): symbols("g00"), (0, 1): symbols("g01"), (1, 1): symbols("g11")}
Y, E, W = symbols("y0:2"), symbols("e0:2"), symbols("w0:2")
SPAN = DifferentialField(
    [*Y, v, *GRAM.values(), *W], {E[i]: Y[i] / v - GRAM[i, i] / (2 * v) for i in (0, 1)}
)
SHARES = [W[i] * E[i] / (W[0] * E[0] + W[1] * E[1]) for i in (0, 1)]


def by_chain_rule(value):
    """Apply L to a function of <m_0, y> and <m_1, y>."""
    total = SPAN.element(0)
    for i in (0, 1):
        slope = SPAN.diff(value, Y[i])
        total -= SPAN.element(Y[i] / v) * slope
        for j in (0, 1):
            total += SPAN.element(GRAM[min(i, j), max(i, j)]) * SPAN.diff(slope, Y[j])
    return total


def coefficient_of_first_atom(terms: Counter):
    """Average terms over all draws whose first is atom 0."""
    shares = [SPAN.element(share) for share in SHARES]
    sums: dict[tuple[int, int], Counter] = {}
    for (pairs, singles, power), c in terms.items():
        used = max([1, *singles, *(i for pair in pairs for i in pair)])
        for rest in product((0, 1), repeat=used - 1):
            atom = (None, 0, *rest)
            powers = Counter(tuple(sorted((atom[i], atom[j]))) for i, j in pairs)
            exponents = [powers[key] for key in GRAM]
            exponents += [sum(atom[i] == a for i in singles) for a in (0, 1)] + [-power]
            count = (rest.count(0) + 1, rest.count(1))
            sums.setdefault(count, Counter())[tuple(exponents)] += c
    total = SPAN.element(0)
    for count, monomials in sums.items():
        inner = sympy.Add(
            *(
                c * sympy.Mul(*(b**e for b, e in zip([*GRAM.values(), *Y, v], powers, strict=True)))
                for powers, c in monomials.items()
            )
        )
        total += SPAN.element(inner) * shares[0] ** count[0] * shares[1] ** count[1]
    return total


START = Counter({((), (), 0): 1})


@pytest.mark.parametrize(("order", "count", "size"), [(1, 6, 8), (2, 62, 258), (3, 779, 20210)])
def test_replica_formula(order, count, size):
    terms, wanted = START, SPAN.element(SHARES[0])
    for _ in range(order):
        terms, wanted = generator(terms), by_chain_rule(wanted)
    assert coefficient_of_first_atom(terms) == wanted
    assert (len(terms), sum(map(abs, terms.values()))) == (count, size)
    assert size <= 30**order * factorial(order) ** 2
    assert all(
        power == len(pairs) + len(singles) + order and len(pairs) + len(singles) <= order
        for pairs, singles, power in terms
    )
    wrong = Counter(terms)
    wrong[next(iter(wrong))] *= -1
    assert coefficient_of_first_atom(wrong) != wanted


def test_dependent_exponents_are_refused():
    a, b, c = symbols("a b c")
    for arguments in ({a: y, b: 2 * y}, {a: y**2, b: y, c: (y + 1) ** 2}, {a: sympy.Integer(1)}):
        with pytest.raises(BadOption, match="Expected exponents independent"):
            DifferentialField([y], arguments)


def test_what_is_not_in_the_field_is_refused():
    with pytest.raises(BadData, match="Expected symbols of the field"):
        LINE.element(symbols("stranger"))
    with pytest.raises(NotCertified, match="Expected sums, products and powers"):
        LINE.element(exp(y))
    with pytest.raises(BadData, match="denominators other than zero"):
        LINE.element(1 / ((y + 1) ** 2 - y**2 - 2 * y - 1))
    with pytest.raises(BadOption, match="Expected one of"):
        LINE.diff(y, ATOMS[0])
    with pytest.raises(BadOption, match="Expected different symbols"):
        DifferentialField([y, y])
