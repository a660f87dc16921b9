"""Lines on standard output about the stages of a fit."""

from symscore.learn.select import Progress


def reporter(verbose: int) -> Progress:
    """Return a callable (stage, done, total) that prints a stage's end; silent where verbose is 0.

    Examples
    --------
    >>> reporter(1)("fitting levels", 40, 40)
    symscore: fitting levels, 40 done
    """

    def silent(stage: str, done: int, total: int) -> None:
        pass

    def printed(stage: str, done: int, total: int) -> None:
        if done == total:
            print(f"symscore: {stage}, {total} done")

    return printed if verbose else silent
