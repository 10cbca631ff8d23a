"""`python -m cli` is `bench`."""

from cli.main import main

main()
