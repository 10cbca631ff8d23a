"""What is measured of bench's speed, and against what. Run from the repository: `python -m benchmarks.engine`."""
