"""What differs between PyMC 5 and 6, and between machines with and without a C++ compiler."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from os import cpu_count
from typing import Any

import pymc as pm
import pytensor

LOGGER = logging.getLogger(__name__)
# PyMC 6 brings PyTensor 3, whose default is numba.
COMPILES_C = int(pm.__version__.split(".")[0]) < 6


def run_options() -> dict[str, Any]:
    """Return keyword arguments of ``pm.sample`` that fit any model on this machine.

    At most two processes, and a progress bar only on a terminal.

    Examples
    --------
    >>> 1 <= run_options()["cores"] <= 2
    True
    """
    return {"cores": min(2, cpu_count() or 1), "progressbar": sys.stdout.isatty()}


def sampling_options() -> dict[str, Any]:
    """Return :func:`run_options` and, where it matters, how to compile.

    PyTensor 2 compiles C; without a compiler its own fallback is too slow to finish a model, so
    the numba linker is named, and the log says so once.
    """
    if not COMPILES_C or pytensor.config.cxx:
        return run_options()
    _say_once()
    return run_options() | {"compile_kwargs": {"mode": "NUMBA"}}


@cache
def _say_once() -> None:
    LOGGER.warning(
        "No C++ compiler found: PyMC models are compiled by numba instead. "
        "Install g++ (or clang++) for PyMC 5, or use PyMC 6, which needs none."
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Silence PyMC's own log below errors, as for a caller that reports diagnostics itself."""
    logger = logging.getLogger("pymc")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
