"""Reports: what was built, and is it any good.

ReportData      data.py       all that a report says, handed in by the pipeline; search_data.py
judge           verdict.py    accurate enough? where is accuracy lost? what to try next?
build_report    structure.py  report.json and layers.csv
report_html     page.py       the page; sections.py lists its sections, one template each;
                              view.py computes, charts.py draws
write_report    write.py      all three files
write_sweep     sweep.py      sweep.json and sweep.html; pareto.py computes the picture
compare_runs    comparison.py two runs side by side; comparison_forms.py: text and page

A report knows no graph and no arrays: only plain values reach it.
"""

from tpuc.reports.comparison import Run, compare_runs
from tpuc.reports.comparison_forms import comparison_html, comparison_text
from tpuc.reports.correction_data import CorrectedLayer, CorrectionStep, CorrectionView
from tpuc.reports.data import (
    Accuracy,
    Artifact,
    Cost,
    Fact,
    Histogram,
    LayerRow,
    Note,
    ReportData,
    SweepRow,
    Timing,
    Values,
    WeightRange,
)
from tpuc.reports.delegate_data import Delegate, DelegateRow
from tpuc.reports.page import report_html
from tpuc.reports.search_data import Mix, SearchedOp, SearchView
from tpuc.reports.structure import build_report
from tpuc.reports.sweep import sweep_text, write_sweep
from tpuc.reports.task_data import TaskPicture, TaskView
from tpuc.reports.timeline_data import Timeline, Work
from tpuc.reports.verdict import judge
from tpuc.reports.write import write_report

__all__ = [
    "Accuracy",
    "Artifact",
    "CorrectedLayer",
    "CorrectionStep",
    "CorrectionView",
    "Cost",
    "Delegate",
    "DelegateRow",
    "Fact",
    "Histogram",
    "LayerRow",
    "Mix",
    "Note",
    "ReportData",
    "Run",
    "SearchView",
    "SearchedOp",
    "SweepRow",
    "TaskPicture",
    "Timeline",
    "Work",
    "TaskView",
    "Timing",
    "Values",
    "WeightRange",
    "build_report",
    "compare_runs",
    "comparison_html",
    "comparison_text",
    "judge",
    "report_html",
    "write_report",
    "sweep_text",
    "write_sweep",
]
