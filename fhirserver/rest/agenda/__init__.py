"""The agenda behind every write (`step`): appointments by their rules, and the slots that they take; schedules."""
