"""Campaigns against everything that tpuc reads and against runs that die: see `__main__`."""
