#!/usr/bin/env bash
# A task that only shares its worker with one that kills it is called the killer, too: with two threads on a worker, dask
# runs both again together, and after the allowed deaths reports KilledWorker for the innocent task as well, "all those workers
# died while running it", although alone it ends after two seconds. (distributed 2026.8.0)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q distributed==2026.8.0 dask==2026.8.0
cd "$folder"
cat > innocent.py <<'PYTHON'
import logging
import os
import time

import dask
from distributed import Client, KilledWorker, LocalCluster


def innocent():
    time.sleep(2)
    return 1


def killer():
    time.sleep(0.5)
    os._exit(1)


def outcome(future):
    try:
        return future.result(timeout=900)
    except KilledWorker as error:
        return f"KilledWorker: {error}"[:150]


def main():
    dask.config.set({"distributed.scheduler.allowed-failures": 1})
    settings = {"n_workers": 1, "processes": True, "dashboard_address": None, "silence_logs": logging.CRITICAL}
    found = {}
    for threads in (1, 2):
        with LocalCluster(threads_per_worker=threads, **settings) as cluster, Client(cluster) as client:
            first, second = client.submit(innocent), client.submit(killer)
            found[threads] = outcome(first)
            assert "KilledWorker" in str(outcome(second))
        print(f"{threads} thread(s): the innocent task gives {found[threads]}")
    assert found[1] == 1
    assert "all those workers died while running it" in found[2] and "on 2 different workers" in found[2]


if __name__ == "__main__":
    main()
PYTHON
OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore innocent.py 2>/dev/null
