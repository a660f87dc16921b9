"""Exact expressions as PyTensor graphs."""

from collections.abc import Mapping
from functools import reduce
from operator import add
from typing import Any

import pytensor.tensor as pt
from pytensor.gradient import disconnected_grad
from pytensor.tensor.variable import TensorVariable
from sympy import Symbol

from symscore.bridge.programs import FUNCTIONS, Expressions, to_program
from symscore.bridge.scaled import run
from symscore.errors import BadData


def _constant(value: float) -> TensorVariable:
    return pt.constant(value, dtype="float64")


_PYTENSOR = {
    **{name: getattr(pt, name) for name in FUNCTIONS.values()},
    **{name: getattr(pt, name) for name in ("sqrt", "maximum", "clip", "isinf", "where")},
    "constant": _constant,
    "hold": disconnected_grad,
}


def from_sympy(expressions: Expressions, values: Mapping[Symbol, Any]) -> TensorVariable:
    r"""Return exact expressions as a PyTensor graph, with symbols replaced by tensors.

    Exponentials are carried with an exponent of their own, as in
    :func:`symscore.bridge.to_numpy`: in effect :math:`\log \sum_i c_i e^{q_i}` is a log-sum-exp,
    and the scores, denoisers and Jacobians of mixtures neither over- nor underflow. The graph
    consists of elementary operations and has gradients of every order. Symbols are looked up as
    objects, so their names mean nothing.

    Parameters
    ----------
    expressions : expression, (m,) sequence or (m, n) matrix of sympy.Expr
        Of the operations that :func:`symscore.bridge.to_numpy` lists.
    values : mapping from sympy.Symbol to tensor_like
        A value for every symbol that occurs; their shapes are broadcast.

    Returns
    -------
    TensorVariable
        Of the broadcast shape, followed by (m,) or (m, n).

    Raises
    ------
    BadData
        On a symbol without a value, or a function that has no counterpart.

    Examples
    --------
    >>> import pymc as pm
    >>> from sympy import Symbol
    >>> from symscore.exact import ExactMixture
    >>> x = Symbol("x")
    >>> exact = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])
    >>> def logp(value):
    ...     return from_sympy(exact.log_density(x), {x: value})
    >>> with pm.Model():
    ...     modes = pm.CustomDist("modes", logp=logp)
    """
    if not isinstance(values, Mapping) or not all(isinstance(key, Symbol) for key in values):
        raise BadData(f"Expected a dict from SymPy symbols to tensors; got {values!a:.60}.")
    program = to_program(expressions, list(values))
    # Integer tensors would round roots and reciprocals to integers.
    inputs = [pt.cast(pt.as_tensor(value), "float64") for value in values.values()]
    results = run(program, inputs, _PYTENSOR)
    if not program.shape:
        return results[0]
    # Entries that do not depend on every symbol, constants above all, take the common shape too.
    common = reduce(add, (pt.zeros_like(value) for value in inputs), _constant(0.0))
    stacked = pt.stack([result + common for result in results], axis=-1)
    return pt.reshape(stacked, (*stacked.shape[:-1], *program.shape))
