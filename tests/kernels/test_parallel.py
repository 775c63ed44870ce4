"""The thread pool under programs: several at once, and after a fork."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tests.kernels.single_op import integers
from tests.kernels.test_conv import Case, build
from tpuc.ir import DType
from tpuc.simulator import Program, interpret

CASE = Case((33, 35), 16, 48, batch=2)
FEEDS = {"in0": integers(np.random.default_rng(0), (2, 16, 33, 35), DType.UI8)}


def _run(threads: int) -> np.ndarray:
    return Program(build(CASE), threads).run_raw(FEEDS)["out"]


def test_programs_that_run_at_once_do_not_disturb_one_another() -> None:
    expected = interpret(build(CASE), FEEDS)["out"]
    with ThreadPoolExecutor(4) as executor:
        for found in executor.map(_run, [1, 2, 3, 4] * 8):
            np.testing.assert_array_equal(found, expected)


def test_one_program_may_be_shared_by_threads() -> None:
    program = Program(build(CASE), 2)
    expected = program.run_raw(FEEDS)["out"]
    with ThreadPoolExecutor(4) as executor:
        for found in executor.map(lambda _: program.run_raw(FEEDS)["out"], range(32)):
            np.testing.assert_array_equal(found, expected)


def _child(queue: multiprocessing.SimpleQueue) -> None:
    queue.put(_run(3))


def test_the_pool_starts_anew_after_a_fork() -> None:
    expected = _run(3)
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    process = context.Process(target=_child, args=(queue,))
    process.start()
    np.testing.assert_array_equal(queue.get(), expected)
    process.join(60)
    assert process.exitcode == 0
