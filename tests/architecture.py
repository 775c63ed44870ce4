"""What the architecture tests read: the modules of tpuc as syntax trees, and the order of rooms."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tpuc"

ROOMS = [
    "frontend",
    "passes",
    "dataset",
    "calibration",
    "correction",
    "search",
    "lowering",
    "simulator",
    "backends",
    "evaluation",
    "reports",
    "zoo",
]

# What each part may import; rooms see everything below them and no other room.
BASE = {"errors", "files", "progress", "processors"}
BELOW: dict[str, set[str]] = {
    "errors": set(),
    "progress": set(),
    "files": {"errors"},
    "processors": {"errors"},
    "artifacts": {"errors"},
    "cache": {"errors", "files"},
    "ir": {"errors", "files", "artifacts"},
    "numerics": {"errors", "ir"},
    "kernels": {"errors", "ir", "numerics"},
    "execute": {"errors", "ir", "numerics", "kernels"},
}
_UNDER_ROOMS = BASE | {"artifacts", "ir", "numerics", "kernels", "execute"}
BELOW |= dict.fromkeys(ROOMS, _UNDER_ROOMS)
BELOW["config"] = BASE | {"artifacts"}
BELOW["pipeline"] = _UNDER_ROOMS | set(ROOMS) | {"config", "cache"}
BELOW["tools"] = BELOW["pipeline"] | {"pipeline"}
BELOW["tool"] = {"errors", "tools"}
BELOW["cli"] = BELOW["tools"]
BELOW["__init__"] = {"pipeline"}

# Libraries that stay in their corner.
CORNERS: dict[str, set[str]] = {
    "hydra": {"cli", "config"},
    "omegaconf": {"cli", "config"},
    "onnx": {"frontend"},
    "torch": {"execute", "frontend", "calibration", "simulator", "zoo"},
    "cv2": {"dataset", "zoo"},
    "flatbuffers": {"backends"},
    "jinja2": {"reports"},
    "rich": {"progress"},
    "skimage": {"zoo"},
    "sklearn": {"zoo", "search"},
}


@dataclass(frozen=True)
class Module:
    """One file of tpuc.

    Parameters
    ----------
    path : str
        Relative to the package: `ir/graph.py`.
    room : str
        First part of the path, without `.py`.
    """

    path: str
    room: str
    source: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """Dotted name: tpuc.ir.graph."""
        parts = ["tpuc", *Path(self.path).with_suffix("").parts]
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def imports(self) -> Iterator[tuple[str, tuple[str, ...], int]]:
        """(module, names taken from it, line) of each import, those inside functions too."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.name, (), node.lineno
            elif isinstance(node, ast.ImportFrom):
                yield node.module or "", tuple(a.name for a in node.names), node.lineno

    def imports_at_start(self) -> Iterator[str]:
        """Modules imported as soon as this one is."""
        for node in self.tree.body:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.module or ""

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """All functions and methods."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def exported(self) -> set[str] | None:
        """What `__all__` lists, or None without one."""
        for node in self.tree.body:
            target: object = None
            if isinstance(node, ast.Assign):
                target = node.targets[0]
            elif isinstance(node, ast.AnnAssign):
                target = node.target
            if getattr(target, "id", "") == "__all__":
                return set(ast.literal_eval(node.value))  # type: ignore[union-attr]
        return None

    def defined(self) -> set[str]:
        """Names bound at the top of the module."""
        names: set[str] = set()
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
                names.add(node.name)
            elif isinstance(node, ast.Assign):
                targets = [n for t in node.targets for n in ast.walk(t)]
                names |= {n.id for n in targets if isinstance(n, ast.Name)}
            elif isinstance(node, ast.AnnAssign):
                names |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names |= {a.asname or a.name.split(".")[0] for a in node.names}
        return names

    def texts(self) -> Iterator[tuple[str, int]]:
        """String constants that are no docstrings, with their lines."""
        documents = {
            id(node.body[0].value)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(self.tree):
            text = getattr(node, "value", None) if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and id(node) not in documents:
                yield text, node.lineno


@cache
def modules() -> tuple[Module, ...]:
    """All modules of tpuc, by path."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        path = file.relative_to(PACKAGE)
        source = file.read_text()
        room = path.parts[0].removesuffix(".py")
        found.append(Module(str(path), room, source, ast.parse(source)))
    return tuple(found)


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, the docstring not counted."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        first = function.body[0]
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines
