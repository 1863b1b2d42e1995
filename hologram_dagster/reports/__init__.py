"""The verdict for people and tools: page, badge, job summary, JUnit. Renders, judges nothing."""
