"""Repeatable benchmarks: each figure stands beside what a bare loop reaches on the same database in the same run."""
