"""tpuc-tool verify: repeat a run from its manifest and compare digests."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from tpuc.cache import digest_file
from tpuc.errors import ArtifactError

__all__ = ["SUMMARY", "add_arguments", "execute"]

SUMMARY = "repeat a run from its manifest, without the cache, and compare every file's digest"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("folder", type=Path, help="run folder")


def execute(args: argparse.Namespace) -> int:
    """Repeat and compare; status 3 if a file differs.

    Raises
    ------
    ArtifactError : the folder has no manifest, or an input changed since
    """
    manifest = _manifest(args.folder)
    changed = [
        name
        for name, digest in manifest["outputs"].items()
        if not (args.folder / name).is_file() or digest_file(args.folder / name) != digest
    ]
    for name in changed:
        print(f"CHANGED   {name}: not the file that the run wrote")
    _check_inputs(manifest)
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        _repeat(manifest, fresh)
        differing = 0
        for name, digest in manifest["outputs"].items():
            same = (fresh / name).is_file() and digest_file(fresh / name) == digest
            differing += not same
            print(f"{'SAME' if same else 'DIFFERENT':<9} {name}")
    return 3 if differing or changed else 0


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / "manifest.json").read_text())
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{folder}: has no usable manifest.json ({error})") from error
    if not isinstance(content, dict) or not {"config", "outputs", "inputs"} <= set(content):
        raise ArtifactError(f"{folder / 'manifest.json'}: is not a manifest of tpuc's")
    return content


def _check_inputs(manifest: dict[str, Any]) -> None:
    for key, entry in manifest["inputs"].items():
        if not isinstance(entry, dict) or "path" not in entry:
            continue
        path = Path(manifest["working_folder"]) / entry["path"]
        if path.is_file() and digest_file(path) != entry["sha256"]:
            raise ArtifactError(f"{key}: {path} changed since the run; it can not be repeated")


def _repeat(manifest: dict[str, Any], folder: Path) -> None:
    from tpuc.config.composing import from_plain
    from tpuc.pipeline import run

    if Path(manifest["working_folder"]).is_dir():
        os.chdir(manifest["working_folder"])  # relative paths in the config start there
    job = from_plain(manifest["config"])
    job.cache = None
    job.stop_after = None
    run(job, folder)
