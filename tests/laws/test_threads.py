"""Results do not depend on how many threads there are, nor on which finishes first."""

import threading
import time

import numpy as np
import pytest

from symscore import arrays
from symscore.arrays import blocks, for_each_block
from symscore.learn.batch import denoise_batch, jacobian_batch
from symscore.learn.partition import EMCells
from tests.flows import make_flow, random_frame, random_mixture

CRUDE = random_mixture(2, 3, 0)
FLOW = make_flow(CRUDE, degree=2, frame=random_frame(2, 0), max_ratio=2.0)
FIELD = FLOW.ladder.at(7)
Z = np.random.default_rng(0).normal(size=(700, 2))
X = FLOW.from_latent(Z)
MANY = np.random.default_rng(1).normal(size=(5000, 2))

# Sums over rows are in tests/learn: test_statistics and test_auto.
THREADED = {
    "denoiser": lambda: denoise_batch(FIELD.packed, MANY),
    "jacobian": lambda: jacobian_batch(FIELD.packed, MANY)[1],
    "EM": lambda: EMCells(3, max_iterations=4).fit(MANY, np.full(5000, 1 / 5000), seed=0).means,
    "draws": lambda: FLOW.from_latent(Z),
    "pullback": lambda: FLOW.latent_pullback(Z, Z),
    "inverse": lambda: FLOW.to_latent(X),
    "log density": lambda: FLOW.log_density(X),
    "score": lambda: FLOW.score(X),
}


@pytest.mark.parametrize("run", THREADED.values(), ids=THREADED)
def test_same_bits_for_any_number_of_threads(run, monkeypatch):
    found = []
    for threads in (1, 2, 7, None):  # None: a machine that does not say
        monkeypatch.setattr(arrays, "cpu_count", lambda threads=threads: threads)
        found.append(run())
    assert all((found[0] == other).all() for other in found)


@pytest.mark.parametrize("n", [0, 1, 9, 10, 11, 100])
def test_blocks_cover_all_rows_once_in_order(n):
    pieces = list(blocks(n, 10))
    assert [row for piece in pieces for row in range(n)[piece]] == list(range(n))
    assert all(piece.stop - piece.start == 10 for piece in pieces[:-1])


def test_results_come_in_the_order_of_blocks_not_of_finishing(monkeypatch):
    monkeypatch.setattr(arrays, "cpu_count", lambda: 2)
    last_is_done, finished = threading.Event(), []

    def work(rows: slice) -> int:
        if rows.start == 0:
            assert last_is_done.wait(timeout=60)
        finished.append(rows.start)
        if rows.start == 30:
            last_is_done.set()
        return rows.start

    assert for_each_block(work, 40, 10) == [0, 10, 20, 30]
    assert finished == [10, 20, 30, 0]


def test_one_thread_works_in_order(monkeypatch):
    monkeypatch.setattr(arrays, "cpu_count", lambda: 1)
    finished: list[int] = []
    for_each_block(lambda rows: finished.append(rows.start), 40, 10)
    assert finished == [0, 10, 20, 30]


def test_no_more_threads_than_processors(monkeypatch):
    monkeypatch.setattr(arrays, "cpu_count", lambda: 2)
    names = for_each_block(lambda _: (time.sleep(0.01), threading.get_ident())[1], 100, 10)
    assert len(set(names)) <= 2


def test_an_error_in_a_block_is_not_lost(monkeypatch):
    monkeypatch.setattr(arrays, "cpu_count", lambda: 2)

    def work(rows: slice) -> None:
        if rows.start == 20:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        for_each_block(work, 40, 10)
