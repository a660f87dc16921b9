r"""Numbers with an exponent of their own, so that ratios of exponentials keep their digits.

A value is carried as :math:`v = m \, e^s` with a mantissa m and a scale s. An exponential is
:math:`(1, q)`, a product adds scales, and a sum is brought to the largest of them,

.. math:: \sum_i m_i e^{s_i} = \Big( \sum_i m_i e^{s_i - s} \Big) e^s, \qquad s = \max_i s_i,

so that :math:`\log \sum_i c_i e^{q_i}` is a log-sum-exp and :math:`e^a / \sum_i c_i e^{q_i}` never
divides zero by zero. The only rounding that it adds is that of differences of scales: a relative
error of about :math:`u \max_i |q_i|` with the unit roundoff u, as for any evaluation in float64.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from math import log
from operator import add, mul
from typing import Any, final

from symscore.bridge.programs import Apply, Constant, Input, Program, RationalPower, Step

# Arrays or graphs: whatever the functions of a backend take and return.
Value = Any
Backend = Mapping[str, Callable[..., Value]]
# sinh and cosh grow like exp(|x|) / 2 from here on, to less than half a unit in the last place.
PURELY_EXPONENTIAL = 20.0


@final
@dataclass(frozen=True, slots=True)
class Scaled:
    """The number ``mantissa * exp(scale)``; a scale of None is zero."""

    mantissa: Value
    scale: Value = None


def run(program: Program, inputs: Sequence[Value], backend: Backend) -> list[Value]:
    """Return the results of a program, one for each output.

    Parameters
    ----------
    program : Program
    inputs : sequence
        A value for each symbol, of shapes that broadcast.
    backend : mapping from str to callable
        The functions of :data:`symscore.bridge.programs.FUNCTIONS` by name, and ``sqrt``,
        ``maximum``, ``clip``, ``isinf``, ``where``, ``constant``, which takes a float, and
        ``hold``: the identity, at which differentiation stops.
    """
    results: list[Scaled] = []
    for step in program.steps:
        results.append(_carried_out(step, inputs, results, backend))
    plain = {output: _plain(results[output], backend) for output in set(program.outputs)}
    return [plain[output] for output in program.outputs]


def _carried_out(
    step: Step, inputs: Sequence[Value], results: Sequence[Scaled], backend: Backend
) -> Scaled:
    match step:
        case Constant(mantissa, exponent):
            scale = backend["constant"](exponent * log(2)) if exponent else None
            return Scaled(backend["constant"](mantissa), scale)
        case Input(position):
            return Scaled(inputs[position])
        case RationalPower(base, numerator, denominator):
            return _rational_power(results[base], numerator, denominator, backend)
        case Apply(operation, arguments):
            values = [results[argument] for argument in arguments]
            return _OPERATIONS.get(operation, partial(_applied, operation))(values, backend)


def _plain(value: Scaled, backend: Backend) -> Value:
    return value.mantissa if value.scale is None else value.mantissa * backend["exp"](value.scale)


def _sum(terms: Sequence[Scaled], backend: Backend) -> Scaled:
    if all(term.scale is None for term in terms):
        return Scaled(reduce(add, (term.mantissa for term in terms)))
    scales = [0.0 if term.scale is None else term.scale for term in terms]
    largest = backend["hold"](reduce(backend["maximum"], scales))
    # Where all terms vanish, infinity minus infinity would be no number.
    largest = backend["where"](backend["isinf"](largest), 0.0, largest)
    parts = [
        term.mantissa * backend["exp"](scale - largest)
        for term, scale in zip(terms, scales, strict=True)
    ]
    return Scaled(reduce(add, parts), largest)


def _product(factors: Sequence[Scaled], backend: Backend) -> Scaled:
    scales = [factor.scale for factor in factors if factor.scale is not None]
    mantissa = reduce(mul, (factor.mantissa for factor in factors))
    return Scaled(mantissa, reduce(add, scales) if scales else None)


def _rational_power(base: Scaled, numerator: int, denominator: int, backend: Backend) -> Scaled:
    mantissa = backend["sqrt"](base.mantissa) if denominator == 2 else base.mantissa
    power = abs(numerator) if denominator <= 2 else abs(numerator) / denominator
    mantissa = mantissa if power == 1 else mantissa**power
    mantissa = 1.0 / mantissa if numerator < 0 else mantissa
    return Scaled(mantissa, None if base.scale is None else base.scale * (numerator / denominator))


def _power(values: Sequence[Scaled], backend: Backend) -> Scaled:
    base, exponent = values[0], _plain(values[1], backend)
    scale = None if base.scale is None else base.scale * exponent
    return Scaled(base.mantissa**exponent, scale)


def _exp(values: Sequence[Scaled], backend: Backend) -> Scaled:
    return Scaled(backend["constant"](1.0), _plain(values[0], backend))


def _log(values: Sequence[Scaled], backend: Backend) -> Scaled:
    (value,) = values
    logarithm = backend["log"](value.mantissa)
    return Scaled(logarithm if value.scale is None else logarithm + value.scale)


def _hyperbolic(function: str, values: Sequence[Scaled], backend: Backend) -> Scaled:
    """Return sinh or cosh, of which exp(|x| - 20) is split off beyond 20."""
    x = _plain(values[0], backend)
    excess = backend["hold"](x - backend["clip"](x, -PURELY_EXPONENTIAL, PURELY_EXPONENTIAL))
    return Scaled(backend[function](x - excess), backend["abs"](excess))


def _absolute(values: Sequence[Scaled], backend: Backend) -> Scaled:
    (value,) = values
    return Scaled(backend["abs"](value.mantissa), value.scale)


def _sign(values: Sequence[Scaled], backend: Backend) -> Scaled:
    return Scaled(backend["sign"](values[0].mantissa))


def _applied(function: str, values: Sequence[Scaled], backend: Backend) -> Scaled:
    return Scaled(backend[function](*(_plain(value, backend) for value in values)))


_OPERATIONS: Mapping[str, Callable[[Sequence[Scaled], Backend], Scaled]] = {
    "add": _sum,
    "multiply": _product,
    "power": _power,
    "exp": _exp,
    "log": _log,
    "sinh": partial(_hyperbolic, "sinh"),
    "cosh": partial(_hyperbolic, "cosh"),
    "abs": _absolute,
    "sign": _sign,
}
