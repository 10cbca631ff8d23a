"""Words in, words out. The door is `cli.main:main`."""
