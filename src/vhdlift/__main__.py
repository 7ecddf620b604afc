"""`python -m vhdlift` is the command `vhdlift`."""

from vhdlift.cli.main import main

main()
