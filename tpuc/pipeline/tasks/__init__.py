"""What each `evaluation.task` needs from the job: its samples, its truth, and its pictures.

open_task            opened.py           the task of a job, checked; None for evaluation=none
open_classification  classification.py   labels from npz, a list, or names
open_detection       detection.py        boxes in COCO's json
open_embedding       embedding.py        samples in pairs

A further task is one file here and one in `tpuc.evaluation`, a word in the schema, and a row in
opening.py.
"""

from tpuc.pipeline.tasks.opened import Opened, OpenInputs
from tpuc.pipeline.tasks.opening import open_task

__all__ = ["OpenInputs", "Opened", "open_task"]
