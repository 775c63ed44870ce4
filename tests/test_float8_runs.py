"""Builds of 8-bit floats as a person types them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.test_cli import tpuc


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.mark.parametrize(
    ("kind", "more", "least"), [("f8e4m3", ["calibration=max"], 0.99), ("f8e5m2", [], 0.97)]
)
def test_a_build_and_its_bmodel(kind, more, least, home):
    args = ["recipe=digits", "processor=bm1690", f"quantize={kind}", *more]
    done = tpuc(*args, f"hydra.run.dir={kind}", cwd=home)
    assert done.returncode == 0, done.stderr
    report = json.loads((home / kind / "report.json").read_text())
    assert report["accuracy"]["output_cos_mean"] > least
    assert report["accuracy"]["top1"] > 0.95
    types = {row["dtype"] for row in report["layers"]}
    assert types == {"f32", kind}
    table = home / kind / "digits_cali_table"
    assert table.exists() == (kind == "f8e4m3")
    if table.exists():
        assert "#tpu-mlir-fp8 caliration table" in table.read_text()
    np.savez(home / "x.npz", input=np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 1, 8, 8))
    bmodel = home / kind / f"digits_bm1690_{kind}.bmodel"
    ran = tpuc("run", str(bmodel), "--input", "x.npz", "--output", "y.npz", "--all", cwd=home,
               program="tpuc-tool")  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    found = np.load(home / "y.npz")
    assert {row["name"] for row in report["layers"]} <= set(found.files)
    assert all(np.isfinite(found[name]).all() for name in found.files)


def test_a_table_from_a_file(home):
    made = tpuc("recipe=digits", "processor=bm1690", "quantize=f8e4m3", "calibration=max",
                "hydra.run.dir=first", cwd=home)  # fmt: skip
    assert made.returncode == 0, made.stderr
    again = tpuc("recipe=digits", "processor=bm1690", "quantize=f8e4m3", "calibration=from_file",
                 "calibration.table=first/digits_cali_table", "hydra.run.dir=second",
                 cwd=home)  # fmt: skip
    assert again.returncode == 0, again.stderr
    bmodels = [home / f / "digits_bm1690_f8e4m3.bmodel" for f in ("first", "second")]
    assert bmodels[0].read_bytes() == bmodels[1].read_bytes()


def test_a_search_among_8_bit_floats(home):
    """The build is F8E4M3; the ops that lose most become float."""
    done = tpuc("recipe=digits", "processor=bm1690", "calibration=max", "search=qtable",
                "search.mix_mode=wf8af8_fp", "search.quantize_methods=[MAX]",
                "search.expected_cos=0.999", "hydra.run.dir=search", cwd=home)  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((home / "search" / "report.json").read_text())
    losses = [op["loss"] for op in found["search"]["ops"]]
    assert losses == sorted(losses, reverse=True) and losses[-1] > 0
    chosen = set(found["search"]["chosen"])
    types = {row["name"]: row["dtype"] for row in found["layers"]}
    assert chosen and {types[name] for name in chosen} == {"f16"}
    assert "f8e4m3" in types.values()
    assert found["search"]["after"] > 0.999 > found["search"]["before"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["quantize=f8e4m3"], "bm1684x has no F8E4M3; it has INT8, F16"),
        (["processor=bm1690", "quantize=f8e4m3"], "takes max. Hint: calibration=max"),
        (
            ["processor=bm1690", "quantize=f8e5m2", "quantize.asymmetric=true"],
            "F8E5M2 has no zero points",
        ),
        (
            ["processor=bm1690", "quantize=f8e5m2", "correction=bias_correction"],
            "quantize.mode=F8E5M2; expected INT8",
        ),
        (["processor=bm1690", "quantize=f8e5m2", "search=qtable"], "builds INT8; quantize.mode is"),
        (
            ["processor=bm1690", "search=pareto", "search.mix_mode=wf8af8_fp"],
            "no meaning with search=pareto; expected search=qtable",
        ),
        (["search=qtable", "search.mix_mode=wf8af8_fp"], "needs F8E4M3, which bm1684x does not"),
        (["processor=bm1690", "quantize=f16", "quantize.table=q"], "F8E4M3 in a build of F16"),
    ],
)
def test_what_there_is_not_is_one_line(args, words, home):
    (home / "q").write_text("output_Gemm F8E4M3\n")
    done = tpuc("recipe=digits", *args, "hydra.run.dir=bad", cwd=home)
    errors = [t for t in done.stderr.strip().splitlines() if t.startswith("tpuc: ")]
    assert done.returncode == 2, done.stderr
    assert len(errors) == 1
    assert words in errors[0]
