"""The rooms in order.

run            run.py          check -> import -> calibrate -> lower -> evaluate -> emit -> report
import_model   importing.py    model file to canonical Graph[top]
calibrate_job  calibrating.py  samples to a calibration table
evaluate       evaluating.py   float against lowered, layer by layer
report_data    reporting.py    what the report says
load           loading.py      a bmodel with the simulator behind it
"""

from tpuc.pipeline.loading import load
from tpuc.pipeline.run import RunResult, run

__all__ = ["RunResult", "load", "run"]
