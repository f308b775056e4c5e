"""One timer that fails must not stop the world."""

from __future__ import annotations

import threading

from deployctl.sandbox.simulation import Simulation


def test_a_failing_timer_does_not_stop_the_next(caplog):
    world = Simulation(speed=1.0)
    ran = threading.Event()

    def fails():
        raise ZeroDivisionError("injected")

    world.after(0, fails)
    world.after(0, ran.set)
    thread = threading.Thread(target=world.timers.run_forever)
    thread.start()
    assert ran.wait(5)
    world.timers.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert "a timer failed" in caplog.text


def test_calls_are_counted_by_operation(world):
    for operation in ("s3:PutObject", "ec2:CreateTags", "s3:PutObject"):
        world.calls.count(operation)
    assert world.calls.by_operation() == {"ec2:CreateTags": 1, "s3:PutObject": 2}
