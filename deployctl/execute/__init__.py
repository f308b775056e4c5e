"""Runs a plan: start, follow, judge, tag, record. Events out, folded into what is known."""
