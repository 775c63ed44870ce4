"""The `tpuc` command: composes a configuration with Hydra and runs the pipeline.

Exit status: 0 done; 2 wrong configuration or input; 3 done, but a stated goal was missed; 1
anything else; 130 interrupted.
"""

from __future__ import annotations

import gc
import logging
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

from tpuc.errors import InputError, TpucError

__all__ = ["main"]

HELP = """\
tpuc: from a trained network to quantized code for Sophgo TPUs.

  tpuc                                             build the default recipe (EfficientNet-Lite0)
  tpuc recipe=digits                               another shipped recipe
  tpuc recipe=custom model.path=net.onnx dataset.path=pictures/
  tpuc recipe=digits calibration=mse               another threshold method
  tpuc recipe=digits quantize=f16                  another type: int8, f16, bf16, f32
  tpuc recipe=digits stop_after=check              check everything, build nothing
  tpuc -m recipe=digits calibration=kl,mse,max     a sweep: one build for each value
  tpuc recipe=digits search=qtable                 search thresholds, and ops that must be float
  tpuc --config-dir my/ recipe=mine                your own my/recipes/mine.yaml
  tpuc recipe=digits --cfg job                     show the composed configuration

Recipes: {recipes}.
Groups: model, dataset, calibration, search, processor, quantize, backend, evaluation, report.
Keys are overridden as group.key=value; hydra.run.dir=FOLDER chooses the run folder.
Tab completion: eval "$(tpuc --shell-completion install=bash)"
Look into results with tpuc-tool (tpuc-tool --help).
"""

_SWITCH = 2e-4
"""Seconds that a thread waits for another's Python: kernels are done after that long."""

_outcome: list[int] = []
_interrupted: list[int] = []


def main() -> None:
    """Entry point."""
    args = sys.argv[1:]
    if args in (["--help"], ["-h"]):
        from tpuc.config.folders import recipes_parent

        names = sorted(p.stem for p in (recipes_parent() / "recipes").glob("*.yaml"))
        print(HELP.format(recipes=", ".join(names)), end="")
        return
    gc.set_threshold(100_000)  # importing torch makes many objects and little garbage
    sys.setswitchinterval(_SWITCH)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        status = _run(args)
    except BaseException as error:
        # an import or a library may turn the interruption into an error of its own
        if not _interrupted and not isinstance(error, KeyboardInterrupt):
            status = _failed(error)
        else:
            print("tpuc: interrupted; finished stages are kept in the cache", file=sys.stderr)
            status = 130
    sys.exit(status)


def _interrupt(number: int, frame: object) -> None:
    _interrupted.append(number)
    raise KeyboardInterrupt


def _failed(error: BaseException) -> int:
    """Say in one line what was wrong; what is no error of ours is raised on."""
    if isinstance(error, InputError):
        print(f"tpuc: {error}", file=sys.stderr)
        return 2
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        reason = f"{place}{error.strerror or error}"
        print(f"tpuc: {reason}. Hint: hydra.run.dir=FOLDER", file=sys.stderr)
        return 2
    if isinstance(error, TpucError):
        print(f"tpuc: internal error: {error}", file=sys.stderr)
        return 1
    raise error


def _run(args: list[str]) -> int:
    from tpuc.config.completing import asks_completion, completion_args, translated
    from tpuc.config.composing import (
        hydra_args,
        methods_of_sweep,
        preflight,
        register,
        sweep_folder,
    )

    if asks_completion(args):
        register()
        with translated(sys.stdout.write):
            _start_hydra(completion_args(args), ())
        return 0
    from tpuc.config.plain_run import is_plain, run_plain

    if is_plain(args):
        run_plain(args, lambda config: _app(config, ()))
        return max(_outcome, default=0)
    preflight(args)
    register()
    folder = sweep_folder(args)
    if folder is None:
        _start_hydra(hydra_args(args), ())
        return max(_outcome, default=0)
    settled = [f"hydra.sweep.dir='{folder}'", *_objectives(args)]
    _start_hydra([*hydra_args(args), *settled], methods_of_sweep(args))
    return _end_sweep(folder)


def _objectives(args: list[str]) -> list[str]:
    """What Optuna is to do with the two figures of a run: cosine up, cost down; repeatable."""
    if "hydra/sweeper=optuna" not in args:
        return []
    settings = {"direction": "[maximize,minimize]", "sampler.seed": "0"}
    given = {a.partition("=")[0].removeprefix("hydra.sweeper.") for a in args}
    return [f"hydra.sweeper.{k}={v}" for k, v in settings.items() if k not in given]


def _end_sweep(folder: Path) -> int:
    """Runs may have been in other processes, or on other machines: what they left behind counts."""
    from tpuc.pipeline.sweeping import finish_sweep

    if not folder.is_dir():  # only shown, not run
        return 0
    status, lines = finish_sweep(folder)
    log = logging.getLogger("tpuc")
    for line in lines:
        log.info("%s", line)
    log.info("sweep in %s", os.path.relpath(folder))
    log.info("open %s", os.path.relpath(folder / "sweep.html"))
    return status


def _start_hydra(args: list[str], together: tuple[str, ...]) -> None:
    sys.argv = [sys.argv[0], *args]
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    import hydra

    from tpuc.config.folders import config_folder

    def app(config: Any) -> tuple[float, float] | None:
        return _app(config, together)

    hydra.main(version_base="1.3", config_path=str(config_folder()), config_name="config")(app)()


def _app(config: Any, together: tuple[str, ...]) -> tuple[float, float] | None:
    """One build (hydra calls it once, or for each run of a sweep over the methods `together`).

    Returns
    -------
    tuple of float, optional
        In a sweep (output cosine, cost): what an optimizing sweeper makes large and small.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from tpuc.config.commands import repeating

    settings = HydraConfig.get()
    folder = Path(settings.runtime.output_dir)
    overrides = [_readable(o) for o in settings.overrides.task]
    given = [s.path for s in settings.runtime.config_sources if s.provider == "command-line"]
    command = repeating(overrides, given)
    if settings.mode != RunMode.MULTIRUN:
        _outcome.append(_build(config, folder, command, together)[0])
        return None
    from tpuc.pipeline.sweeping import KILLED, objectives, record

    log = logging.getLogger("tpuc")
    record(folder, overrides, command, (1, KILLED))  # unless it lives to say otherwise
    log.info("run %s: %s", settings.job.num, command)
    config.threads = config.threads or _share_of_cores(settings.launcher)
    try:
        status, reason = _build(config, folder, command, together)
    except Exception as error:  # a bug costs a row of the sweep, not the rest of it
        log.exception("run %s failed", settings.job.num)
        status, reason = 1, f"{type(error).__name__}: {error}"
    record(folder, overrides, command, (status, reason))
    return objectives(folder)


def _share_of_cores(launcher: Any) -> int:
    """Threads of a run, where a launcher has several at a time on this machine; 0: all."""
    cores = len(os.sched_getaffinity(0))
    jobs = launcher.get("n_jobs")
    if jobs is None:
        return 0
    return max(1, cores // (jobs if jobs > 0 else cores))


def _build(config: Any, folder: Path, command: str, together: tuple[str, ...]) -> tuple[int, str]:
    """(exit status, what was wrong)."""
    from tpuc.config.composing import to_job
    from tpuc.kernels._memory import keep_memory
    from tpuc.pipeline import run

    keep_memory()
    gc.freeze()  # what was imported is no garbage, now or later
    log = logging.getLogger("tpuc")
    try:
        job, plain = to_job(config)
        result = run(job, folder, plain, command, together)
    except (InputError, OSError) as error:
        reason = str(error)
        if isinstance(error, OSError):
            reason = f"{error.filename or folder}: {error.strerror}. Hint: hydra.run.dir, cache"
        log.error("tpuc: %s", reason)
        return 2, reason
    for missed in result.goals_missed:
        log.warning("goal missed: %s", missed)
    _say(result.folder, result.report)
    return (3 if result.goals_missed else 0), ""


def _readable(override: str) -> str:
    return re.sub(r"^recipes=", "recipe=", override)


def _say(folder: Path, report: dict[str, Any]) -> None:
    from tpuc.reports.summary import summary

    log = logging.getLogger("tpuc")
    for line in summary(report):
        log.info("%s", line)
    log.info("results in %s", os.path.relpath(folder))
    if (folder / "report.html").is_file():
        log.info("open %s", os.path.relpath(folder / "report.html"))
