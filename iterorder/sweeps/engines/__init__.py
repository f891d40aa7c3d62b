"""What computes the blocks of a sweep: this process, other processes, or Dask. Each runs the same function."""
