"""PyTensor's JAX backend: the flow's maps again, in JAX, which cannot call compiled kernels.

PyTensor imports JAX, which takes a second, when a graph is first converted for it. The conversions
of :mod:`symscore.pymc.jax_ops` have to be known by then and not before: what announces them is a
rewrite that belongs to that backend alone, and leaves every graph as it is.
"""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

from pytensor.compile.mode import optdb
from pytensor.graph.features import Feature
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.rewriting.basic import GraphRewriter


class _Announced(Feature):
    """Announce them again where a compiled graph is unpickled, as in a process that samples.

    PyTensor does not rewrite such a graph anew.
    """

    def __reduce__(self) -> tuple[Callable, tuple[()]]:
        """Return what makes this again."""
        return _announced, ()


class _Announcement(GraphRewriter):
    """Make the Ops and random variables of a flow known to the JAX backend."""

    def add_requirements(self, fgraph: FunctionGraph) -> None:
        """Require nothing of a graph."""

    def apply(self, fgraph: FunctionGraph) -> None:
        """Announce them, once."""
        fgraph.attach_feature(_announced())


def register() -> None:
    """Tell PyTensor how JAX runs the Ops and draws the random variables, once it asks."""
    optdb.register("symscore_jax", _Announcement(), "jax", position=0)


def _announced() -> _Announced:
    _announce()
    return _Announced()


@cache
def _announce() -> None:
    if find_spec("jax") is not None:
        from symscore.pymc import jax_ops

        jax_ops.register()
