"""Hydra's part: composes the groups, explains what is wrong in one line, and makes a typed Job."""

from __future__ import annotations

import difflib
import re
import shutil
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.errors import HydraException, OverrideParseException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tpuc.config.folders import config_folder, recipes_parent
from tpuc.config.keys import key_type
from tpuc.config.schema import Job
from tpuc.config.sweeping import samples_of_sweep, swept_methods
from tpuc.errors import ConfigError

__all__ = [
    "as_group",
    "check_form",
    "explain",
    "from_plain",
    "hydra_args",
    "methods_of_sweep",
    "preflight",
    "register",
    "search_paths",
    "split_args",
    "sweep_folder",
    "to_job",
]

_VALUE_FLAGS = ("--config-dir", "-cd", "--package", "-p", "--cfg", "-c", "--info", "-i",
                "--config-path", "-cp", "--config-name", "-cn", "--experimental-rerun")  # fmt: skip
_GROUPS = ("model", "dataset", "calibration", "correction", "search", "processor", "quantize",
           "backend", "evaluation", "report", "recipes")  # fmt: skip


class _Recipes(SearchPathPlugin):
    """Puts the shipped recipes on Hydra's search path."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        search_path.append("tpuc", f"file://{recipes_parent()}")


def register() -> None:
    """Tell Hydra the types, and where the shipped recipes lie."""
    ConfigStore.instance().store(name="schema", node=Job)
    if _Recipes not in Plugins.instance().discover(SearchPathPlugin):
        Plugins.instance().register(_Recipes)


def hydra_args(args: list[str]) -> list[str]:
    """Arguments as Hydra wants them: `recipe=` is its group `recipes`."""
    return [as_group(a) for a in args]


def as_group(arg: str) -> str:
    """`recipe=` as Hydra's group `recipes`."""
    return re.sub(r"^(\+{0,2})recipe=", r"\1recipes=", arg)


def split_args(args: list[str]) -> tuple[list[str], Path | None, bool]:
    """(overrides, --config-dir, is it a sweep) of a command line."""
    overrides: list[str] = []
    folder: Path | None = None
    sweep = False
    waiting = iter(args)
    for arg in waiting:
        name, _, value = arg.partition("=") if arg.startswith("-") else ("", "", "")
        if arg in _VALUE_FLAGS or name in _VALUE_FLAGS:
            value = value or next(waiting, "")
            if (name or arg) in ("--config-dir", "-cd"):
                folder = Path(value)
        elif arg in ("-m", "--multirun"):
            sweep = True
        elif not arg.startswith("-"):
            overrides.append(arg)
    return overrides, folder, sweep


def preflight(args: list[str]) -> None:
    """Compose once, to say in one line what is wrong before Hydra starts.

    Raises
    ------
    ConfigError : an unknown group, option, key or value, or a folder that does not exist
    """
    if any(a.startswith(("--shell-completion", "-sc", "--hydra-help", "--version")) for a in args):
        return
    overrides, folder, sweep = split_args(args)
    if folder is not None and not folder.is_dir():
        raise ConfigError(f"--config-dir: no such folder: {folder}")
    check_form(overrides)
    chosen = [o for o in map(as_group, overrides) if not o.startswith("hydra")]
    paths = search_paths(folder)
    extra = [f"hydra.searchpath=['file://{p}']" for p in paths[1:]]
    register()
    try:
        with initialize_config_dir(str(config_folder()), version_base="1.3"):
            runs = samples_of_sweep(chosen, lambda g: _options(g, paths)) if sweep else [chosen]
            for run in runs:
                config = compose("config", [*run, *extra])
                config.recipe = "check"
                to_job(config)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error, overrides, paths)) from error
    finally:
        GlobalHydra.instance().clear()


def check_form(overrides: list[str]) -> None:
    """Check what is visible without composing; raises as `preflight`."""
    for override in overrides:
        if "=" not in override and not override.startswith("~"):
            raise ConfigError(f"'{override}': expected key=value, for example recipe=digits")
        group, _, option = override.lstrip("+").partition("=")
        if group in (*_GROUPS, "recipe") and re.match(r"[\d{\[]|(null|true|false)$", option, re.I):
            choices = _options(as_group(f"{group}=")[:-1], search_paths(None))
            raise ConfigError(f"{group}={option}: no such option{_near(option, choices)}")
        if key_type(group) is bool and re.fullmatch(r"[\d.]+", option) and option not in ("0", "1"):
            raise ConfigError(f"{group}: {option} is neither true nor false")
    if "hydra/launcher=submitit_slurm" in overrides and shutil.which("srun") is None:
        raise ConfigError(
            "hydra/launcher=submitit_slurm: no srun on PATH; expected a machine of a Slurm "
            "cluster. Hint: hydra/launcher=submitit_local runs here"
        )


def sweep_folder(args: list[str]) -> Path | None:
    """Folder of the sweep that a command line starts; None if it starts none."""
    overrides, folder, sweep = split_args(args)
    if not sweep or any(a in ("--cfg", "-c", "--info", "-i") for a in args):
        return None
    extra = [f"hydra.searchpath=['file://{p}']" for p in search_paths(folder)[1:]]
    kept = ("recipes=", "hydra.sweep.", "hydra/launcher=", "hydra/sweeper=")
    plain = [o for o in map(as_group, overrides) if o.startswith(kept)]
    try:
        with initialize_config_dir(str(config_folder()), version_base="1.3"):
            config = compose("config", [*plain, *extra], return_hydra_config=True)
            return Path(config.hydra.sweep.dir).absolute()
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error, overrides, search_paths(folder))) from error
    finally:
        GlobalHydra.instance().clear()


def methods_of_sweep(args: list[str]) -> tuple[str, ...]:
    """Calibration methods that the runs of a sweep use; none if it is no such sweep."""
    overrides, folder, sweep = split_args(args)
    paths = search_paths(folder)
    return swept_methods(overrides, lambda g: _options(g, paths)) if sweep else ()


def search_paths(folder: Path | None) -> list[Path]:
    """Where recipes and groups are looked for."""
    return [recipes_parent(), *([folder.resolve()] if folder else [])]


def explain(error: Exception, overrides: list[str], paths: list[Path]) -> str:
    """What is wrong, in one line."""
    text = str(error) or str(error.__cause__ or type(error).__name__)
    missing = re.search(r"(?:Could not find|In '[^']*': Could not find) '([^']+)'", text)
    if missing:
        group, _, option = missing[1].rpartition("/")
        if group in ("hydra/launcher", "hydra/sweeper"):
            return f"{missing[1]}: not installed. Hint: pip install 'tpuc[sweep,ray]'"
        shown = "recipe" if group == "recipes" else group
        return f"{shown}={option}: no such option{_near(option, _options(group, paths))}"
    key = re.search(r"Key '([^']+)' is not in struct|Key '([^']+)' not in '", text)
    full = re.search(r"full_key: (\S+)", text)
    struct = re.search(r"Could not override '([^']+)'", text)
    if key or struct:
        name = struct[1] if struct else (full[1] if full else key[1] or key[2])  # type: ignore[index]
        return f"{name}: no such key{_near(name, _keys())}"
    listed = re.match(r"Ambiguous value for argument '([^=]+)=(.*)'", text)
    if listed:
        name, value = listed.groups()
        if as_group(f"{name}=")[:-1] in _GROUPS:
            return (
                f"{name.replace('recipes', 'recipe')}={value}: several options; expected one, "
                "or -m for a run with each"
            )
        return (
            f"{name}: {value} could be a list or text; expected '{name}=[{value}]' for a list, "
            f"{name}=\"'{value}'\" for text, or -m for a run with each"
        )
    if isinstance(error, OverrideParseException):
        name, _, value = error.override.partition("=")
        return f"{name}: {value} has characters of Hydra's grammar; expected {name}=\"'{value}'\""
    cause = str(error.__cause__) if error.__cause__ is not None else ""
    value = (cause or text).splitlines()[0]
    name = getattr(error.__cause__ or error, "full_key", None) or (full[1] if full else "")
    if value.startswith("Cannot merge "):
        is_node = isinstance(OmegaConf.select(OmegaConf.structured(Job), name), DictConfig)
        value = f"expected {'names with values, {a: 1}' if is_node else 'a list, [1, 2]'}"
    place = f"{name}: " if name else ""
    return f"{place}{value}"


def _near(word: str, choices: list[str]) -> str:
    close = difflib.get_close_matches(word, choices, 1, 0.4)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; expected one of {', '.join(sorted(choices))}" if len(choices) < 20 else ""


def _options(group: str, paths: list[Path]) -> list[str]:
    folders = [config_folder() / group, *(p / group for p in paths)]
    return [f.stem for folder in folders for f in folder.glob("*.yaml")]


def _keys() -> list[str]:
    found: list[str] = list(_GROUPS[:-1]) + ["recipe"]

    def walk(node: Any, prefix: str) -> None:
        for key, value in node.items():
            name = f"{prefix}{key}"
            found.append(name)
            if isinstance(value, DictConfig):
                walk(value, f"{name}.")

    walk(OmegaConf.structured(Job), "")
    return found


def to_job(config: DictConfig) -> tuple[Job, dict[str, Any]]:
    """The typed Job, and the same as plain values for the manifest."""
    plain = OmegaConf.to_container(config, resolve=True, enum_to_str=True)
    assert isinstance(plain, dict)
    plain.pop("recipes", None)
    job = OmegaConf.to_object(config)
    assert isinstance(job, Job)
    return job, {str(k): v for k, v in plain.items()}


def from_plain(values: dict[str, Any]) -> Job:
    """The Job of a manifest's `config`.

    Raises
    ------
    ConfigError : a key or value that this version does not have
    """
    try:
        job = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Job), values))
    except OmegaConfBaseException as error:
        raise ConfigError(f"manifest.json: {str(error).splitlines()[0]}") from error
    assert isinstance(job, Job)
    return job
