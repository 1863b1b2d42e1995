"""Is the candidate slower than the baseline? Both measured now, side by side, on one core.

What belongs here: procedure H (its statistics, its rule, its launches of workers and of
servers) and `compare`, which drives it. What does not: absolute budgets and the CSV rows
(`perf`), worktrees of revisions and the worker protocol (`target`), signed evidence
(`evidence`). `docs/perf_evidence.md` says how often the procedure errs.
"""
