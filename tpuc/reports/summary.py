"""A build in a few lines, for the terminal: what was found, how accurate, how big, how fast."""

from __future__ import annotations

from typing import Any

from tpuc.reports.wording import size

__all__ = ["summary"]

_SHOWN = 3
"""Layers of each correction that are named."""


def summary(report: dict[str, Any]) -> list[str]:
    """Lines that say what a build found.

    Parameters
    ----------
    report : dict
        Content of report.json; parts that a build does not have give no line.

    Returns
    -------
    list of str
        Search, corrections, accuracy, task, cost: in the order of the work.
    """
    return [
        *_search(report.get("search")),
        *_corrections(report.get("correction")),
        *_accuracy(report.get("accuracy", {})),
        *_task(report.get("task") or {}),
        *_cost(report.get("cost", {})),
    ]


def _search(found: dict[str, Any] | None) -> list[str]:
    if not found or "chosen" not in found:
        return []
    if found["method"] == "threshold":
        scores = ", ".join(f"{method} {score:.5f}" for method, score in found["scores"])
        best = next(method for method, score in found["scores"] if score == found["after"])
        said = f"{best} is best of {scores}"
    else:
        changed = len(found["chosen"])
        what = f"{changed} {'op' if changed == 1 else 'ops'} {found['high']}"
        said = f"every op {found['low']} {found['before']:.5f}"
        said += f", {what} {found['after']:.5f}" if changed else f"; no op made {found['high']}"
        said += f"; goal {found['goal']:.5g}"
    early = f"; {found['stopped']}" if found["stopped"] else ""
    return [
        f"search ({found['method']}, {found['samples']} samples that only choose): {said}{early}"
    ]


def _corrections(found: dict[str, Any] | None) -> list[str]:
    if not found:
        return []
    lines = [line for step in found["steps"] for line in _correction(step)]
    if found["chosen"]:
        lines.append(f"correction.auto keeps {found['chosen']} of {len(found['trials'])} trials")
    return lines


def _correction(step: dict[str, Any]) -> list[str]:
    """What one correction bought, and the layers that it changed most."""
    layers = step["layers"]
    if not layers:
        return [f"{step['name']}: found nothing in this network that it applies to"]
    if not step["before"] and not step["after"]:
        return [f"{step['name']}: {len(layers)} layers; what it bought was not measured"]
    lines = [
        f"{step['name']}: {step['before']:.5f} to {step['after']:.5f} on the {step['samples']} "
        f"samples it learned from, {len(layers)} layers"
    ]
    most = sorted(layers, key=lambda row: row["before"] - row["after"])[:_SHOWN]
    for row in most:
        gained = f" {row['before']:.5f} to {row['after']:.5f}," if row["after"] else ""
        lines.append(f"  {row['name']}:{gained} {row['what']}")
    if len(layers) > len(most):
        lines.append(f"  and {len(layers) - len(most)} more layers, see report.html")
    return lines


def _accuracy(found: dict[str, Any]) -> list[str]:
    if found.get("output_cos_mean") is None:
        return []
    mean, least = found["output_cos_mean"], found["output_cos_min"]
    return [f"output cosine against float: mean {mean:.5f}, min {least:.5f}"]


def _task(found: dict[str, Any]) -> list[str]:
    lines = []
    for build, figures in found.get("figures", {}).items():
        told = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
        lines.append(f"{found['name']} of {build}: {told}")
    return lines


def _cost(found: dict[str, Any]) -> list[str]:
    if not found.get("weight_bytes"):
        return []
    said = f"weights {size(found['weight_bytes'])} ({size(found['float_weight_bytes'])} in float)"
    if found.get("estimated_ms"):
        said += f", {found['estimated_ms']:.3g} ms on the chip (predicted)"
    return [said]
