"""Formulas from strangers: what is read, exactly, and that nothing else gets in or takes long."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from time import thread_time

import mpmath
import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sympy import Poly, Rational, Symbol, cos, cosh, erf, exp, log, pi, sin, sinh, sqrt, tanh

from symscore.errors import BadExpression, BadOption
from symscore.exact import read_expression, read_polynomial

x, y = sympy.symbols("x y")
NAMES = ["x", "y"]
LIMIT = 0.5  # seconds of this thread, so that a busy machine does not count

READ = {
    "0.1": Rational(1, 10),
    "1.": Rational(1),
    ".5e1": Rational(5),
    "1e-3*x": x / 1000,
    "  x + y  ": x + y,
    "2 - 3 - 4": Rational(-5),
    "2/3/4": Rational(1, 6),
    "2/3*4": Rational(8, 3),
    "-x**2": -(x**2),
    "--x": x,
    "+x": x,
    "2**-3": Rational(1, 8),
    "x**(-1/2)": 1 / sqrt(x),
    "x**-(3/2)": x ** Rational(-3, 2),
    "x**2.5": x ** Rational(5, 2),
    "x**0": Rational(1),
    "(x)": x,
    "exp (x)": exp(x),
    "exp(-x**2/2)/sqrt(2*pi)": exp(-(x**2) / 2) / sqrt(2 * pi),
    "exp(x*log(y))": exp(x * log(y)),
    "tanh(x) + sinh(x)*cosh(y)": tanh(x) + sinh(x) * cosh(y),
    "sin(x)*cos(y) + erf(x - y)": sin(x) * cos(y) + erf(x - y),
    "1/(sqrt(2) - 1)": 1 / (sqrt(2) - 1),
    "log(3 - exp(1))": log(3 - sympy.E),
    "sqrt(sqrt(2)**2 - 2)": Rational(0),
    "log(sqrt(sqrt(2)**2 - 2) + exp(1))": Rational(1),
    "exp(exp(2))": exp(exp(2)),
}


@pytest.mark.parametrize("text", READ)
def test_a_formula_is_read_exactly(text):
    assert read_expression(text, NAMES) == READ[text]


def test_a_symbol_stands_for_itself():
    positive = Symbol("x", positive=True)
    assert read_expression("sqrt(x**2) + y", [positive, "y"]) == positive + y


def test_a_binary_float_in_decimal_digits_keeps_all_of_them():
    value = 0.1
    assert read_expression(f"{Fraction(value).numerator}/2**55", []) == Rational(value)


# What a text does, and the column of the fault.
REFUSED = {
    # Python that would run.
    "__import__('os').system('x')": 1,
    "().__class__": 2,
    "x.__class__": 2,
    "x.is_real": 2,
    "lambda: x": 1,
    "x if y else 1": 3,
    "[x for x in y]": 1,
    "{x}": 1,
    "(x := 2)": 4,
    "x, y": 2,
    "*x": 1,
    "f'{x}'": 1,
    "'x'": 1,
    '"x"': 1,
    "x == y": 3,
    "x < y": 3,
    "x and y": 3,
    "not x": 1,
    "~x": 1,
    "x @ y": 3,
    "x // y": 4,
    "x % y": 3,
    "x << 2": 3,
    "x[0]": 2,
    "exp(x, y)": 6,
    "exp(x=y)": 6,
    "exp(*x)": 5,
    "exp()": 5,
    "yield x": 1,
    "await x": 1,
    "x; y": 2,
    "x # y": 3,
    "x\ny": 2,
    "x\\": 2,
    "x\x00": 2,
    "\ufeffx": 1,
    "eval(x)": 1,
    "open": 1,
    "None": 1,
    "True": 1,
    "...": 1,
    # Names and letters that only look declared.
    "z": 1,
    "X": 1,
    "\u0445": 1,
    "\uff58": 1,
    "\U0001d465": 1,
    "x\u00b2": 2,
    "\uff11": 1,
    "x\u2212y": 2,
    "x\u00a0+ y": 2,
    "\u0661": 1,
    # Numbers that only Python takes.
    "0x10": 2,
    "0b1": 2,
    "0o7": 2,
    "1_000": 2,
    "1j": 2,
    "1or 2": 2,
    "1.2.3": 4,
    "007": 1,
    "1e": 2,
    "nan": 1,
    "inf": 1,
    # No formula.
    "": 1,
    "   ": 4,
    "x +": 4,
    "x y": 3,
    "2x": 2,
    "2(x)": 2,
    "(x)(y)": 4,
    "x(y)": 2,
    "pi(x)": 3,
    "exp": 4,
    "exp x": 5,
    "exp exp(x)": 5,
    "(x": 3,
    "x)": 2,
    "()": 2,
    "x ** ** 2": 6,
    "x^2": 2,
    "x = 2": 3,
    "x!": 2,
    # No real number.
    "1/0": 3,
    "1/(x - x)": 4,
    "0**-1": 1,
    "(-1)**(1/2)": 1,
    "sqrt(-1/1000000)": 1,
    "log(0)": 1,
    "log(-1)": 1,
    "sqrt(2 - exp(1))": 1,
    "log(1/sqrt(2) - sqrt(1/2))": 1,
    "log(tanh(50) - 1)": 1,
    # Zero, but no ball can tell.
    "1/(sqrt(3 + 2*sqrt(2)) - 1 - sqrt(2))": 4,
    "log(exp(log(3)/2)*sqrt(3) - 3)": 1,
    # Exponents.
    "x**y": 4,
    "x**65": 4,
    "x**(1/3)": 5,
    "x**x**x": 4,
    "2**(1/0)": 5,
    "9**9**9": 4,
    "x**(1/1/1)": 5,
    "x**(1 + 1)": 5,
    # Large.
    "((x**64)**64)**64": 2,
    "((2**64)**64)**64": 1,
    "((2**64)**64)**64 - ((2**64)**64)**64": 1,
    "exp(1000000*log(2))": 1,
    "exp(x*log(2)*1e9)": 1,
    "exp(64*log(exp(64*log(2**64))))": 1,
    "exp(exp(exp(exp(10))))": 5,
    "exp(1e400)": 1,
    "sinh(1e7)": 1,
    "1e401": 1,
    "1e-999999999999": 1,
    "1" * 401: 1,
    "sqrt(" + "9" * 100 + ")": 1,
    "(" * 25 + "x" + ")" * 25: 25,
    "(" * 9_000 + "x" + ")" * 900: 25,
    "-" * 900 + "x": 66,
    "x**" + "-" * 900 + "1": 4,
    "x" + "**2" * 300: 4,
    "x" + "+x" * 4_000: 1001,
    "x" * 10_001: 10_001,
    "*".join(["x"] * 300): 1,
    "sin(" * 4 + "+".join(["log(2*x)"] * 150) + ")" * 4: 20,
    "tanh(" * 5 + "x" + ")" * 5: 25,
    "+".join(f"sqrt({10**15 + i}*x)" for i in range(99)): 1601,
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text[:40]))
def test_anything_else_is_refused_at_its_column_in_no_time(text):
    start = thread_time()
    with pytest.raises(BadExpression, match=r"^Expected .*; got .* at column \d+\.$") as refusal:
        read_expression(text, NAMES)
    assert thread_time() - start < LIMIT
    assert refusal.value.column == REFUSED[text]
    assert len(str(refusal.value)) < 300


def test_no_text_is_refused():
    with pytest.raises(BadExpression, match="as a string; got a int"):
        read_expression(7, NAMES)


SLOW = {
    "exponentials": "1/(" + "+".join(f"exp({i})" for i in range(190)) + ")",
    "roots": "+".join(f"sqrt({10**60 + i})" for i in range(64)),
    "powers": "*".join(f"({10**15 + i} + x)**2" for i in range(100)),
    "nested": "tanh(sinh(tanh(cosh(x)*x + 1)*x + 2)**2 - x) + 1",
    "roots of functions": "(erf(((cos(-2*x*pi) + pi*y)*(x*pi - 1)"
    "*log(tanh(2 - pi)*cos(x + 2)))**0.5)"
    "*((cos(0.3)**-1 - log(3**-1.5 + cosh(1/3)))*tanh((cos(cosh(sin(x**1.5)**3))**3)**0.5)))**-1.5",
    "nested deeper": "erf(exp(log(sqrt(x) - x) - x) - x) - x",
    "fractions": "+".join(f"x/{10**15 + i}" for i in range(240)),
    "error functions": "+".join(f"erf(x + {i})" for i in range(130)),
    "logarithms": "+".join(f"log({i}*x)" for i in range(1, 130)),
    "Horner": "(" * 24 + "x" + "*x + 1/3)" * 24,
    "sine of a large number": "sin(1e400) + cos(1e400*pi)",
    "roots of unity": "+".join(f"cos(pi*{i}/257)" for i in range(1, 100)),
    "signs": "+".join(f"log(exp({i}) - {i})" for i in range(95)),
}


@pytest.mark.parametrize("case", SLOW)
def test_a_large_formula_takes_no_time(case):
    start = thread_time()
    read_expression(SLOW[case], NAMES)
    assert thread_time() - start < LIMIT


TOKENS = st.sampled_from(
    [*"()+-*/xy .", "**", "pi", "exp(", "log(", "sqrt(", "sin(", "1", "64", "0.5", "1e9", "-1", "_"]
)


@given(
    st.one_of(
        st.text(max_size=60),
        st.text(alphabet="xyep0123456789+-*/(). ", max_size=60),
        st.lists(TOKENS, max_size=40).map("".join),
    )
)
@settings(max_examples=200, deadline=None)
def test_whatever_the_text_there_is_an_expression_or_our_error(text):
    start = thread_time()
    found, column = read_or_column(text)
    assert thread_time() - start < LIMIT
    assert 1 <= column <= len(text) + 1
    assert found.free_symbols <= {x, y}
    assert not found.has(sympy.nan, sympy.zoo, sympy.oo, sympy.I)


def read_or_column(text: str) -> tuple[sympy.Expr, int]:
    try:
        return read_expression(text, NAMES), 1
    except BadExpression as refusal:
        return sympy.Integer(0), refusal.column


@dataclass(frozen=True)
class Formula:
    """Text, and what it means to mpmath."""

    text: str
    value: Callable[[mpmath.mpf, mpmath.mpf], mpmath.mpf]


LEAVES = st.one_of(
    st.just(Formula("x", lambda x, y: x)),
    st.just(Formula("y", lambda x, y: y)),
    st.just(Formula("pi", lambda x, y: mpmath.pi + 0)),
    st.tuples(st.integers(0, 999), st.integers(1, 4)).map(
        lambda pair: Formula(
            f"{pair[0]}e-{pair[1]}", lambda x, y: mpmath.mpf(pair[0]) / 10 ** pair[1]
        )
    ),
)


def binary(a: Formula, b: Formula, operator: str) -> Formula:
    act = {
        "+": lambda p, q: p + q,
        "-": lambda p, q: p - q,
        "*": lambda p, q: p * q,
        "/": lambda p, q: p / q,
    }[operator]
    return Formula(
        f"({a.text} {operator} {b.text})", lambda x, y: act(a.value(x, y), b.value(x, y))
    )


def unary(a: Formula, function: str) -> Formula:
    return Formula(f"{function}({a.text})", lambda x, y: getattr(mpmath, function)(a.value(x, y)))


def raised(a: Formula, power: int) -> Formula:
    return Formula(f"({a.text})**{power}", lambda x, y: a.value(x, y) ** power)


FORMULAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(binary, inner, inner, st.sampled_from("+-*/")),
        st.builds(unary, inner, st.sampled_from(["exp", "tanh", "sin", "cos", "sinh", "erf"])),
        st.builds(raised, inner, st.integers(-2, 3)),
        inner.map(lambda a: Formula(f"-{a.text}", lambda x, y: -a.value(x, y))),
    ),
    max_leaves=8,
)


@given(FORMULAS)
@settings(max_examples=80, deadline=None)
def test_a_formula_means_what_it_says(formula):
    with mpmath.workdps(40):
        point = mpmath.mpf(7) / 11, mpmath.mpf(13) / 17
        try:
            want = formula.value(*point)
        except (ZeroDivisionError, OverflowError, ValueError):
            assume(False)
        assume(mpmath.isfinite(want) and 1e-6 < abs(want) < 1e6)
        try:
            found = read_expression(formula.text, NAMES)
        except BadExpression:
            assume(False)
        got = found.xreplace({x: Rational(7, 11), y: Rational(13, 17)}).evalf(30)
        # Forty digits less what up to eight operations on numbers below 1e6 may cancel.
        assert abs(mpmath.mpf(str(got)) - want) <= mpmath.mpf(10) ** -12 * abs(want)


@pytest.mark.parametrize(
    "names", [["1x"], ["x y"], ["lambda"], ["x", "x"], ["exp"], ["pi"], ["\u03c3"], [""], [3], "xy"]
)
def test_names_that_mean_something_else_are_refused(names):
    with pytest.raises(BadOption, match="Expected"):
        read_expression("1", names)


def test_a_hostile_symbol_is_refused_by_name():
    with pytest.raises(BadOption, match="letters, digits"):
        read_expression("1", [Symbol("__import__('os').system('x')")])


def as_text(terms: dict[tuple[int, int], Fraction]) -> str:
    return " + ".join(f"({c})*x**{a}*y**{b}" for (a, b), c in terms.items()) or "0"


coefficients = st.fractions(max_denominator=50).filter(bool)
exponents = st.tuples(st.integers(0, 4), st.integers(0, 4))
polynomials = st.dictionaries(exponents, coefficients, max_size=5)


@given(polynomials)
@settings(max_examples=50, deadline=None)
def test_a_polynomial_is_read_back(terms):
    assert read_polynomial(as_text(terms), NAMES) == terms


@given(polynomials, polynomials, st.integers(0, 3))
@settings(max_examples=20, deadline=None)
def test_products_and_powers_are_multiplied_out_exactly(left, right, power):
    text = f"({as_text(left)})**{power} * ({as_text(right)}) - x/3"
    expected = Poly(read_expression(text, NAMES), x, y, domain="QQ")
    want = {a: Fraction(int(c.p), int(c.q)) for a, c in expected.terms() if c != 0}
    assert read_polynomial(text, NAMES) == want


def test_the_order_of_names_is_that_of_exponents():
    assert read_polynomial("y**2*x", ["x", "y"]) == {(1, 2): 1}
    assert read_polynomial("y**2*x", ["y", "x"]) == {(2, 1): 1}


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("exp(x)", 1),
        ("pi", 1),
        ("x**0.5", 1),
        ("1/x", 3),
        ("x/0", 3),
        ("x*(y/(x - x))", 7),
        ("x**9", 1),
        ("x**5*y**5", 1),
        ("x**5*y**5 - x**5*y**5", 1),
        ("((2**64)**64)**64", 1),
        ("x.y", 2),
    ],
)
def test_what_is_no_polynomial_of_the_degree_is_refused(text, column):
    start = thread_time()
    with pytest.raises(BadExpression, match="Expected") as refusal:
        read_polynomial(text, NAMES, max_degree=8)
    assert refusal.value.column == column
    assert thread_time() - start < LIMIT


@pytest.mark.parametrize(
    "text",
    [
        "(1 + a + b + c + d)**20",
        "(1/3 + a/7 + b/11)**64",
        "(1 + a + b + c + d)**64",
        "(a + b + c + d + 1)**9 * (a - b + c - d + 1/7)**9",
        "*".join(f"(a + b/{i})" for i in range(10**9, 10**9 + 64)),
        "+".join(f"(a/{i} + b)**60" for i in range(10**9, 10**9 + 90)),
    ],
)
def test_a_large_polynomial_takes_no_time(text):
    start = thread_time()
    with suppress(BadExpression):
        read_polynomial(text, list("abcd"))
    assert thread_time() - start < LIMIT


@pytest.mark.parametrize("degree", [0, -1, True, 2.5])
def test_a_degree_is_a_positive_whole_number(degree):
    with pytest.raises(BadOption, match="max_degree"):
        read_polynomial("x", NAMES, degree)
