"""The only door between the exact and the float layers; it reports what rounding cost."""

from symscore.bridge.mixtures import RoundedMixture, to_float_mixture
from symscore.bridge.numpy_functions import NumpyFunction, to_numpy

__all__ = ["NumpyFunction", "RoundedMixture", "to_float_mixture", "to_numpy"]
