"""From a suite file to jobs in the queue. Nothing here imports torch."""
