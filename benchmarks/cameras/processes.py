"""Cameras as threads of one process, as one `run` each, and as processes around one process with the model."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

from benchmarks.cameras import table
from benchmarks.cameras.program import Program, ProgramFailed, Programs
from benchmarks.cameras.rig import Kind, Rig, watch

WARM_UP_S = 4.0
_MODULE = "benchmarks.cameras.model_process"


def measure(seconds: float, kind: Kind, counts: Sequence[int]) -> None:
    """Print the table."""
    rows = []
    with Rig(kind, max(counts)) as rig:
        for count in counts:
            names = rig.names[:count]
            for label, running in _ways(rig, names).items():
                rows.append([str(count), label, *_row(running, names, seconds)])
    table.title(f"threads and processes, {kind}, starter")
    columns = (
        "cameras",
        "",
        "fps",
        "detected\n/s",
        "age at\ndetector",
        "age\nshown",
        "CPU ms\n/frame",
        "CPU\nms/s",
        "MiB",
    )
    table.table(columns, rows)
    table.note(
        "fps: of the slowest camera. detected: of all cameras. Ages: p95 of the worst\n"
        "camera, ms. CPU ms/s: of a camera. MiB: of all processes, shared pages once.\n"
        "threads: one `serve`. programs: one `run` for each camera, with its own model.\n"
        "model process: a process for each camera, one with the model (prototype)."
    )


def _ways(rig: Rig, names: Sequence[str]) -> Mapping[str, AbstractContextManager[Programs]]:
    return {
        "threads": rig.serve({name: rig.camera(name) for name in names}),
        "programs": rig.run(names),
        "model process": _around_a_model(rig, names),
    }


@contextmanager
def _around_a_model(rig: Rig, names: Sequence[str]) -> Iterator[Programs]:
    """One process for each camera, and one with the model."""
    address = str(rig.file(".socket"))
    with ExitStack() as stack:
        workers = str(len(os.sched_getaffinity(0)))
        model = Program(["model", address, workers], rig.file(".log"), module=_MODULE)
        programs = [stack.enter_context(model)]
        for name in names:
            arguments = ["camera", address, *rig.run_arguments(name)]
            programs.append(stack.enter_context(Program(arguments, rig.file(".log"), stream=name, module=_MODULE)))
        yield Programs(programs)


def _row(running: AbstractContextManager[Programs], names: Sequence[str], seconds: float) -> list[str]:
    """The figures of one way; why there are none, if the machine is too slow for it."""
    with running as programs:
        try:
            programs.wait_for(names, within_s=60)
        except ProgramFailed as error:
            table.note(str(error))
            return ["failed"]
        time.sleep(WARM_UP_S)
        window = watch(programs, seconds)
        return [
            f"{min(window.fps(name) for name in names):.2f}",
            f"{window.detected_fps():.1f}",
            f"{window.age_p95_ms('detector', names):.0f}",
            f"{window.age_p95_ms('shown', names):.0f}",
            f"{window.cpu_ms_a_frame:.1f}",
            f"{1e3 * window.cpu_s / window.seconds / len(names):.0f}",
            f"{programs.memory_mib:.0f}",
        ]
