"""`python -m infobound ...` is `infobound ...`."""

from infobound.launcher import command

command()
