"""Mixed 4 and 8 bits: losses are TPU-MLIR's, every score that of an independent full run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from sklearn.cluster import DBSCAN

from tests.search.bench import Workbench
from tpuc.artifacts import Choice, QuantizeTable
from tpuc.calibration import table as table_text
from tpuc.lowering.rules import can_be_four_bits
from tpuc.processors import load_processor
from tpuc.search import Limits, Small, Start, search_four_bits
from tpuc.search.four_bits import clusters
from tpuc.search.result import Candidate, LayerLoss
from tpuc.search.saved import from_saved, to_saved

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "golden" / "four_bits"
THEIRS = json.loads((FOLDER / "losses" / "resnet18.json").read_text())


class FourBits(Workbench):
    """Builds INT4; tables with thresholds for 4 bits."""

    def lower(self, table, qtable):
        return self.lowerer.lower(table, "INT4", qtable).graph


@pytest.fixture(scope="module")
def workbench(golden):
    facts = yaml.safe_load((ROOT / "conf/processor/bm1688.yaml").read_text())
    bench = FourBits(golden("resnet18"), load_processor(facts))
    bench.table = table_text.read(FOLDER / "tables" / "resnet18")
    wider = {n: replace(r, threshold=1.25 * r.threshold) for n, r in bench.table.int4.items()}
    bench.wider = replace(bench.table, int4=wider)
    bench.small = Small(tuple(n.name for n in bench.graph.nodes if can_be_four_bits(n)))
    return bench


def _search(bench, tables=None, goal=0.99, **more):
    start = Start(bench.table, QuantizeTable(), "INT8")
    trials = bench.trials(limits=more.pop("limits", None))
    return search_four_bits(trials, tables or {"kl": bench.table}, start, bench.small, goal, **more)


@pytest.fixture(scope="module")
def found(workbench):
    return _search(workbench)


def test_losses_are_tpu_mlirs(workbench, found):
    assert {row.name for row in found.losses} == set(THEIRS["losses"])
    assert found.quantized_cos == pytest.approx(THEIRS["int8"], abs=1e-7)
    assert found.scores["0"] == pytest.approx(THEIRS["int4"], abs=1e-6)
    for row in found.losses:
        loss, snr = THEIRS["losses"][row.name]
        assert row.loss == pytest.approx(loss, rel=1e-3, abs=1e-7)
        assert row.best.snr == pytest.approx(snr, rel=1e-4)


def test_the_written_tables_have_the_score_that_is_told(workbench, found):
    assert found.cos == pytest.approx(workbench.full_score(found.table, found.qtable), abs=1e-12)
    assert found.goal == found.quantized_cos * 0.99
    assert found.goal <= found.cos <= found.quantized_cos
    kept = set(found.qtable.choices)
    assert 0 < len(kept) < len(workbench.small.names)
    assert {c.mode for c in found.qtable.choices.values()} == {"INT8"}
    assert set(found.table.int4_ops) == set(workbench.small.names) - kept
    worst = [row.name for row in found.losses[: len(kept)]]
    assert set(worst) == kept == set(found.float_ops)


def test_one_op_less_in_8_bits_would_miss_the_target(workbench, found):
    names = [row.name for row in found.losses[: len(found.float_ops) - 1]]
    rows = QuantizeTable({n: Choice("INT8") for n in names})
    assert workbench.full_score(found.table, rows) < found.goal


def test_thresholds_for_4_bits_are_chosen_one_by_one(workbench):
    tables = {"wider": workbench.wider, "kl": workbench.table}
    chosen = _search(workbench, tables).table
    now, score = workbench.table, workbench.full_score(workbench.table, QuantizeTable())
    for name in workbench.small.names:
        row = workbench.wider.int4[name]
        tried = replace(now, int4={**now.int4, name: row})
        other = workbench.full_score(tried, QuantizeTable())
        if other >= score - 1e-15:  # the first method wins ties
            now, score = tried, max(score, other)
    assert chosen.int4 == now.int4
    assert chosen.ranges == workbench.table.ranges


def test_everything_is_4_bit_where_that_is_enough(workbench):
    easy = _search(workbench, goal=0.5)
    assert easy.float_ops == () and easy.qtable.choices == {}
    assert set(easy.table.int4_ops) == set(workbench.small.names)


def test_ops_that_somebody_decided_stay(workbench):
    first = workbench.small.names[0]
    base = QuantizeTable({first: Choice("F16", "so", "user")})
    small = Small(workbench.small.names[1:])
    start = Start(workbench.table, base, "INT8")
    tables = {"kl": workbench.table}
    mixed = search_four_bits(workbench.trials(), tables, start, small, 0.99)
    assert mixed.qtable.choices[first] == base.choices[first]
    assert first not in mixed.table.int4_ops


def test_a_search_that_was_stopped_has_a_legal_mix(workbench):
    short = _search(workbench, limits=Limits(max_trials=7))
    assert "max_trials" in short.stopped
    assert short.cos == pytest.approx(workbench.full_score(short.table, short.qtable), abs=1e-12)


def test_clusters_go_to_4_bits_together(workbench, found):
    by_sets = _search(workbench, cluster=True)
    sets = [set(c) for c in clusters(found.losses)]
    small = set(by_sets.table.int4_ops)
    taken = [c for c in sets if c <= small]
    assert set().union(*taken) == small
    assert sets[: len(taken)] == taken
    assert by_sets.cos >= by_sets.goal


@pytest.mark.parametrize("seed", range(5))
def test_clusters_are_those_of_dbscan(seed):
    points = np.random.default_rng(seed).uniform(0, 0.08, (30, 2))
    rows = [
        LayerLoss(str(i), "Conv", Candidate("INT4", 1.0, *map(float, p)), ())
        for i, p in enumerate(points)
    ]
    rows = [replace(r, candidates=(r.best,)) for r in rows]
    labels = DBSCAN(eps=0.01, min_samples=2).fit_predict(points)
    wanted = {frozenset(map(str, np.flatnonzero(labels == k))) for k in set(labels)}
    ours = clusters(rows)
    assert {frozenset(c) for c in ours} == wanted
    means = [np.mean([points[int(i), 0] for i in c]) for c in ours]
    assert means == sorted(means)


def test_a_result_comes_back_from_its_file(found, tmp_path):
    to_saved(found, tmp_path)
    assert from_saved(tmp_path) == found
