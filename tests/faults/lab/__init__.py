"""The fault lab: breaks what a live run depends on, again and again, and measures how it recovers.

    make faults                                    every fault, 20 repetitions each
    python -m tests.faults.lab --only killed,stalled --repetitions 5

The program under test is the real pipeline with real sources and outputs (`rig`); the camera, the publish target and
the disk are real, too. `scenario` says what a fault is, `runner` repeats and judges it, `result` tells.
"""

from __future__ import annotations
