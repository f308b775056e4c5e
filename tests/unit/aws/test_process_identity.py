from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

from deployctl.aws.clock import SystemClock
from deployctl.aws.process_identity import ProcessIdentity, host_key, started_ticks, this_process


def test_this_process_lives():
    assert not this_process().is_dead


def test_a_process_that_ended_is_dead():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        mark = ProcessIdentity(pid=child.pid, host_key=host_key(), started=started_ticks(child.pid))
        assert not mark.is_dead
        assert child.stdin is not None
        child.stdin.close()
        child.wait()
        assert mark.is_dead


def test_a_zombie_process_is_dead():
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert started_ticks(child.pid) is None
        child.wait()


def test_another_process_with_the_same_id_is_not_the_one():
    assert replace(this_process(), started="1").is_dead


def test_what_cannot_be_known_is_never_taken_for_dead():
    assert not replace(this_process(), started=None).is_dead
    assert not replace(this_process(), started="1", host_key=None).is_dead
    assert not replace(this_process(), started="1", host_key="another boot").is_dead


def test_the_system_clock_is_in_utc_and_runs_forward():
    clock = SystemClock()
    before, began_s = clock.now(), clock.monotonic_s()
    clock.sleep(0.01)
    assert before.tzinfo is UTC
    assert abs((datetime.now(UTC) - before).total_seconds()) < 60
    assert clock.monotonic_s() - began_s >= 0.01
