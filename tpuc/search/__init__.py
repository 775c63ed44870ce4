"""Search: thresholds and types found by trying.

qtable.py            text of quantize tables      merge.py       one table out of several sources
patterns/            float ops of known families  shape_ops.py   ... that compute shapes
part_quantize.py     ... of types not quantized   fp_forward.py  ... that the user borders
float_ops.py         a row before tables merge
objective.py         what is compared            trials.py      tables to scores, journal, limits
threshold_search.py  search=threshold            layers.py      which ops are looked at
sensitivity.py       what each op costs          qtable_search.py  search=qtable, sensitive_layer
pareto.py, cost.py   search=pareto               four_bits.py   search.mix_mode=4_8
ladder.py            ... its steps               journal.py     finished trials on disk
result.py, saved.py  what was found

Nothing here lowers or simulates: `Bench` carries functions that do.
"""

from tpuc.search.cost import CostModel
from tpuc.search.float_ops import FloatOp, float_mode
from tpuc.search.four_bits import Small, search_four_bits
from tpuc.search.fp_forward import fp_forward
from tpuc.search.journal import Journal
from tpuc.search.merge import decided_by, merge
from tpuc.search.objective import Accuracy, Objective, Score, parse_compare_layers
from tpuc.search.pareto import search_pareto
from tpuc.search.part_quantize import PART_MODES, PartQuantize
from tpuc.search.patterns import Matched, match
from tpuc.search.qtable_search import Goal, search_qtable
from tpuc.search.result import Candidate, FrontPoint, LayerLoss, SearchResult, Start
from tpuc.search.shape_ops import shape_ops
from tpuc.search.threshold_search import search_threshold
from tpuc.search.trials import Bench, Limits, Trials, inferences

__all__ = [
    "Accuracy",
    "Bench",
    "Candidate",
    "CostModel",
    "FrontPoint",
    "Goal",
    "Journal",
    "LayerLoss",
    "Limits",
    "Objective",
    "Score",
    "SearchResult",
    "Small",
    "Start",
    "Trials",
    "inferences",
    "parse_compare_layers",
    "search_four_bits",
    "search_pareto",
    "search_qtable",
    "search_threshold",
    "FloatOp",
    "float_mode",
    "fp_forward",
    "decided_by",
    "merge",
    "PART_MODES",
    "PartQuantize",
    "Matched",
    "match",
    "shape_ops",
]
