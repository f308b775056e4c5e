"""The summary of a GitHub Actions step: a table that no text can break, within GitHub's limit."""

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from deployctl.model.release import ReleaseKind
from deployctl.model.verdict import Verdict
from deployctl.report.github_summary import LIMIT_BYTES, append_summary, every_outcome, step_summary
from tests.examples import examples


def test_failed_groups_are_open_and_the_others_folded(make):
    bad = make.group_outcome(
        "mail", Verdict.FAILED, verified=5, failed=["x"], reason="1 of 6 workers: no disk"
    )
    text = step_summary([make.outcome(make.group_outcome("audio"), bad)])
    assert text.splitlines() == [
        "## ❌ release of shop to v123: failed",
        "",
        "v123 verified on 1 of 2 groups\\; failed on mail \\(1 of 6 workers\\)",
        "",
        "Release r\\-20261122\\-1200, began 2026\\-11\\-22T12\\:00\\:00Z, took 5m12s",
        "",
        "| Group | Verdict | Workers | Reason |",
        "|---|---|---:|---|",
        "| mail | ❌ failed | 5/6 | 1 of 6 workers\\: no disk |",
        "",
        "<details><summary>1 group verified</summary>",
        "",
        "| Group | Verdict | Workers | Reason |",
        "|---|---|---:|---|",
        "| audio | ✅ verified | 6/6 |  |",
        "",
        "</details>",
        "",
    ]


def test_a_rollback_has_its_own_section(make):
    back = make.outcome(make.group_outcome("mail", version="v122"), version="v122", kind=ReleaseKind.ROLLBACK)
    outcome = make.outcome(
        make.group_outcome("mail", Verdict.ROLLED_BACK, reason="back on v122"), rollback=back
    )
    text = step_summary(every_outcome(outcome))
    assert text.index("## ❌ release of shop to v123") < text.index(
        "## ✅ rollback of shop to v122: verified"
    )


def test_a_summary_of_ten_thousand_groups_stays_below_githubs_limit_and_counts_the_rest(make):
    reason = "é" * 490
    bad = [make.group_outcome(f"g-{n}", Verdict.FAILED, verified=0, reason=reason) for n in range(10_000)]
    text = step_summary([make.outcome(*bad, make.group_outcome("z"))])
    assert LIMIT_BYTES - 200_000 < len(text.encode()) <= LIMIT_BYTES
    assert "groups more |" in text


@examples(suite=60, soak=1_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reason=st.text(max_size=700), room=st.integers(0, 3_000))
def test_no_reason_breaks_the_table_or_exceeds_the_limit(make, reason, room):
    bad = make.group_outcome("mail", Verdict.FAILED, verified=1, reason=reason or "-")
    text = step_summary([make.outcome(bad)])
    (row,) = [line for line in text.split("\n") if line.startswith("| mail")]
    bare = row.replace("\\\\", "").replace("\\|", "").replace("\\<", "").replace("\\`", "")
    assert bare.count("|") == 5
    assert "<" not in bare
    assert "`" not in bare
    assert len(step_summary([make.outcome(bad)], room_bytes=room).encode()) <= room


def test_earlier_text_of_the_step_is_kept_and_counted(make, tmp_path):
    path = tmp_path / "summary.md"
    path.write_text("before\n" + "x" * (LIMIT_BYTES - 600))
    append_summary(path, [make.outcome(*(make.group_outcome(f"g-{n}") for n in range(100)))])
    assert path.read_text().startswith("before\n")
    assert path.stat().st_size <= LIMIT_BYTES
