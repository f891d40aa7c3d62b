#!/bin/bash
# A sweep on SLURM: one task is the scheduler and the client, the others are Dask workers of one core each.
#SBATCH --job-name=sweep
#SBATCH --ntasks=64
#SBATCH --cpus-per-task=1
#SBATCH --time=04:00:00
# Ten minutes before the end the client gets SIGINT: it gives back what it had claimed. Submit the job again to go on.
#SBATCH --signal=B:INT@600
set -euo pipefail

# The sweep lies on a disk of the first node, or wherever one client alone opens it; the address file is shared by all nodes.
OUT="${SWEEP_OUT:?set it to a folder that this node alone writes to}"
ADDRESS="$SLURM_SUBMIT_DIR/scheduler-$SLURM_JOB_ID.json"
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1

dask scheduler --no-dashboard --interface "${SWEEP_INTERFACE:-ib0}" --scheduler-file "$ADDRESS" &
while [ ! -s "$ADDRESS" ]; do sleep 1; done

srun --ntasks=$((SLURM_NTASKS - 1)) --exact \
    dask worker --no-dashboard --nthreads 1 --scheduler-file "$ADDRESS" --death-timeout 120 &

TCP="$(python -c 'import json, sys; print(json.load(open(sys.argv[1]))["address"])' "$ADDRESS")"
iterorder sweep phase.toml --out "$OUT" --scheduler "$TCP" --json status.json &
trap 'kill -INT %3' INT
wait %3
