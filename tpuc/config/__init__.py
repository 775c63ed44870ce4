"""Configuration: the schema, semantic checks, where the shipped files lie, and Hydra's part.

schema.py     every key, its type and default     checks.py     what needs more than a type
folders.py    conf/ and recipes/                  composing.py  the only file besides cli.py with
Hydra
"""

from tpuc.config.checks import STAGES, check_job, nearest, with_mode
from tpuc.config.schema import Job

__all__ = ["STAGES", "Job", "check_job", "nearest", "with_mode"]
