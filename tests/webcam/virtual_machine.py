"""A virtual machine with a V4L2 camera, for machines without one: QEMU, Debian's kernel and its driver `vivid`.

It boots from an initial RAM disk, mounts the host's file system read-only over 9p, runs one command in it with a
`/dev/video0`, and ends. Software emulation only: the host needs no KVM and loads no module. It needs root, because the
machine has the rights of QEMU in the host's file system, and for apt-get's download.
"""

from __future__ import annotations

import lzma
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

TOOLS = ("qemu-system-x86_64", "busybox", "cpio", "depmod", "dpkg-deb", "apt-get", "v4l2-ctl")
PACKAGES = "qemu-system-x86 busybox-static cpio kmod v4l-utils"
"""Debian packages that contain them."""
VIVID = "n_devs=1 node_types=0x20101 num_inputs=1 input_types=0x0"
"""One webcam at /dev/video0, and two other nodes: a video output and metadata."""
_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "vivid")
_INIT = f"""#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in $(cat /modules/order); do
    case $module in vivid.ko) options='{VIVID}';; *) options=;; esac
    insmod /modules/$module $options
done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 host /host
for folder in dev proc sys; do mount --bind /$folder /host/$folder; done
mkdir -p /dev/shm; mount -t tmpfs shm /dev/shm
mount -t tmpfs run /host/run; mkdir /host/run/out
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 out /host/run/out
ifconfig lo 127.0.0.1 up
chroot /host /bin/sh /run/out/command.sh > /host/run/out/stdout 2> /host/run/out/stderr
echo $? > /host/run/out/status
sync
poweroff -f
"""


class VirtualMachine:
    """Kernel and initial RAM disk in a folder; the first use downloads about 70 MB into it.

    Args:
        folder: where they are kept for the next run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = folder / "root"
        if not list(self._root.glob("boot/vmlinuz-*")):
            self._fetch_kernel()
        self._kernel = sorted(self._root.glob("boot/vmlinuz-*"))[-1]
        self.release = self._kernel.name.removeprefix("vmlinuz-")
        self._ram_disk = self._make_ram_disk()

    def run(self, command: list[str], out: Path, *, timeout_s: float = 600.0) -> int:
        """Boot, run a command in the host's file system and in this process' folder, switch off.

        Args:
            command: program and arguments; the environment variable `OUT` names a writable folder.
            out: that folder on the host; the command's output is written to it as `stdout` and `stderr`.
            timeout_s: after which the machine is switched off.

        Returns:
            The command's exit status.

        Raises:
            subprocess.TimeoutExpired: it took longer.
            FileNotFoundError: the machine did not start the command; its console is in `out`.
        """
        path = f"{Path(sys.prefix) / 'bin'}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        environment = f"env OUT=/run/out HOME=/run TMPDIR=/run PYTHONDONTWRITEBYTECODE=1 PATH={shlex.quote(path)}"
        (out / "command.sh").write_text(
            f"cd {shlex.quote(str(Path.cwd()))}\nexec {environment} {shlex.join(command)}\n"
        )
        shares = ("path=/,mount_tag=host,readonly=on,multidevs=remap", f"path={out},mount_tag=out")
        with (out / "console").open("wb") as console:
            subprocess.run(
                [
                    *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "3072"),
                    *("-nographic", "-no-reboot", "-nic", "none", "-append", "console=ttyS0 quiet panic=-1"),
                    *("-kernel", str(self._kernel), "-initrd", str(self._ram_disk)),
                    *(part for share in shares for part in ("-virtfs", f"local,security_model=none,{share}")),
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                timeout=timeout_s,
                check=False,
            )
        return int((out / "status").read_text())

    def _fetch_kernel(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        depends = subprocess.run(
            ["apt-cache", "depends", "linux-image-amd64"], check=True, capture_output=True, text=True
        ).stdout
        package = next(word for word in depends.split() if word.startswith("linux-image-") and "." in word)
        subprocess.run(["apt-get", "download", package], cwd=self._folder, check=True, capture_output=True)
        archive = next(self._folder.glob("*.deb"))
        subprocess.run(["dpkg-deb", "-x", archive, self._root], check=True)
        archive.unlink()

    def _make_ram_disk(self) -> Path:
        image = self._folder / "ram_disk"
        tree = self._folder / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        for name in ("bin", "dev", "host", "modules", "proc", "sys"):
            (tree / name).mkdir(parents=True)
        shutil.copy(str(shutil.which("busybox")), tree / "bin" / "busybox")
        (tree / "init").write_text(_INIT)
        (tree / "init").chmod(0o755)
        order = list(self._modules())
        for module in order:
            packed = module.suffix == ".xz"
            content = lzma.decompress(module.read_bytes()) if packed else module.read_bytes()
            (tree / "modules" / module.name.removesuffix(".xz")).write_bytes(content)
        (tree / "modules" / "order").write_text("\n".join(module.name.removesuffix(".xz") for module in order))
        names = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
        archive = subprocess.run(
            ["cpio", "--quiet", "-o", "-H", "newc"], cwd=tree, input=names.encode(), check=True, capture_output=True
        ).stdout
        image.write_bytes(archive)
        return image

    def _modules(self) -> Iterator[Path]:
        """The files of the required modules, each after those that it depends on."""
        subprocess.run(["depmod", "-b", self._root, self.release], check=True)
        library = self._root / "lib" / "modules" / self.release
        table = dict(line.split(":") for line in (library / "modules.dep").read_text().splitlines())
        paths = {os.path.basename(path).split(".")[0].replace("-", "_"): path for path in table}  # noqa: PTH119
        done: set[str] = set()
        for name in _MODULES:
            if name not in paths:
                continue  # built into the kernel
            for path in (*reversed(table[paths[name]].split()), paths[name]):
                if path not in done:
                    done.add(path)
                    yield library / path
