from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.reports.sample import layers, report
from tpuc.reports import Values, WeightRange
from tpuc.reports.advice import layer_hints
from tpuc.reports.closeup import LETTERS, closeups, pack
from tpuc.reports.verdict import losses


def unpack(text: str, low: float, high: float) -> list[float]:
    pairs = zip(text[::2], text[1::2])
    return [
        low + (LETTERS.index(a) * 64 + LETTERS.index(b)) / 4095 * (high - low) for a, b in pairs
    ]


def test_packed_numbers_come_back():
    numbers = [-3.0, 0.1, 2.5, 7.0]
    assert unpack(pack(numbers, -3.0, 7.0), -3.0, 7.0) == pytest.approx(numbers, abs=10 / 4095)
    assert unpack(pack([5.0], 5.0, 5.0), 5.0, 5.0) == [5.0]


def _conv(**changes):
    weights = WeightRange(-1.0, 0.5, (0.01, 1.0), (-0.01, -1.0), (0.005, 0.5))
    values = Values((0.0, 1.0, -2.0), (0.1, 1.0, -1.5))
    return replace(layers()[1], **{"weights": weights, "values": values, **changes})


def test_content_of_a_layer():
    rows = (layers()[0], _conv(), *layers()[2:])
    found = closeups(report(layers=rows))
    assert found is not None and json.dumps(found.content)
    low, high, real, ours = found.content[1]["v"]
    assert (low, high) == (-2.0, 1.0)
    assert unpack(real, low, high) == pytest.approx([0, 1, -2], abs=1e-3)
    assert unpack(ours, low, high) == pytest.approx([0.1, 1, -1.5], abs=1e-3)
    low, high, count, lows, highs, quiet, quietest, loudest = found.content[1]["w"]
    assert (count, quiet, quietest, loudest) == (2, 0, 0.01, 1.0)
    assert unpack(lows, low, high) == pytest.approx([-0.01, -1.0], abs=1e-3)
    assert unpack(highs, low, high) == pytest.approx([0.005, 0.5], abs=1e-3)
    assert found.worst == [1] and "v" not in found.content[0]


def test_many_channels_share_bars():
    wide = WeightRange(
        -1.0, 1.0, (1.0,) * 1000, (-1.0,) * 1000, tuple(i / 999 for i in range(1000))
    )
    found = closeups(report(layers=(_conv(weights=wide),)))
    assert found is not None
    content = found.content[0]["w"]
    assert content[2] == 1000 and len(content[3]) // 2 <= 192


def _keys(row, **changes):
    data = report(layers=(row,), **changes)
    loss = {x.layer.name: x for x in losses(data.layers)}.get(row.name)
    return [hint.keys for hint in layer_hints(data, row, loss)]


def test_advice_names_the_key():
    assert _keys(_conv(threshold=1.0))[0] == "search=threshold"
    assert _keys(_conv(threshold=20.0))[0] == "calibration.input_num=200"
    quiet = WeightRange(-1.0, 1.0, (0.001, 1.0))
    assert "correction=weight_equalization" in _keys(_conv(weights=quiet))
    assert "quantize.table=FILE" in _keys(_conv())


def test_no_advice_where_nothing_is_wrong_or_nothing_is_quantized():
    good = _conv(threshold=5.0, cos=0.99999)
    assert _keys(good) == []
    assert _keys(_conv(threshold=1.0), mode="F16") == []
    assert _keys(_conv(threshold=1.0, dtype="f16")) == []
