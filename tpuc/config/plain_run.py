"""One run with nothing but overrides: composed once, where `hydra.main` composes three times.

What it leaves behind (`.hydra/`, the log, the run folder) is what Hydra's own way leaves.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

from hydra import compose, initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import run_job
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from tpuc.config.composing import as_group, check_form, explain, register, search_paths, to_job
from tpuc.config.folders import config_folder
from tpuc.errors import ConfigError

__all__ = ["is_plain", "run_plain"]

_HYDRAS_OWN = ("hydra.mode", "hydra.searchpath", "hydra.callbacks", "hydra/callbacks")
_NAME = "cli"
"""What Hydra calls a job that is started from tpuc/cli.py."""


def is_plain(args: list[str]) -> bool:
    """Whether a command line is one run, of shipped groups and recipes."""
    return not any(a.startswith("-") or a.lstrip("+~").startswith(_HYDRAS_OWN) for a in args)


def run_plain(args: list[str], task: Callable[[DictConfig], object]) -> None:
    """Compose, check and run.

    Raises
    ------
    ConfigError : an unknown group, option, key or value
    """
    check_form(args)
    register()
    try:
        with initialize_config_dir(str(config_folder()), version_base="1.3", job_name=_NAME):
            chosen = [as_group(a) for a in args]
            config = compose("config", chosen, return_hydra_config=True)
            hydra = GlobalHydra.instance().hydra
            assert hydra is not None
        config.hydra.mode = RunMode.RUN
        HydraConfig.instance().set_config(config)
        _check(config)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error, args, search_paths(None))) from error
    finally:
        GlobalHydra.instance().clear()
    context = HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks())
    done = run_job(task, config, "hydra.run.dir", None, context)
    _ = done.return_value  # raises what the task raised


def _check(config: DictConfig) -> None:
    ours = copy.deepcopy(config)
    with read_write(ours), open_dict(ours):
        del ours["hydra"]
    to_job(ours)
