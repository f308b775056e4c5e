"""The sandbox's process: `python -m deployctl.sandbox.server`, started by `deployctl sandbox start`."""

import argparse
import logging
import os
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from types import FrameType

# Set before moto is imported: its images take a megabyte, and the sandbox does not use them.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
# Web pages must not reach the sandbox.
os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"

from deployctl.sandbox.build import build
from deployctl.sandbox.http import Server, listen
from deployctl.sandbox.seed import Size
from deployctl.sandbox.simulation import Simulation
from deployctl.sandbox.state import RunningSandbox, Settings, StateFile, process_started_at

STOP_POLL_S = 0.05
EXIT_POLL_S = 1.0

log = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    settings, state = _arguments(argv)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    serve(settings, state)
    return 0


def _arguments(argv: list[str] | None) -> tuple[Settings, StateFile]:
    parser = argparse.ArgumentParser(prog="deployctl.sandbox.server", description=__doc__)
    for name, default in asdict(Settings()).items():
        kind = float if isinstance(default, float) else int
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default)
    parser.add_argument("--state-dir", type=Path, required=True)
    options = vars(parser.parse_args(argv))
    state = StateFile(options.pop("state_dir").absolute())
    return Settings(**options), state


def serve(settings: Settings, state: StateFile) -> None:
    """Serve until stopped. The state file names the port once the server answers requests."""
    # The directory that it was started in may be deleted.
    os.chdir("/")
    listening = listen(settings.port)
    world = Simulation(speed=settings.speed, seed=settings.seed)
    running = RunningSandbox(
        pid=os.getpid(),
        process_started_at=process_started_at(os.getpid()),
        port=listening.getsockname()[1],
        started_at=world.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        settings=settings,
    )
    stopping = threading.Event()
    cloud = build(
        world,
        Size(groups=settings.groups, workers=settings.workers),
        stop=stopping.set,
        facts=running.as_json(),
    )
    server = Server(listening, cloud.dispatch.answer)
    threading.Thread(target=world.timers.run_forever, name="timers", daemon=True).start()
    threading.Thread(target=server.serve_forever, args=(STOP_POLL_S,), name="server", daemon=True).start()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    state.write(running)
    log.info("%d groups, %d workers on %s", settings.groups, settings.workers, running.endpoint)
    _wait(stopping, settings.until_exit_of)
    server.shutdown()
    world.timers.stop()
    state.remove(running.pid)
    log.info("stopped")


def _wait(stopping: threading.Event, pid: int | None) -> None:
    """Return on a stop request, or when process `pid` has exited."""
    if pid is None:
        stopping.wait()
        return
    started_at = process_started_at(pid)
    # A later process may have the same id, but not the same start time.
    while started_at and process_started_at(pid) == started_at:
        if stopping.wait(EXIT_POLL_S):
            return
    log.info("process %d has exited", pid)


if __name__ == "__main__":
    sys.exit(main())
