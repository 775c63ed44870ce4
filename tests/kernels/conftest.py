"""Every kernel test runs once per instruction set of the machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tpuc.kernels._cpu import isa_name, limit_isa

_ORDER = ("portable", "avx2", "vnni")


@pytest.fixture(params=_ORDER)
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Limit the kernels to one instruction set."""
    before = isa_name()
    used = limit_isa(request.param)
    if used != request.param:
        limit_isa(before)
        pytest.skip(f"the machine has no {request.param}")
    yield used
    limit_isa(before)
