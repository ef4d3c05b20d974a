"""What detectors on other machines have in common: one deadline a frame, a circuit breaker, and who tries again."""
