"""`make bench`: every bench, one after the other."""

from tests.bench import bench_bundle, bench_release, bench_startup, bench_watch

for bench in (bench_startup, bench_bundle, bench_release, bench_watch):
    print(f"== {bench.__name__.rsplit('.', 1)[1]}", flush=True)
    bench.main()
    print()
