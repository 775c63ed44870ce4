"""Hands a build to an installed TPU-MLIR: its compiler, its runtime over its chip simulator."""

from tpuc.backends.tpu_mlir.toolchain import Toolchain, find_toolchain

__all__ = ["Toolchain", "find_toolchain"]
