"""The tags of gate runs in Dagster, which the command line states and the resource reads."""

PROFILE_TAG = "hologram/profile"
COMMIT_TAG = "hologram/commit"
BASELINE_TAG = "hologram/baseline"
ENVIRONMENT_TAG = "hologram/environment"
# What started the run: cli, main_commits, nightly or regate.
TRIGGER_TAG = "hologram/trigger"
# Where the commit comes from, if the run judges it from a worktree of its own (`origin`).
ORIGIN_TAG = "hologram/origin"
# Why the baseline is rolled forward by this run.
ROLL_FORWARD_TAG = "hologram/roll-forward"
# What the sensor had to tell when it asked for the run.
NOTE_TAG = "hologram/note"
