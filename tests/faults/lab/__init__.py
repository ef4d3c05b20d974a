"""The fault lab: breaks what a live run depends on, repeatedly, and measures the recovery.

    make faults                                    every fault, 20 repetitions each
    python -m tests.faults.lab --only killed,stalled --repetitions 5

The program under test is the real pipeline with real sources and outputs (`rig`); the camera, the publish target and
the disk are real, too. `scenario` defines a fault, `runner` repeats and judges it, `result` reports it.
"""

from __future__ import annotations
