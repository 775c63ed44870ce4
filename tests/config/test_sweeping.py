"""What a sweep stands for."""

from __future__ import annotations

import pytest

from tpuc.config.sweeping import samples_of_sweep, swept_methods, values_of


def options(group: str) -> list[str]:
    return {"calibration": ["kl", "max", "mse"], "recipes": ["digits"]}[group]


@pytest.mark.parametrize(
    ("override", "values"),
    [
        ("threads=1", ["threads=1"]),
        ("calibration=kl,mse", ["calibration=kl", "calibration=mse"]),
        ("calibration=choice(kl,mse)", ["calibration=kl", "calibration=mse"]),
        ("calibration=glob(m*)", ["calibration=max", "calibration=mse"]),
        ("calibration=glob(*,exclude=m*)", ["calibration=kl"]),
        ("a.b=range(0,100)", ["a.b=0", "a.b=99"]),
        ("a.b=range(1,3)", ["a.b=1", "a.b=2"]),
        ("a.b=interval(0,1)", []),
        ("a.b=[1,2]", ["a.b=[1,2]"]),
        ("a.b=[1,2],[3]", ["a.b=[1,2]", "a.b=[3]"]),
        ("+a={x:1}", ["+a={x:1}"]),
        ("~calibration", ["~calibration"]),
    ],
)
def test_values(override, values):
    assert values_of(override, options) == values


def test_every_value_is_in_a_sample():
    runs = samples_of_sweep(["recipes=digits", "calibration=kl,mse", "a=1,2,3"], options)
    assert runs[0] == ["recipes=digits", "calibration=kl", "a=1"]
    assert len(runs) == 4
    assert {o for run in runs for o in run} >= {"calibration=mse", "a=2", "a=3"}


def test_methods():
    assert swept_methods(["a=1,2", "calibration=kl,mse"], options) == ("kl", "mse")
    assert swept_methods(["calibration.method=choice(kl,max)"], options) == ("kl", "max")
    assert swept_methods(["calibration=glob(*)"], options) == ("kl", "max", "mse")
    assert swept_methods(["calibration=kl", "a=1,2"], options) == ()
