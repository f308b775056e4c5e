"""Runs every bench in sequence: `make bench`."""

from tests.bench import (
    bench_board,
    bench_bundle,
    bench_history,
    bench_reconcile,
    bench_release,
    bench_secrets,
    bench_startup,
    bench_watch,
)

BENCHES = (
    bench_startup,
    bench_board,
    bench_bundle,
    bench_secrets,
    bench_watch,
    bench_history,
    bench_reconcile,
    bench_release,
)

for bench in BENCHES:
    print(f"== {bench.__name__.rsplit('.', 1)[1]}", flush=True)
    bench.main()
    print()
