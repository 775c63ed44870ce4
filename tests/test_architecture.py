"""The house rules that a machine can check: who imports whom, sizes, exports, no hidden chips."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys

import pytest

from tests.architecture import BELOW, CORNERS, PACKAGE, ROOT, lines_of, modules

MODULE_LINES = 300
FUNCTION_LINES = 40
PARAMETERS = 6

# Longer than the limits above today; these numbers only ever fall.
LONGER_MODULES: dict[str, int] = {}
LONGER_FUNCTIONS: dict[str, int] = {
    "calibration/table.py:parse": 44,
}
MORE_PARAMETERS: dict[str, int] = {}

CHIP = re.compile(r"\b(bm16\d\d\w?|cv18\dx?|sg2\d{3})\b", re.IGNORECASE)
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "instantiate"}
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "marshal", "shelve", "tpu_mlir"}


def test_every_part_is_placed() -> None:
    unplaced = {m.room for m in modules()} - set(BELOW)
    assert not unplaced, f"say in tests/architecture.py what {sorted(unplaced)} may import"


def test_imports_point_downward_and_rooms_do_not_import_one_another() -> None:
    wrong = []
    for module in modules():
        for name, taken, line in module.imports():
            if name.split(".")[0] != "tpuc":
                continue
            rooms = {name.split(".")[1]} if "." in name else set(taken)
            wrong += [
                f"tpuc/{module.path}:{line} imports tpuc.{room}"
                for room in rooms - {module.room} - BELOW[module.room]
            ]
    assert not wrong, "\n".join(wrong)


def test_libraries_stay_in_their_corner() -> None:
    wrong = [
        f"tpuc/{module.path}:{line} imports {name}"
        for module in modules()
        for name, _, line in module.imports()
        if module.room not in CORNERS.get(name.split(".")[0], {module.room})
    ]
    assert not wrong, "\n".join(wrong)


def test_torchscript_is_read_in_the_frontend_only() -> None:
    wrong = [m.path for m in modules() if m.room != "frontend" and "torch.jit" in m.source]
    assert not wrong


def test_weights_are_loaded_without_code() -> None:
    wrong = [
        f"tpuc/{m.path}:{n.lineno}"
        for m in modules()
        for n in ast.walk(m.tree)
        if isinstance(n, ast.Call) and ast.unparse(n.func) == "torch.load"
        if not any(k.arg == "weights_only" and ast.unparse(k.value) == "True" for k in n.keywords)
    ]
    assert not wrong


def test_imports_are_absolute() -> None:
    wrong = [
        f"tpuc/{m.path}:{n.lineno}"
        for m in modules()
        for n in ast.walk(m.tree)
        if isinstance(n, ast.ImportFrom) and n.level
    ]
    assert not wrong


def test_only_exported_names_are_imported_by_others() -> None:
    exported = {m.name: m.exported() for m in modules()}
    wrong = []
    for module in modules():
        for name, taken, line in module.imports():
            known = exported.get(name)
            if known is None:
                continue
            missing = [t for t in taken if t not in known and f"{name}.{t}" not in exported]
            wrong += [f"tpuc/{module.path}:{line} takes {name}.{t}" for t in missing]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("module", modules(), ids=lambda m: m.path)
def test_all_lists_what_is_there(module) -> None:
    if module.path.endswith("__init__.py") and not module.defined() - {"annotations"}:
        return
    exported = module.exported()
    assert exported is not None, f"tpuc/{module.path} has no __all__"
    lazy = {"__getattr__"} <= module.defined()
    missing = exported - module.defined()
    assert lazy or not missing, f"__all__ names {sorted(missing)}, which are not there"


@pytest.mark.parametrize("module", modules(), ids=lambda m: m.path)
def test_modules_and_functions_stay_small(module) -> None:
    lines = len(module.source.splitlines())
    limit = LONGER_MODULES.get(module.path, MODULE_LINES)
    assert lines <= limit, f"tpuc/{module.path} has {lines} lines; split it (limit {limit})"
    for function in module.functions():
        key = f"{module.path}:{function.name}"
        body = lines_of(function)
        limit = LONGER_FUNCTIONS.get(key, FUNCTION_LINES)
        assert body <= limit, f"tpuc/{key} has {body} lines; split it (limit {limit})"
        arguments = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
        count = len([a for a in arguments if a.arg not in ("self", "cls")])
        limit = MORE_PARAMETERS.get(key, PARAMETERS)
        assert count <= limit, f"tpuc/{key} has {count} parameters (limit {limit})"


def test_the_exceptions_still_exist() -> None:
    sizes = {m.path: len(m.source.splitlines()) for m in modules()}
    stale = [p for p in LONGER_MODULES if sizes.get(p, 0) <= MODULE_LINES]
    functions = {f"{m.path}:{f.name}": lines_of(f) for m in modules() for f in m.functions()}
    stale += [k for k in LONGER_FUNCTIONS if functions.get(k, 0) <= FUNCTION_LINES]
    stale += [k for k in MORE_PARAMETERS if k not in functions]
    assert not stale, f"no longer too long, take them out: {stale}"


def test_no_processor_is_named_in_code() -> None:
    """What a chip can do stands in conf/processor; a hint to the user may name one."""
    wrong = [
        f"tpuc/{m.path}:{line} {text!r}"
        for m in modules()
        for text, line in m.texts()
        if CHIP.search(text.replace("processor=bm1684x", ""))
    ]
    assert not wrong, "\n".join(wrong)


def test_no_processor_is_compared_by_name() -> None:
    pattern = re.compile(r"processor\.(name|chip)\s*(==|!=|\bin\b|\.startswith)")
    wrong = [m.path for m in modules() if pattern.search(m.source)]
    assert not wrong


def test_nothing_is_evaluated_or_unpickled() -> None:
    wrong = []
    for module in modules():
        for name, _, line in module.imports():
            if name.split(".")[0] in FORBIDDEN_MODULES:
                wrong.append(f"tpuc/{module.path}:{line} imports {name}")
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call):
                plain = getattr(node.func, "id", "")
                method = getattr(node.func, "attr", "")
                pickles = any(
                    k.arg == "allow_pickle" and getattr(k.value, "value", True) is not False
                    for k in node.keywords
                )
                if plain in FORBIDDEN_CALLS or method == "instantiate" or pickles:
                    wrong.append(f"tpuc/{module.path}:{node.lineno} calls {plain or method}")
    assert not wrong, "\n".join(wrong)


def test_configuration_names_no_python_target() -> None:
    files = [*(ROOT / "conf").rglob("*.yaml"), *(ROOT / "recipes").rglob("*.yaml")]
    assert files
    wrong = [str(f.relative_to(ROOT)) for f in files if "_target_" in f.read_text()]
    assert not wrong


def test_output_is_printed_by_the_commands_only() -> None:
    wrong = [
        f"tpuc/{m.path}:{n.lineno}"
        for m in modules()
        if m.room not in ("cli", "tool", "tools", "progress")
        for n in ast.walk(m.tree)
        if isinstance(n, ast.Call) and getattr(n.func, "id", "") in ("print", "input", "exit")
    ]
    assert not wrong


def test_native_code_knows_nothing_of_python_and_allocates_nothing() -> None:
    files = [*(ROOT / "csrc").rglob("*.c"), *(ROOT / "csrc").rglob("*.h")]
    assert files
    for file in files:
        text = file.read_text()
        assert "Python.h" not in text, file
        assert not re.search(r"\b(malloc|calloc|realloc|alloca)\s*\(", text), file


def test_help_starts_without_heavy_libraries() -> None:
    code = (
        "import sys, json; sys.argv=['tpuc','--help']\n"
        "from tpuc.cli import main\n"
        "main()\n"
        "print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = set(json.loads(result.stdout.splitlines()[-1]))
    heavy = {"torch", "onnx", "hydra", "omegaconf", "cv2", "numpy", "rich", "skimage", "sklearn"}
    assert not loaded & heavy
    assert "tpuc recipe=digits" in result.stdout


def test_tests_mirror_the_package() -> None:
    """A folder under tests is a part of tpuc, or holds fixtures or benchmarks."""
    known = {p.stem for p in PACKAGE.iterdir()} | {"golden", "benchmarks", "campaigns", "conf"}
    folders = {p.name for p in (ROOT / "tests").iterdir() if p.is_dir() and p.name[0] not in "._"}
    assert not folders - known
