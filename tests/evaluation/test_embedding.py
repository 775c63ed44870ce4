"""Similarity of pairs, and ranks."""

from __future__ import annotations

import numpy as np
import pytest

from tpuc.errors import DataError
from tpuc.evaluation.embedding import Embedding, pool_first, pool_mean, spearman


def vectors() -> np.ndarray:
    return np.array([[1, 0], [1, 1], [0, 2], [0, 3], [1, 0], [-1, 0]], np.float32)


def names(count: int = 6) -> list[str]:
    return [f"s{i}" for i in range(count)]


def test_spearman_is_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.integers(0, 9, (2, 30)).astype(float)
        assert abs(spearman(a, b) - stats.spearmanr(a, b).statistic) < 1e-12


def test_equal_values_say_nothing() -> None:
    assert spearman(np.ones(4), np.arange(4.0)) == 0.0


def test_a_builds_vectors_are_held_against_the_float_networks() -> None:
    judge = Embedding(names(), np.array([1, 1, 2, 2, 0, 0]))
    real = judge.read(0, [vectors()[:4]]) + judge.read(4, [vectors()[4:]])
    assert judge.figures(real, real) == pytest.approx(
        {"cosine": 1.0, "spearman": 1.0, "spearman_labels": 1.0}
    )
    turned = vectors()
    turned[4] = [-2, 0]  # the third pair is now as like as the second
    found = judge.figures(judge.read(0, [turned]), real)
    assert found["cosine"] == pytest.approx(4 / 6)
    assert found["spearman"] == pytest.approx(0.0)
    assert found["spearman_labels"] == pytest.approx(0.0)


def test_the_table_has_a_row_for_each_pair() -> None:
    judge = Embedding(names(), np.array([1, 1, 2, 2, 0, 0]))
    records = {"float": judge.read(0, [vectors()]), "INT8": judge.read(0, [-vectors()])}
    head, first, second, third = judge.table(records)
    assert head == ["first", "second", "label", "float", "INT8"]
    assert first == ["s0", "s1", 1, pytest.approx(0.707107), pytest.approx(0.707107)]
    assert (second[2:], third[3:]) == ([2, 1.0, 1.0], [-1.0, -1.0])


def test_words_that_are_not_there_do_not_count() -> None:
    words = np.array([[[2, 2], [4, 0], [9, 9]]], np.float32)
    mask = np.array([[1, 1, 0]], np.float32)
    pooled = pool_mean(lambda first, count: mask[first : first + count])(0, words)
    np.testing.assert_allclose(pooled, [[3, 1]])
    np.testing.assert_allclose(pool_mean()(0, words), [[5, 11 / 3]], rtol=1e-6)
    np.testing.assert_allclose(pool_first(0, words), [[2, 2]])


@pytest.mark.parametrize(
    ("count", "labels", "said"),
    [
        (5, None, "5 samples; expected an even number"),
        (0, None, "0 samples; expected an even number"),
        (4, [1, 1, 0, 2], "s2 and s3: labels 0 and 2; expected the same"),
    ],
)
def test_what_is_no_pair_is_refused(count: int, labels: list[int] | None, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Embedding(names(count), None if labels is None else np.array(labels))
