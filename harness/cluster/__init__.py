"""Many hosts: one command is given to each, on Dask, and its results are brought together."""
