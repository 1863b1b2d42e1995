"""Quality of the target's own tests: attempts, flakes, quarantine."""
