#!/bin/bash
# Workers for the GPUs of one machine, one for each (package dask-cuda), beside a scheduler on loopback.
set -euo pipefail

dask scheduler --no-dashboard --host 127.0.0.1 --port 8786 &
dask cuda worker tcp://127.0.0.1:8786 --nthreads 1 --no-dashboard &
iterorder sweep phase.toml --scheduler tcp://127.0.0.1:8786
kill %1 %2
