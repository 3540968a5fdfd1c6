"""`python run.py ...` runs one job, or with -m a sweep: the same as `infobound ...` and `python -m
infobound ...`.
"""

from infobound.launcher import command, launch

__all__ = ["launch"]

if __name__ == "__main__":
    command()
