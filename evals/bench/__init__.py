"""Benchmarks: each prints its figures as ratios against a named bar, or against a peer in the same run."""
