"""One gate run in plain Python, from preflight to the published verdict.

What Dagster's assets and the command line both do with a run. Measuring is `perf`'s and
`e2e`'s, judging `evidence`'s, rendering `reports`'.
"""
