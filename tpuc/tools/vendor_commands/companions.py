"""What stands in for the lines of a script that build nothing."""

from __future__ import annotations

import re
import shlex
from pathlib import PurePosixPath

__all__ = ["stand_in"]

_HERE = {
    r"(classify|detect)_\w+": "",
    r"model_runner": "tpuc-tool run FILE.bmodel --input X --output Y.npz",
    r"npz_tool": "tpuc-tool compare A.npz B.npz; numpy.load opens what tpuc writes",
    r"(model_tool|bmodel_dis|bmodel_checker|tpu_model)": "tpuc-tool info FILE.bmodel",
    r"(mlir_debugger|visual|visualize)": "report.html shows every layer",
    r"tpu_perf\.precision_benchmark": "evaluation=detection or evaluation=classification",
    r"(pip|pip3|apt|apt-get|docker|source|export)": "nothing: TPU-MLIR need not be installed",
    r"(mkdir|cd|cp|mv|rm|ln|wget|curl|unzip|tar|git|echo|ls|download)": "nothing: files are yours",
}
_OPTIONS = {"input": "input", "category_file": "classes", "coco_classes": "classes",
            "output": "output", "conf_thres": "min-score", "nms_thres": "max-iou"}  # fmt: skip


def stand_in(line: str) -> str:
    """What does the work of a line here; empty if nobody knows.

    >>> stand_in("classify_resnet18 --model_def a.bmodel --input cat.jpg")
    'tpuc-tool classify a.bmodel --input cat.jpg'
    """
    words = line.split()
    for word in words[:3]:
        name = PurePosixPath(word).name.removesuffix(".py")
        for pattern, here in _HERE.items():
            if re.fullmatch(pattern, name):
                return here or _picture(name.partition("_")[0], words[words.index(word) + 1 :])
    return ""


def _picture(verb: str, words: list[str]) -> str:
    """classify and detect take the same options, under names of their own."""
    given = dict(zip([w.lstrip("-") for w in words[::2]], words[1::2]))
    said = ["tpuc-tool", verb, given.get("model_def") or given.get("model") or "FILE.bmodel"]
    for theirs, ours in _OPTIONS.items():
        if theirs in given:
            said += [f"--{ours}", given[theirs]]
    return shlex.join(said)
