"""Mixed precision: quantize tables."""

from tpuc.search.qtable import read, to_text

__all__ = ["read", "to_text"]
