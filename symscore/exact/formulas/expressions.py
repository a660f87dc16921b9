"""Formulas given as text, read without ever running them: SymPy expressions and polynomials."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import final

import sympy
from flint import arb, fmpq
from sympy import Expr, Symbol

from symscore.errors import BadOption
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.formulas import syntax
from symscore.exact.formulas.syntax import Node
from symscore.exact.formulas.tokens import check_names, refuse

MAX_DEGREE = 256
# A number of 65,536 bits is built in no time; a root of one is not, as SymPy looks for factors,
# and beyond 4,300 digits Python refuses to print it.
MAX_BITS = 1 << 16
MAX_PRINTED_BITS = 14_000
MAX_ROOT_BITS = 256
MAX_ROOTS = 64
MAX_EXP = 10**6
# Nodes below functions and powers, once for each of these: SymPy asks them all for their sign, and
# below sines and cosines for their parity too.
MAX_WORK = 3_000
TRIGONOMETRIC_WORK = 4
MAX_EVALUATED = 60
SIGN_BITS = 256

_FUNCTIONS = {
    "exp": (sympy.exp, arb.exp),
    "log": (sympy.log, arb.log),
    "sqrt": (sympy.sqrt, arb.sqrt),
    "sinh": (sympy.sinh, arb.sinh),
    "cosh": (sympy.cosh, arb.cosh),
    "tanh": (sympy.tanh, arb.tanh),
    "sin": (sympy.sin, arb.sin),
    "cos": (sympy.cos, arb.cos),
    "erf": (sympy.erf, arb.erf),
}
_RESERVED = {*_FUNCTIONS, "pi"}
_GROWING = ("exp", "sinh", "cosh")
_UNREAL = (sympy.I, sympy.zoo, sympy.nan, sympy.oo, -sympy.oo)


def read_expression(text: str, names: Sequence[str | Symbol]) -> Expr:
    r"""Return the SymPy expression that a formula in text says, without evaluating it as code.

    A formula is made of numbers, the declared names, ``pi``, ``+ - * /``, brackets, ``**`` with
    whole or half exponents up to 64, and the functions exp, log, sqrt, sinh, cosh, tanh, sin, cos
    and erf. Numbers are exact: ``0.1`` is one tenth.

    Subexpressions without names are checked to be real numbers: division by zero, roots of
    negative numbers and logarithms of what is not positive are refused, decided by exact rationals
    or by balls of 256 bits (and refused where these cannot tell). Where names occur, the formula
    may be undefined for some of their values.

    Parameters
    ----------
    text : str
        At most 10,000 characters, of at most 1,000 numbers, names and operators, 24
        brackets and 4 functions inside each other, and degree 256.
    names : sequence of str or sympy.Symbol
        The names that may occur; a string stands for a plain Symbol.

    Raises
    ------
    BadExpression
        On any other text; the message and `column` say where. It takes less than half a second.
    BadOption
        On a name that is not an ASCII identifier, or already means something.

    Examples
    --------
    >>> read_expression("0.5*exp(-x**2/2) + y/3", ["x", "y"])
    y/3 + exp(-x**2/2)/2
    >>> read_expression("__import__('os')", ["x"])
    Traceback (most recent call last):
        ...
    symscore.errors.BadExpression: Expected one of x, pi, ...; got '__import__' at column 1.
    """
    symbols = symbols_of(names)
    tree = syntax.parse(text, [*symbols, "pi"], sorted(_FUNCTIONS))
    with precision(SIGN_BITS):
        expr = _Builder(symbols).build(tree).expr
    _check_result(expr)
    return expr


def symbols_of(names: Sequence[str | Symbol]) -> dict[str, Symbol]:
    """Return the declared symbols by name, or raise BadOption."""
    if isinstance(names, str | Symbol):
        raise BadOption(f"Expected a sequence of names; got {names!a}: write [{names!a}].")
    # str() of a Symbol would run its printer.
    texts = [name.name if isinstance(name, Symbol) else name for name in names]
    check_names(texts, _RESERVED)
    return {
        text: name if isinstance(name, Symbol) else Symbol(text)
        for text, name in zip(texts, names, strict=True)
    }


@final
@dataclass(frozen=True, slots=True)
class _Value:
    """An expression, bounds on its size, and a ball around it if no name occurs."""

    expr: Expr
    size: int
    degree: int
    bits: int
    ball: arb | None
    has_bare_root: bool = False

    @property
    def is_simple(self) -> bool:
        """Whether SymPy may look for sin(-x) = -sin(x), sqrt(4*x) = 2*sqrt(x) and the like.

        It asks for the signs and parities of all parts first, which takes for ever where functions
        are inside each other.
        """
        return self.size <= MAX_EVALUATED and not self.expr.has(sympy.Function)


@final
@dataclass(slots=True)
class _Builder:
    """Builds an expression from the leaves, refusing each node before it gets too large."""

    symbols: dict[str, Symbol]
    roots: int = field(default=0)
    work: int = field(default=0)

    def build(self, node: Node) -> _Value:
        match node:
            case syntax.Number(value):
                bits = value.numerator.bit_length() + value.denominator.bit_length()
                exact = sympy.Rational(value.numerator, value.denominator)
                return _Value(exact, 1, 0, bits, ball_of(value))
            case syntax.Name("pi"):
                return _Value(sympy.pi, 1, 0, 2, arb.pi())
            case syntax.Name(name):
                return _Value(self.symbols[name], 1, 1, 1, None)
            case syntax.Sum(terms):
                return self.joined(node, [self.build(term) for term in terms])
            case syntax.Product(factors):
                return self.joined(node, [self.build(factor) for factor in factors])
            case syntax.Power(base, exponent):
                return self.power(node, self.build(base), exponent)
            case syntax.Call("sqrt", argument):
                return self.power(node, self.build(argument), Fraction(1, 2))
            case syntax.Call(name, argument):
                return self.called(node, name, self.build(argument))

    def joined(self, node: syntax.Sum | syntax.Product, parts: list[_Value]) -> _Value:
        is_sum = isinstance(node, syntax.Sum)
        degrees = [part.degree for part in parts]
        degree = max(degrees) if is_sum else sum(degrees)
        bits = sum(part.bits for part in parts)
        size = 1 + sum(part.size for part in parts)
        _check_size(node, degree, bits)
        bare = any(part.has_bare_root for part in parts)
        # A product would evaluate the roots among its factors after all.
        join = sympy.Add if is_sum else sympy.Mul
        expr = join(*(part.expr for part in parts), evaluate=is_sum or not bare)
        balls = [part.ball for part in parts if part.ball is not None]
        if len(balls) < len(parts):
            return _valued(expr, size, degree, bits, None, bare)
        ball = balls[0]
        for other in balls[1:]:
            ball = ball + other if is_sum else ball * other
        return _valued(expr, size, degree, bits, ball, bare)

    def power(self, node: syntax.Power | syntax.Call, base: _Value, exponent: Fraction) -> _Value:
        self.count(node, base)
        times = max(1, -(-abs(exponent.numerator) // exponent.denominator))
        degree, bits = base.degree * times, base.bits * times
        _check_size(node, degree, bits)
        if exponent < 0:
            _check_sign(node, base, "a divisor other than zero", zero=False, negative=True)
        if exponent.denominator == 2:
            self.roots += 1
            if self.roots > MAX_ROOTS or base.bits > MAX_ROOT_BITS:
                refuse(
                    f"at most {MAX_ROOTS} roots, each of numbers of at most {MAX_ROOT_BITS} bits",
                    "more",
                    node.column,
                )
            _check_sign(node, base, "no root of a negative number", zero=True, negative=False)
        rational = sympy.Rational(exponent.numerator, exponent.denominator)
        ball = None
        if base.ball is not None:
            halves = base.ball.sqrt() if exponent.denominator == 2 else base.ball
            # By repeated multiplication: the power of a ball around zero is not a number.
            ball = _repeated(halves, abs(exponent.numerator))
            ball = 1 / ball if exponent < 0 else ball
        bare = base.has_bare_root or (exponent.denominator == 2 and not base.is_simple)
        expr = sympy.Pow(base.expr, rational, evaluate=not bare)
        return _valued(expr, base.size + 1, degree, bits, ball, bare)

    def called(self, node: syntax.Call, name: str, argument: _Value) -> _Value:
        self.count(node, argument, TRIGONOMETRIC_WORK if name in ("sin", "cos") else 1)
        function, of_ball = _FUNCTIONS[name]
        degree, bits = max(1, argument.degree), argument.bits + 1
        if name == "log":
            _check_sign(node, argument, "the logarithm of a positive number", False, False)
        if name in _GROWING:
            if argument.ball is not None and not abs(argument.ball) < MAX_EXP:
                refuse(f"{name} of a number of at most {MAX_EXP} in size", "more", node.column)
            # SymPy turns exp(n*log(b)) into b**n at once.
            largest = _largest_factor_of_a_log(argument.expr)
            degree, bits = degree * largest, bits * largest
        _check_size(node, degree, bits)
        ball = None if argument.ball is None else of_ball(argument.ball)
        expr = function(argument.expr, evaluate=argument.is_simple)
        return _valued(expr, argument.size + 1, degree, bits, ball, argument.has_bare_root)

    def count(self, node: Node, below: _Value, weight: int = 1) -> None:
        self.work += weight * below.size
        if self.work > MAX_WORK:
            refuse("a shorter formula, or functions that are nested less", "more", node.column)


def _check_size(node: Node, degree: int, bits: int) -> None:
    if degree > MAX_DEGREE:
        refuse(f"a degree of at most {MAX_DEGREE}", f"{degree}", node.column)
    if bits > MAX_BITS:
        refuse(f"numbers of at most {MAX_BITS} bits", f"{bits} bits", node.column)


def _check_result(expr: Expr) -> None:
    # Only a symbol that the caller declared positive or negative leads out of the real numbers.
    if expr.has(*_UNREAL):
        refuse("a real expression", "one that is not", 1)
    bits = (int(part).bit_length() for n in expr.atoms(sympy.Rational) for part in (n.p, n.q))
    largest = max(bits, default=0)
    if largest > MAX_PRINTED_BITS:
        refuse(f"a result with numbers of at most {MAX_PRINTED_BITS} bits", f"{largest} bits", 1)


def _check_sign(node: Node, value: _Value, expected: str, zero: bool, negative: bool) -> None:
    """Refuse a number that is, or may be, zero or negative where that is not allowed."""
    if value.expr.is_Rational:
        wrong = (value.expr == 0 and not zero) or (value.expr < 0 and not negative)
        sure = not wrong
    elif value.ball is None:
        return
    else:
        # A comparison of balls is true only where it is certain.
        sure = bool(value.ball > 0 or (negative and value.ball < 0))
    if not sure:
        got = str(value.expr) if value.bits < MAX_ROOT_BITS else "a number that is or may be none"
        refuse(expected, got, node.column)


def _valued(
    expr: Expr, size: int, degree: int, bits: int, ball: arb | None, has_bare_root: bool
) -> _Value:
    if expr.is_Rational:
        # x - x is zero, and sqrt(2)**2 - 2 is: exactly, whatever the ball around it.
        exact = ball_of(fmpq(int(expr.p), int(expr.q)))
        return _Value(expr, size, degree, bits, exact)
    return _Value(expr, size, degree, bits, ball, has_bare_root)


def _repeated(ball: arb, times: int) -> arb:
    result = arb(1)
    for _ in range(times):
        result = result * ball
    return result


def _largest_factor_of_a_log(expr: Expr) -> int:
    if not expr.has(sympy.log):
        return 1
    factors = [term.as_coeff_Mul()[0] for term in sympy.Add.make_args(expr)]
    return max(max(abs(int(factor.p)), int(factor.q)) for factor in factors)
