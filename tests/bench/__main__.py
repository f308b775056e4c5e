"""`make bench`: every bench, one after the other."""

from tests.bench import bench_board, bench_bundle, bench_history, bench_release, bench_startup

for bench in (bench_startup, bench_board, bench_bundle, bench_history, bench_release):
    print(f"== {bench.__name__.rsplit('.', 1)[1]}", flush=True)
    bench.main()
    print()
