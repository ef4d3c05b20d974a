"""How good tracks and shown boxes are, measured against ground truth or, without one, from a run alone.

Stands above the pipeline and the features: it runs them. Main thread.
"""
