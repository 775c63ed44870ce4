"""tpuc: trained networks to quantized code for Sophgo TPUs.

>>> import tpuc
>>> model = tpuc.load("net.bmodel")
>>> outputs = model.run({"input": x})
"""

from __future__ import annotations

from typing import Any

__all__ = ["load"]


def load(path: Any, threads: int = 0) -> Any:
    """Open a bmodel that tpuc wrote; see `tpuc.pipeline.loading.load`."""
    from tpuc.pipeline.loading import load as open_bmodel

    return open_bmodel(path, threads)
