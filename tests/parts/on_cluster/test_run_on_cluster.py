"""`run --cluster` with real Ray clusters on this machine."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.parts.on_cluster import programs
from tests.parts.on_cluster.programs import children, clip, command, environment, outputs, read_until, started, workers
from tests.ray_head import free_ports, ray_head

pytestmark = pytest.mark.slow
TWO = ("--cluster", "local", "--set", "cluster.workers=2", "--set", "cluster.parts=6")
WITHIN_S = 120.0


def run(arguments: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments, cwd=programs.ROOT, env=variables, capture_output=True, text=True, timeout=WITHIN_S, check=False
    )


def single(source: Path, folder: Path, variables: dict[str, str]) -> list[bytes]:
    assert run(command(source, folder), variables).returncode == 0
    return outputs(folder)


def kill_one(process: subprocess.Popen[str], known: set[int]) -> None:
    """End a worker that has not been ended before, as soon as there is one."""
    deadline_s = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline_s and process.poll() is None:
        for worker in workers(process):
            if worker.pid not in known:
                known.add(worker.pid)
                worker.kill()
                return
        time.sleep(0.1)
    raise AssertionError("no worker was started")


def test_outputs_are_those_of_one_process_though_workers_die(tmp_path: Path) -> None:
    source, variables = clip(tmp_path), environment(tmp_path)
    expected = single(source, tmp_path / "one", variables)
    with started(command(source, tmp_path / "cluster", *TWO), variables) as process:
        told = read_until(process, "joining")
        killed: set[int] = set()
        kill_one(process, killed)
        rest, _ = process.communicate(timeout=WITHIN_S)
    told += rest
    assert process.returncode == 0, told
    assert outputs(tmp_path / "cluster") == expected
    assert "from parts: 48 frames" in told
    assert "(raylet)" not in told  # nothing of Ray's own


def test_a_worker_without_the_file_gets_the_bytes_of_its_parts(tmp_path: Path) -> None:
    source, variables = clip(tmp_path), environment(tmp_path)
    expected = single(source, tmp_path / "one", variables)
    done = run(command(source, tmp_path / "cluster", *TWO, "--set", "cluster.input=send"), variables)
    assert done.returncode == 0, done.stderr
    assert outputs(tmp_path / "cluster") == expected
    assert "from parts: 48 frames" in done.stdout


def test_workers_that_compute_other_numbers_are_refused_or_noted(tmp_path: Path) -> None:
    source, variables = clip(tmp_path), environment(tmp_path)
    refused = run(command(source, tmp_path / "refused", *TWO, detector="own-numbers"), variables)
    assert refused.returncode == 2
    assert refused.stderr.rstrip().endswith("allow mixed workers (--allow-mixed)")
    assert not list((tmp_path / "refused").iterdir())
    mixed = run(command(source, tmp_path / "mixed", *TWO, "--allow-mixed", detector="own-numbers"), variables)
    assert mixed.returncode == 0, mixed.stderr
    assert "not reproducible" in mixed.stdout


@pytest.mark.parametrize("phase", ["starting Ray", "parts for", "joining"])
def test_ctrl_c_leaves_no_process_of_ray(tmp_path: Path, phase: str) -> None:
    source, variables = clip(tmp_path), environment(tmp_path)
    with started(command(source, tmp_path / "out", *TWO), variables) as process:
        read_until(process, phase)
        below = children(process)
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 130, told
    assert told.rstrip().endswith("interrupted")
    _, alive = psutil.wait_procs(below, timeout=10)
    assert not alive


def test_no_room_for_a_worker(tmp_path: Path) -> None:
    source, variables = clip(tmp_path), environment(tmp_path)
    wanted = ("--cluster", "local", "--set", "cluster.num_gpus=64", "--set", "cluster.start_s=2")
    done = run(command(source, tmp_path / "out", *wanted), variables)
    assert done.returncode == 2
    assert "each worker needs 1 CPU and 64 GPU" in done.stderr


def test_no_cluster_there(tmp_path: Path) -> None:
    source, variables = clip(tmp_path), environment(tmp_path)
    [port] = free_ports(1)
    done = run(command(source, tmp_path / "out", "--cluster", f"ray://127.0.0.1:{port}"), variables)
    assert done.returncode == 2
    assert f"error: no cluster at ray://127.0.0.1:{port}" in done.stderr
    assert not list((tmp_path / "out").iterdir())


def test_shared_cluster_keeps_no_worker_and_may_go_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, variables = clip(tmp_path), environment(tmp_path)
    monkeypatch.setattr("tests.ray_head.ROOT", variables["PYTHONPATH"])
    expected = single(source, tmp_path / "one", variables)
    with ray_head(cpus=2) as head:
        done = run(command(source, tmp_path / "cluster", "--cluster", head.address), variables)
        assert done.returncode == 0, done.stderr
        assert outputs(tmp_path / "cluster") == expected
        with started(command(source, tmp_path / "stopped", "--cluster", head.address), variables) as process:
            read_until(process, "joining")
            found = workers(head.process)  # type: ignore[arg-type]
            assert found
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=WITHIN_S)
        assert process.returncode == 130
        assert not psutil.wait_procs(found, timeout=20)[1]
        with started(command(source, tmp_path / "lost", "--cluster", head.address), variables) as process:
            read_until(process, "parts for")
            head.kill()
            told, _ = process.communicate(timeout=WITHIN_S)
        assert process.returncode == 1
        assert f"error: the connection to {head.address} is lost; run again when it is back" in told
        assert not list((tmp_path / "lost").iterdir())


def test_cluster_with_another_program_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, variables = clip(tmp_path), environment(tmp_path)
    older = tmp_path / "older" / "streamer" / "__init__.py"
    older.parent.mkdir(parents=True)
    older.write_text('__version__ = "0.1"\n', encoding="utf-8")
    monkeypatch.setattr("tests.ray_head.ROOT", older.parents[1])
    with ray_head(cpus=2) as head:
        done = run(command(source, tmp_path / "out", "--cluster", head.address), variables)
    assert done.returncode == 2
    assert "install the same version" in done.stderr
    assert "Traceback" not in done.stderr
