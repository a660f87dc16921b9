"""Every error and warning that symscore raises on purpose.

Misuse raises a child of :class:`SymscoreError`; a numerical outcome that a
reader should know of but that does not make the result wrong is a child of
:class:`SymscoreWarning`.
"""

import sys


def caller_level() -> int:
    """Return the ``stacklevel`` at which a warning by the caller blames code outside symscore."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("symscore."):
        level, frame = level + 1, frame.f_back
    return level


class SymscoreError(Exception):
    """Base of all errors raised on purpose."""


class BadData(SymscoreError, ValueError):
    """The data cannot be used as they are; the message names the row or column."""


class BadOption(SymscoreError, ValueError):
    """An option has a value outside its domain."""


class NoDensity(SymscoreError, TypeError):
    """The fitted object can draw but has no density."""


class InversionFailed(SymscoreError, ArithmeticError):
    """The flow could not be inverted at some points to the accuracy promised."""


class NoModel(SymscoreError, TypeError):
    """A variable was to be added to a PyMC model, and none is open."""


class NoStepRule(SymscoreError, ValueError):
    """No balanced two-stage step exists for the level ratio asked for."""


class ResourceLimit(SymscoreError, MemoryError):
    """The request would need more memory than allowed; refused before allocating."""


class BadModelFile(SymscoreError, ValueError):
    """The file is not a symscore model, or is damaged."""


class FileProblem(SymscoreError, OSError):
    """A file cannot be found, opened, read or written; the message names it."""


class BadExpression(SymscoreError, ValueError):
    """A formula given as text cannot be read; `column` says where, counted from 1."""

    def __init__(self, message: str, column: int = 1) -> None:
        super().__init__(message)
        self.column = column


class NotCertified(SymscoreError, ArithmeticError):
    """A certificate was asked for and could not be established."""


class UnsupportedInstance(NotCertified):
    """No method here covers such an instance; the message says which ones would do."""


class CheckFailed(SymscoreError, AssertionError):
    """A check of the theorem ledger found its statement violated."""


class SymscoreWarning(UserWarning):
    """Base of all warnings raised on purpose."""


class StartedAnew(SymscoreWarning):
    """partial_fit followed fit, which keeps no sums: only the new rows count."""


class OutliersLeftOut(SymscoreWarning):
    """Isolated rows, too few to be described, were left out of a fit."""


class TooFewRows(SymscoreWarning):
    """There are hardly more rows than columns: the density is one Gaussian."""


class FieldShrunk(SymscoreWarning):
    """A learned deviation was scaled down so that the flow stays a bijection."""


class FewEffectiveDraws(SymscoreWarning):
    """Dependent draws are worth fewer independent ones than a fit needs; the column is named."""


class ChainsDisagree(SymscoreWarning):
    """Chains have not mixed, so the masses of modes are not to be trusted; the column is named."""


class CircleCut(SymscoreWarning):
    """A circular column has no empty arc: its density may jump where the circle is cut open."""


class CoarseIntegral(SymscoreWarning):
    """A numerical integral has not settled to the accuracy promised."""


class SeparatedModes(SymscoreWarning):
    """Modes lie so far apart that chains which sample the point itself will not move between."""
