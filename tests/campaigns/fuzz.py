"""Guided fuzzing of one reader: libFuzzer through atheris, with this folder's damage mixed in.

    python -m tests.campaigns.fuzz READER FINDINGS_FOLDER SECONDS [libFuzzer options]

Ends with status 0 if nothing was found. A finding (an exception that is no `InputError`, an input
that takes longer than 20 s or more than 2 GB, a crash) is written into the folder.
"""

from __future__ import annotations

import inspect
import random
import sys
from pathlib import Path

import atheris

from tests.campaigns.mutate import mutate
from tests.campaigns.readers import READERS, check


def _instrument() -> None:
    """Count the branches of every function of tpuc that is loaded."""
    owners: list[object] = [m for n, m in sys.modules.items() if n.split(".")[0] == "tpuc"]
    done: set[int] = set()
    while owners:
        for item in list(vars(owners.pop()).values()):
            ours = str(getattr(item, "__module__", "")).startswith("tpuc.")
            if not ours or id(item) in done:
                continue
            done.add(id(item))
            if inspect.isfunction(item):
                atheris.instrument_func(item)
            elif inspect.isclass(item):
                owners.append(item)


def main(name: str, folder: Path, seconds: int, *options: str) -> None:
    """Fuzz; does not return."""
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    sound = READERS[name].sound()
    for index, example in enumerate(sound):
        (corpus / f"sound{index}").write_bytes(example)

    def damaged(data: bytes, max_size: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < 0.3 and name != "program":
            return atheris.Mutate(data, max_size)
        return mutate(bytes(data), sound, chance)[:max_size]

    def one(data: bytes) -> None:
        check(name, data)

    flags = [
        f"-artifact_prefix={folder}/",
        f"-max_total_time={seconds}",
        f"-max_len={max(map(len, sound)) * 2}",
        *["-timeout=20", "-rss_limit_mb=2048", "-malloc_limit_mb=2048", "-print_final_stats=1"],
    ]
    _instrument()
    atheris.Setup([sys.argv[0], str(corpus), *flags, *options], one, custom_mutator=damaged)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
