"""The random variables: what they are made of, and how NumPy draws them."""

import numpy as np
from pytensor.tensor.random.op import RandomVariable

from symscore.arrays import FloatArray, IntArray
from symscore.flow.kernels import push_rows
from symscore.learn.packed import DIM, EVENT
from symscore.pymc.batches import run_rows


class LearnedScoreRV(RandomVariable):
    """The random variable x = loc + scale_tril y, y = flow(z), z ~ N(0, I).

    Its parameters are the flow's two vectors, ``numbers`` (k,) and ``layout`` (m,), then ``anchor``
    (D,), a value of y of high density, which also says what D is, ``loc`` (D,) and ``scale_tril``
    (D, D). Fitted numbers are no part of the Op, so that one compiled function serves every flow.
    """

    name = "learned_score"
    signature = "(k),(m),(d),(d),(d,d)->(d)"
    dtype = "floatX"
    _print_name = ("LearnedScore", r"\operatorname{LearnedScore}")

    def rng_fn(
        self,
        rng: np.random.Generator,
        numbers: FloatArray,
        layout: IntArray,
        anchor: FloatArray,
        loc: FloatArray,
        scale_tril: FloatArray,
        size: tuple[int, ...] | None,
    ) -> FloatArray:
        """Draw an array of shape (*size, D)."""
        if size is None:
            size = np.broadcast_shapes(
                *(p.shape[:-1] for p in (numbers, layout, anchor, loc)), scale_tril.shape[:-2]
            )
        y = draw_flow(rng, numbers, layout, size)
        return loc + (scale_tril * y[..., None, :]).sum(axis=-1)


class LearnedScalarRV(RandomVariable):
    """The random variable x = loc + scale y, y = flow(z), z ~ N(0, 1), as single numbers.

    Its parameters are those of :class:`LearnedScoreRV`, with numbers in place of the last three.
    """

    name = "learned_scalar"
    signature = "(k),(m),(),(),()->()"
    dtype = "floatX"
    _print_name = ("LearnedScalar", r"\operatorname{LearnedScalar}")

    def rng_fn(
        self,
        rng: np.random.Generator,
        numbers: FloatArray,
        layout: IntArray,
        anchor: FloatArray,
        loc: FloatArray,
        scale: FloatArray,
        size: tuple[int, ...] | None,
    ) -> FloatArray:
        """Draw an array of shape `size`."""
        if size is None:
            size = np.broadcast_shapes(
                numbers.shape[:-1], layout.shape[:-1], *(p.shape for p in (anchor, loc, scale))
            )
        return loc + scale * draw_flow(rng, numbers, layout, size)[..., 0]


def draw_flow(
    rng: np.random.Generator, numbers: FloatArray, layout: IntArray, size: tuple[int, ...]
) -> FloatArray:
    """Draw points y = flow(z), shape (*size, D)."""
    # With a size, PyTensor gives the parameters leading axes of length one.
    if numbers.size == numbers.shape[-1] and layout.size == layout.shape[-1]:
        numbers, layout = numbers.reshape(-1), layout.reshape(-1)
    header = layout.reshape(-1, layout.shape[-1])[0]
    z = rng.standard_normal((*size, header[DIM]))
    return run_rows(push_rows, numbers, layout, [z], [int(header[EVENT])])[0]


learned_score = LearnedScoreRV()
learned_scalar = LearnedScalarRV()
