"""Regenerates `patterns/orders.json.gz`: ops in orders made by chance, and what TPU-MLIR selects.

    TPUC_VENDOR/bin/python tests/golden/make_orders.py

Run it with the Python of an installed TPU-MLIR. Each case is a list of ops around the block of a
family, with users and producers by chance (`pattern_orders.py`). TPU-MLIR's own matcher and finder
of shape ops look at it through a stand-in for a parsed file; so families are covered for which no
network is at hand, and users that no network has.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import pattern_orders as orders  # noqa: E402
import tpu_mlir  # noqa: E402

sys.path.insert(0, str(Path(tpu_mlir.__path__[0]) / "python"))
from calibration import shape_ops, transformer_pattern  # noqa: E402
from tpu_mlir.python.utils.mlir_parser import MlirParser  # noqa: E402

EACH = 3  # cases kept of a kind: block, flag, F32 rows or none
LONGEST = 330  # ops
PARTS = [None, None, None, ["N_mode", []], ["H_mode", []], ["custom_mode", ["Conv", "Add", "GELU"]]]


def parsed(case: dict) -> MlirParser:
    """A stand-in for the parser of a file with these ops."""
    parser = MlirParser.__new__(MlirParser)
    parser.ops = [
        SimpleNamespace(
            name=names[0] if len(names) == 1 else 'fused["{}", "{}"]'.format(*names),
            type=f"top.{op}",
            opds=operands,
            outputs=names,
            attrs={key: f'"{value}"' for key, value in attrs.items()},
        )
        for op, names, operands, attrs in case["ops"]
    ]
    parser.inputs = [op for op in parser.ops if op.type == "top.Input"]
    parser.get_output_op_names_n_shapes = lambda: dict.fromkeys(case["outputs"], ())
    return parser


def selected(case: dict) -> dict:
    """What TPU-MLIR makes float.

    Raises
    ------
    IndexError, TypeError : TPU-MLIR's matcher fails on this order
    """
    parser = parsed(case)
    matcher = transformer_pattern.MatchPattern.__new__(transformer_pattern.MatchPattern)
    mode, types = case["part"] or (None, [])
    matcher.args = SimpleNamespace(part_quantize=mode, custom_operator=types, debug_log=False)
    matcher.parser, matcher._logs = parser, []
    if mode:
        own = [f"top.{op}" for op in types]
        matcher.quantize_ops = own or getattr(transformer_pattern, mode)
    fp, f32, ext, flag, logs, sym = matcher.run()
    finder = shape_ops.ShapeOps.__new__(shape_ops.ShapeOps)
    finder.parser = parser
    keys = ("fp", "f32", "ext", "flag", "logs", "sym", "shape")
    return dict(zip(keys, (fp, f32, ext, flag, logs, sym, sorted(finder.run()))))


def main() -> None:
    """Draw cases until each kind that comes has enough."""
    chance, kinds, kept = random.Random(0), Counter(), []
    for case in orders.cases(chance, rounds=30):
        case["part"] = chance.choice(PARTS)
        if len(case["ops"]) > LONGEST:
            continue
        try:
            want = selected(case)
        except (IndexError, TypeError):
            continue
        names = re.findall(r"\(Name: (\w+)\)", " ".join(want["logs"]))
        kind = (*names, want["flag"], bool(want["f32"]))
        kinds[kind] += 1
        if kinds[kind] <= EACH:
            kept.append({"case": case, "want": want})
    text = json.dumps(kept, separators=(",", ":"))
    path = HERE / "patterns" / "orders.json.gz"
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(len(kept), "cases of", len(kinds), "kinds")


if __name__ == "__main__":
    main()
