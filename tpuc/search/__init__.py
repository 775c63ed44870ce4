"""Search: thresholds and types found by trying.

qtable.py            text of quantize tables
objective.py         what is compared            trials.py      tables to scores, journal, limits
threshold_search.py  search=threshold            layers.py      which ops are looked at
sensitivity.py       what each op costs          qtable_search.py  search=qtable, sensitive_layer
pareto.py, cost.py   search=pareto
result.py, saved.py  what was found              journal.py     finished trials on disk

Nothing here lowers or simulates: `Bench` carries functions that do.
"""

from tpuc.search.cost import CostModel
from tpuc.search.journal import Journal
from tpuc.search.objective import Accuracy, Objective, Score, parse_compare_layers
from tpuc.search.pareto import search_pareto
from tpuc.search.qtable_search import Goal, search_qtable
from tpuc.search.result import Candidate, FrontPoint, LayerLoss, SearchResult, Start
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
    "Start",
    "Trials",
    "inferences",
    "parse_compare_layers",
    "search_pareto",
    "search_qtable",
    "search_threshold",
]
