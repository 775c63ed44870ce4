"""Corrections: rewrites of Graph[top] that quantization loses less of.

smooth_activations smoothquant.py    outliers of activations move into weights
correct_softmaxes softmax_correction.py attention weights use all steps of their type
equalize_weights weight_equalization.py  ranges of neighbouring layers become alike
correct_biases   bias_correction.py  mean errors of channels go into biases (needs tables)
try_all          auto.py             which of them is best
learn_rounding   adaround.py         weights are rounded to what makes layers right (needs tables)
"""

from tpuc.correction.adaround import Learning, learn_rounding
from tpuc.correction.auto import Trial, Tried, try_all
from tpuc.correction.bench import Bench, Pair, output_cosine
from tpuc.correction.bias_correction import correct_biases
from tpuc.correction.limits import Tensors
from tpuc.correction.result import Corrected, LayerNote
from tpuc.correction.smoothquant import smooth_activations
from tpuc.correction.softmax_correction import correct_softmaxes, with_unit_ranges
from tpuc.correction.weight_equalization import equalize_weights

__all__ = [
    "Bench",
    "Corrected",
    "LayerNote",
    "Learning",
    "Pair",
    "Tensors",
    "Trial",
    "Tried",
    "correct_biases",
    "correct_softmaxes",
    "equalize_weights",
    "learn_rounding",
    "output_cosine",
    "smooth_activations",
    "try_all",
    "with_unit_ranges",
]
