"""Benchmarks of the gateway: run by hand, on the loopback only, always beside a floor program in the same run."""
