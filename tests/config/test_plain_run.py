"""Which command lines are composed once, and that they leave what Hydra leaves."""

from __future__ import annotations

import pytest
from omegaconf import DictConfig

from tpuc.config.plain_run import is_plain, run_plain
from tpuc.errors import ConfigError


@pytest.mark.parametrize(
    ("args", "plain"),
    [
        (["recipe=digits", "threads=1"], True),
        (["recipe=digits", "hydra.run.dir=here"], True),
        (["recipe=digits", "-m"], False),
        (["--cfg", "job"], False),
        (["--config-dir=mine", "recipe=digits"], False),
        (["recipe=digits", "hydra.mode=MULTIRUN"], False),
        (["recipe=digits", "+hydra.callbacks.x.y=1"], False),
    ],
)
def test_one_run_with_nothing_but_overrides_is_plain(args, plain):
    assert is_plain(args) is plain


def test_the_task_gets_its_config_and_the_folder_its_files(tmp_path):
    folder, seen = tmp_path / "run", []
    run_plain(["recipe=digits", "threads=3", f"hydra.run.dir={folder}"], seen.append)
    (config,) = seen
    assert isinstance(config, DictConfig) and "hydra" not in config
    assert config.threads == 3 and config.recipe == "digits"
    names = {p.name for p in (folder / ".hydra").iterdir()}
    assert names == {"config.yaml", "hydra.yaml", "overrides.yaml"}
    told = (folder / ".hydra" / "overrides.yaml").read_text().split()
    assert told == ["-", "recipes=digits", "-", "threads=3"]


@pytest.mark.parametrize("wrong", ["threds=3", "threads=many", "recipe=digit", "threads"])
def test_a_wrong_word_makes_no_folder(tmp_path, wrong):
    folder = tmp_path / "run"
    with pytest.raises(ConfigError):
        run_plain(["recipe=digits", wrong, f"hydra.run.dir={folder}"], lambda config: None)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("search.quantize_methods=KL,MSE", "'search.quantize_methods=[KL,MSE]'"),
        ("dataset.path=/my (own", "dataset.path=\"'/my (own'\""),
        ("calibration=kl,mse", "-m for a run with each"),
        ("model=5", "expected one of custom, digits"),
        ("calibration={a: 1}", "expected one of aciq_gauss"),
        ("model.input_shapes={x: [1]}", "expected a list"),
        ("model.preprocess=[1]", "expected names with values"),
    ],
)
def test_a_value_of_another_kind_is_told_what_is_right(wrong, right):
    with pytest.raises(ConfigError) as error:
        run_plain(["recipe=digits", wrong], lambda config: None)
    assert str(error.value).startswith(wrong.partition("=")[0]) and right in str(error.value)


def test_what_the_task_raises_is_raised(tmp_path):
    def task(config: DictConfig) -> None:
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        run_plain(["recipe=digits", f"hydra.run.dir={tmp_path}"], task)
