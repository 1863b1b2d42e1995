"""The verdict for people and tools: page, past pages, badge, summary, JUnit, OpenMetrics. Judges nothing."""
