"""Batch jobs: who scores them when there is time, who is alive, and the files of their results. It knows no HTTP."""
