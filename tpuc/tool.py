"""The `tpuc-tool` command: what is no build."""

from __future__ import annotations

import argparse
import sys

from tpuc.errors import InputError, TpucError

__all__ = ["main"]


def main(argv: list[str] | None = None) -> None:
    """Entry point; exit status 0, 2 wrong input, 3 differs or failed to verify, 1 anything else."""
    from tpuc.tools import VERBS

    parser = argparse.ArgumentParser(
        prog="tpuc-tool", description="Look into, run, compare and verify what tpuc wrote."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (summary, add_arguments, _) in VERBS.items():
        add_arguments(verbs.add_parser(name, help=summary, description=summary))
    args = parser.parse_args(argv)
    try:
        status = VERBS[args.verb][2](args)
    except InputError as error:
        print(f"tpuc-tool: {error}", file=sys.stderr)
        status = 2
    except TpucError as error:
        print(f"tpuc-tool: internal error: {error}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        print("tpuc-tool: interrupted", file=sys.stderr)
        status = 130
    except BrokenPipeError:
        status = 0
    sys.exit(status)
