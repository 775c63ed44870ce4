"""Float engine: runs Graph[top] with torch, batch by batch, every tensor observable."""

from tpuc.execute.runner import FloatRunner, run

__all__ = ["FloatRunner", "run"]
