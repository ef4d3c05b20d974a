"""The job files of docs/cluster.md: the shell loop runs as printed, the others as their schedulers would run them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamer.parts.part_file import read_part
from streamer.parts.plan_file import read_plan
from tests.cli.program import MAIN, Program, bash
from tests.clips import write_video

PAGE = (Path(__file__).parents[1] / "docs" / "cluster.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SBATCH_OPTIONS = {"job-name", "array", "cpus-per-task", "mem", "gres", "time", "requeue", "output"}
"""Of sbatch's manual; the scripts use no others."""


def block_with(text: str) -> str:
    """The one block of code that contains a text."""
    (found,) = (block for _, block in BLOCKS if text in block)
    return found


SHELL_LOOP = block_with("xargs")
SLURM_SCRIPT = block_with("#SBATCH")
SLURM_COMMANDS = block_with("sbatch --parsable")
KUBERNETES_JOB: dict[str, Any] = yaml.safe_load(block_with("kind: Job"))
CONTAINER: dict[str, Any] = KUBERNETES_JOB["spec"]["template"]["spec"]["containers"][0]


@pytest.fixture
def folder(tmp_path: Path, nanodet_weights: Path) -> Path:
    """A folder with `clip.mp4`."""
    assert nanodet_weights.is_file()
    write_video(tmp_path / "clip.mp4", frames=48, options={"g": "6"})
    return tmp_path


def outputs_of_one_process(folder: Path) -> bytes:
    """The annotated clip of an ordinary run."""
    result = Program(folder)("run", "clip.mp4", "-o", "alone.mp4", "--quiet")
    assert result.code == 0, result.errors
    return (folder / "alone.mp4").read_bytes()


@pytest.mark.slow
def test_the_shell_loop_gives_the_bytes_of_one_process(folder: Path) -> None:
    plan, loop, join = SHELL_LOOP.splitlines()
    done = bash(folder, f"{plan} && {loop}")
    assert done.returncode == 0, done.stderr
    parts = sorted((folder / "job").glob("*.npz"))
    assert len(parts) == len(read_plan(folder / "job" / "plan.json").parts)
    kept = {part: part.stat().st_mtime_ns for part in parts[1:]}
    parts[0].unlink()
    again = bash(folder, f"{loop} && {join}")
    assert again.returncode == 0, again.stderr
    assert parts[0].is_file(), "the same line again detects what is missing"
    assert {part: part.stat().st_mtime_ns for part in parts[1:]} == kept
    assert (folder / "clip.annotated.mp4").read_bytes() == outputs_of_one_process(folder)


def test_bash_accepts_every_script_of_the_page() -> None:
    for language, block in BLOCKS:
        if language == "bash":
            assert subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, check=False).stderr == ""


def test_the_slurm_script_has_known_options_and_the_parts_of_its_plan() -> None:
    assert SLURM_SCRIPT.startswith("#!/bin/bash\n#SBATCH "), "directives after the first command are ignored"
    options = dict(re.findall(r"^#SBATCH --([\w-]+)(?:=(\S+))?$", SLURM_SCRIPT, re.MULTILINE))
    assert set(options) == SBATCH_OPTIONS
    assert len(options) == SLURM_SCRIPT.count("#SBATCH ")
    first, last = map(int, re.fullmatch(r"(\d+)-(\d+)%\d+", options["array"]).groups())  # type: ignore[union-attr]
    assert (first, last + 1) == (0, int(re.search(r"--parts (\d+)", SLURM_COMMANDS)[1]))  # type: ignore[index]


@pytest.mark.slow
def test_the_slurm_commands_detect_every_part_and_join(folder: Path) -> None:
    """`sbatch` here runs the tasks of an array at once, one after the other."""
    sbatch = folder / "bin" / "sbatch"  # `bash` has this folder in the path
    sbatch.parent.mkdir()
    sbatch.write_text(
        "#!/bin/bash\n"
        'if [ "$1" = --parsable ]; then echo 7; for part in 0 1; do SLURM_ARRAY_TASK_ID=$part bash "$2" >&2; done\n'
        'elif [ "$1" = --dependency=afterok:7 ] && [ "$2" = --wrap ]; then sh -c "$3"\n'
        "else exit 1; fi\n",
        encoding="utf-8",
    )
    sbatch.chmod(0o755)
    (folder / "detect.sbatch").write_text(SLURM_SCRIPT, encoding="utf-8")
    done = bash(folder, "set -e\n" + SLURM_COMMANDS.replace("--parts 64", "--parts 2"))
    assert done.returncode == 0, done.stderr
    assert len(list((folder / "job").glob("*.npz"))) == 2
    assert (folder / "clip.annotated.mp4").read_bytes() == outputs_of_one_process(folder)


def test_the_kubernetes_job_tries_failed_parts_again_but_not_bad_input() -> None:
    assert (KUBERNETES_JOB["apiVersion"], KUBERNETES_JOB["kind"]) == ("batch/v1", "Job")
    spec = KUBERNETES_JOB["spec"]
    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] >= spec["parallelism"] > 0
    assert spec["backoffLimitPerIndex"] > 0
    assert spec["maxFailedIndexes"] < spec["completions"]
    assert spec["template"]["spec"]["restartPolicy"] == "Never", "both policies need it"
    disrupted, invalid = spec["podFailurePolicy"]["rules"]
    assert disrupted == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    assert invalid["action"] == "FailIndex"
    assert invalid["onExitCodes"] == {"containerName": CONTAINER["name"], "operator": "In", "values": [2]}


def test_the_kubernetes_job_has_resources_and_a_volume() -> None:
    resources = CONTAINER["resources"]
    assert set(resources["requests"]) == {"cpu", "memory"}
    assert resources["limits"] == {"memory": resources["requests"]["memory"], "nvidia.com/gpu": 1}
    pod = KUBERNETES_JOB["spec"]["template"]["spec"]
    assert {mount["name"] for mount in CONTAINER["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert f"--uid {pod['securityContext']['runAsUser']}" in (MAIN.parent / "deploy" / "Dockerfile").read_text()


@pytest.mark.slow
def test_the_command_of_a_kubernetes_pod_detects_its_part(folder: Path) -> None:
    (job,) = (mount["mountPath"] for mount in CONTAINER["volumeMounts"])
    planned = Program(folder)("plan", "clip.mp4", "--parts", "2", "-o", "plan.json")
    assert planned.code == 0, planned.errors
    arguments = [argument.replace("$(JOB_COMPLETION_INDEX)", "1") for argument in CONTAINER["args"]]
    arguments = [re.sub(rf"^{job}(?=/|$)", str(folder), argument) for argument in arguments]
    detected = Program(folder)(*arguments)
    assert detected.code == 0, detected.errors
    (part,) = folder.glob("*.npz")
    assert read_part(part).number == 1
