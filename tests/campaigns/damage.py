"""Sound files with small damage, read again and again: what is no refusal is a finding."""

from __future__ import annotations

import random
import resource
import signal
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from types import FrameType

from tests.campaigns.lines import Tried
from tests.campaigns.mutate import mutate
from tests.campaigns.readers import READERS, check

__all__ = ["damage"]

_HANG = 20  # seconds


def _too_long(signum: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"more than {_HANG} s")


def _place(error: BaseException) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/tpuc/" in f.filename]
    where = f"{frames[-1].filename.rpartition('/tpuc/')[2]}:{frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} at {where}"


def damage(name: str, seconds: float, seed: int, findings: Path) -> Tried:
    """Damage the examples of one reader for some seconds.

    Parameters
    ----------
    findings : Path
        Folder for one input of each kind of finding; the input being read lies there too, in case
        the process dies.
    """
    sound, chance = READERS[name].sound(), random.Random(seed)
    found: Counter[str] = Counter()
    count = taken = 0
    findings.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGALRM, _too_long)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = chance.choice(sound)
        for _ in range(chance.choice((1, 1, 2, 3))):
            data = mutate(data, sound, chance)
        (findings / f"{name}.reading").write_bytes(data)
        count += 1
        signal.alarm(_HANG)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                taken += check(name, data) is None
        except (Exception, MemoryError) as error:
            kind = _place(error)
            if not found[kind]:
                (findings / f"{name}.{len(found)}").write_bytes(data)
            found[kind] += 1
        finally:
            signal.alarm(0)
    (findings / f"{name}.reading").unlink()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    notes = [f"{taken} read, {count - taken} refused, peak {peak:.0f} MB"]
    notes += [f"{number} x {kind}" for kind, number in found.most_common(5)]
    return Tried(f"damaged {name}", count, sum(found.values()), "; ".join(notes))
