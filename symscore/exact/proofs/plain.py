"""Rewriting into the few functions that proofs know: exp, log, rational powers, abs and erf."""

from collections.abc import Callable, Iterator

import sympy
from sympy import Expr, Rational

from symscore.errors import NotCertified, ResourceLimit

# Longer expressions are refused before any work is done.
MOST_NODES = 20_000


def _tangent(u: Expr) -> Expr:
    turn = sympy.exp(2 * sympy.I * u)
    return -sympy.I * (turn - 1) / (turn + 1)


REWRITTEN: dict[type, Callable[[Expr], Expr]] = {
    sympy.tanh: lambda u: 1 - 2 / (sympy.exp(2 * u) + 1),
    sympy.coth: lambda u: 1 + 2 / (sympy.exp(2 * u) - 1),
    sympy.sinh: lambda u: (sympy.exp(u) - sympy.exp(-u)) / 2,
    sympy.cosh: lambda u: (sympy.exp(u) + sympy.exp(-u)) / 2,
    sympy.sech: lambda u: 2 / (sympy.exp(u) + sympy.exp(-u)),
    sympy.csch: lambda u: 2 / (sympy.exp(u) - sympy.exp(-u)),
    sympy.sin: lambda u: (sympy.exp(sympy.I * u) - sympy.exp(-sympy.I * u)) / (2 * sympy.I),
    sympy.cos: lambda u: (sympy.exp(sympy.I * u) + sympy.exp(-sympy.I * u)) / 2,
    sympy.tan: _tangent,
    sympy.erfc: lambda u: 1 - sympy.erf(u),
}
KEPT = (sympy.exp, sympy.log, sympy.Abs, sympy.erf)
LEAVES = (sympy.Symbol, Rational, sympy.core.numbers.ImaginaryUnit)


def postorder(roots: list[Expr]) -> Iterator[Expr]:
    """Yield every distinct subexpression once, arguments first, without recursion.

    Raises
    ------
    ResourceLimit
        If there are more than ``MOST_NODES``.
    """
    seen: set[Expr] = set()
    stack = [(root, False) for root in reversed(roots)]
    while stack:
        node, is_done = stack.pop()
        if is_done:
            yield node
        elif node not in seen:
            seen.add(node)
            if len(seen) > MOST_NODES:
                raise ResourceLimit(
                    f"Expected expressions of at most {MOST_NODES:,} parts; got more."
                )
            stack.append((node, True))
            stack += [(part, False) for part in node.args]


def plain(roots: list[Expr]) -> list[Expr]:
    r"""Rewrite expressions into sums, products, exp, log, rational powers, abs and erf.

    .. math:: \tanh u = 1 - \frac{2}{e^{2u} + 1}, \quad \cos u = \frac{e^{iu} + e^{-iu}}{2},
        \quad a^b = e^{b \log a}, \quad (e^u)^q = e^{qu}

    and so on; all of them hold for real arguments, the third and the fourth for positive bases.

    Raises
    ------
    NotCertified
        If an expression has a function that is none of these and no rewriting for it.
    """
    done: dict[Expr, Expr] = {}
    for node in postorder(roots):
        done[node] = _plain(node, [done[part] for part in node.args])
    return [done[root] for root in roots]


def generalised(roots: list[Expr]) -> list[Expr]:
    """Put a new symbol for every sum in the symbols of some sum under a root.

    In a mixture these are determinants and cofactors of covariances. What is proved for the new
    symbols holds for the sums; what is false for them is not thereby false.
    """
    names: dict[Expr, frozenset[Expr]] = {}
    radicands: set[frozenset[Expr]] = set()
    nodes = list(postorder(roots))
    for node in nodes:
        own = frozenset([node]) if isinstance(node, sympy.Symbol) else frozenset()
        names[node] = own.union(*(names[part] for part in node.args))
        is_root = isinstance(node, sympy.Pow) and not node.exp.is_Integer
        if is_root and isinstance(node.base, sympy.Add):
            radicands.add(names[node.base])
    done: dict[Expr, Expr] = {}
    symbols: dict[Expr, Expr] = {}
    for node in nodes:
        inside = names[node] and any(names[node] <= radicand for radicand in radicands)
        if isinstance(node, sympy.Add) and inside:
            # SymPy multiplies numbers into sums, so 2 det and det are to have one symbol.
            content, sum_ = node.primitive()
            known = -symbols[-sum_] if -sum_ in symbols else symbols.get(sum_)
            done[node] = content * (known or symbols.setdefault(sum_, sympy.Dummy(real=True)))
        else:
            done[node] = node.func(*(done[part] for part in node.args)) if node.args else node
    return [done[root] for root in roots]


def _plain(node: Expr, parts: list[Expr]) -> Expr:
    if isinstance(node, LEAVES) or node in (sympy.pi, sympy.E):
        return node
    if isinstance(node, sympy.Add | sympy.Mul):
        return node.func(*parts)
    if isinstance(node, sympy.Pow):
        return _power(*parts)
    if isinstance(node, KEPT):
        return node.func(*parts)
    for known, rewriting in REWRITTEN.items():
        if isinstance(node, known):
            return rewriting(*parts)
    raise NotCertified(
        "Expected symbols, rationals, pi, powers, exp, log, abs, erf, trigonometric and "
        f"hyperbolic functions; got {str(node)[:80]}: evaluate or rewrite it first."
    )


def _power(base: Expr, exponent: Expr) -> Expr:
    if exponent.is_Rational:
        if not exponent.is_Integer and isinstance(base, sympy.exp) and not base.has(sympy.I):
            return sympy.exp(exponent * base.args[0])
        return base**exponent
    return sympy.exp(exponent * sympy.log(base))
