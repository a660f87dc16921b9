"""Exact linear algebra without pivots, against definitions."""

import sympy
from hypothesis import given
from hypothesis import strategies as st
from sympy import Matrix, Rational, symbols
from sympy.combinatorics import SymmetricGroup

from symscore.exact.matrices import adjugate_and_determinant, leading_minors

rationals = st.builds(Rational, st.integers(-9, 9), st.integers(1, 6))


def matrices(n: int) -> st.SearchStrategy[Matrix]:
    entries = st.lists(rationals, min_size=n * n, max_size=n * n)
    return entries.map(lambda flat: Matrix(n, n, flat))


@given(st.integers(1, 4).flatmap(matrices))
def test_adjugate_inverts_and_determinant_is_leibniz_sum(matrix):
    adjugate, determinant = adjugate_and_determinant(matrix)
    assert matrix * adjugate == adjugate * matrix == determinant * sympy.eye(matrix.rows)
    signed = [
        sympy.Mul(permutation.signature(), *(matrix[i, permutation(i)] for i in range(matrix.rows)))
        for permutation in SymmetricGroup(matrix.rows).elements
    ]
    assert determinant == sum(signed)


def test_symbolic_adjugate_and_determinant_by_hand():
    a, b, c = symbols("a b c")
    adjugate, determinant = adjugate_and_determinant(Matrix([[a, b], [b, c]]))
    assert adjugate == Matrix([[c, -b], [-b, a]])
    assert determinant == a * c - b**2


def test_leading_minors_by_hand():
    assert leading_minors(Matrix([[2, 1, 0], [1, 2, 1], [0, 1, 2]])) == [2, 3, 4]
