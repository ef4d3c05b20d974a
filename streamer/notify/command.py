"""Runs a command for each message: the message as JSON on standard input, its fields in the environment.

Thread of the target. A command that takes too long is ended with all processes of its group.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar, Self

from pydantic import Field, field_validator

from streamer.config.notify import TargetSettings
from streamer.errors import ConfigError
from streamer.notify.own_loop import OwnLoop
from streamer.notify.target import DeliveryError, Message, TargetContext
from streamer.system.secrets import SECRETS

log = logging.getLogger(__name__)

REFUSED = os.EX_DATAERR if hasattr(os, "EX_DATAERR") else 65
"""The exit code (sysexits.h) by which a command refuses a message, so that it is not run again for it."""
LONGEST_OUTPUT = 2000
"""Characters of the output that are logged: the last ones."""
TERMINATED_S = 2.0
"""How long a process group has to end itself before it is killed."""
_PIPE_BYTES = 65536
_SHELL = ("/bin/sh", "-c")
_FIELDS = ("camera", "rule", "label", "track", "direction", "start_time", "end_time", "score", "value", "text")


class CommandSettings(TargetSettings):
    """A command that is run for each message."""

    command: tuple[str, ...]
    """The program and its arguments, as a list; a text is run by the shell (/bin/sh)."""
    timeout_s: float = Field(default=30.0, gt=0, le=3600)
    """The longest time that it runs."""

    @field_validator("command", mode="before")
    @classmethod
    def _as_arguments(cls, value: object) -> object:
        if isinstance(value, str) and value.strip():
            return (*_SHELL, value)
        if not isinstance(value, list | tuple) or not value or value[0] in ("", None):
            raise ValueError("give a program and its arguments, such as [notify-send, Streamer]")
        # YAML reads 5 and true without quotes as other types; their texts are meant.
        return tuple(str(one).lower() if isinstance(one, bool | int | float) else one for one in value)


class CommandTarget:
    """See `Target`."""

    section: ClassVar[type[TargetSettings]] = CommandSettings

    def __init__(self, name: str, settings: CommandSettings) -> None:
        self._name, self._settings = name, settings
        self._loop = OwnLoop()

    @classmethod
    def from_settings(cls, name: str, settings: Any, context: TargetContext) -> Self:
        """See `Target`. A program that does not exist is refused: its messages would wait for ever."""
        program = settings.command[0]
        if shutil.which(program) is None:
            raise ConfigError(f"{context.path}.command: no program {program}; give its path, or install it")
        return cls(name, settings)

    def deliver(self, message: Message) -> str:
        """See `Target`. Exit code 0 is success, 65 (EX_DATAERR) refuses the message; others are tried again."""
        limit_s, program = self._settings.timeout_s, self._settings.command[0]
        try:
            code, output = self._loop.run(self._run(message), limit_s)
        except TimeoutError as error:
            raise DeliveryError(f"the command has not ended within {limit_s:g} s, and was ended") from error
        except OSError as error:
            raise DeliveryError(f"cannot run {program}: {error.strerror}") from error
        said = output.strip()[-LONGEST_OUTPUT:]
        if said:
            log.info("notify: output of the command of target %s: %s", self._name, said)
        ended = f"signal {-code}" if code < 0 else f"exit code {code}"
        told = ended + (f": {SECRETS.hide(said.splitlines()[-1])}" if said else "")
        if code == 0:
            return told
        raise DeliveryError(f"the command ends with {told}", permanent=code == REFUSED)

    def cancel(self) -> None:
        """See `Target`. A command that runs is ended."""
        self._loop.cancel()

    def close(self) -> None:
        """See `Target`."""
        self._loop.close()

    async def _run(self, message: Message) -> tuple[int, str]:
        """Exit code and output."""
        with _Output() as output:
            process = await asyncio.create_subprocess_exec(
                *self._settings.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=output.write_end,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, **environment(message, picture=self._settings.snapshot)},
                start_new_session=True,  # a process group of its own
            )
            try:
                await _feed(process, json.dumps(message.payload).encode())
                code = await process.wait()
            except BaseException:
                await _end(process)
                raise
            return code, output.text()


def environment(message: Message, *, picture: bool = True) -> dict[str, str]:
    """The variables of the environment of a command; empty where a message has no value.

    Args:
        message: to be delivered.
        picture: tell the path of the picture.
    """
    payload, data = message.payload, message.payload["data"]
    values: Mapping[str, Any] = {
        "id": payload["id"],
        "type": payload["type"],
        "phase": payload["phase"],
        "event": data["id"],
        **{name: data[name] for name in _FIELDS},
        "zones": ",".join(data["zones"]),
        "snapshot": message.snapshot.absolute() if picture and message.snapshot is not None else None,
        "clip": None if message.clip is None else message.clip.absolute(),
    }
    # No variable can hold a NUL.
    return {
        f"STREAMER_EVENT_{name.upper()}": "" if value is None else str(value).replace("\0", "")
        for name, value in values.items()
    }


class _Output:
    """A pipe for the output of a command. Processes that the command leaves behind may keep it open."""

    def __enter__(self) -> Self:
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._output = b""
        asyncio.get_running_loop().add_reader(self._read_end, self._read)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        asyncio.get_running_loop().remove_reader(self._read_end)
        os.close(self._read_end)
        os.close(self.write_end)

    def text(self) -> str:
        """The end of the output so far."""
        self._read()
        return self._output.decode("utf-8", "replace")

    def _read(self) -> None:
        with suppress(BlockingIOError):
            chunk = os.read(self._read_end, _PIPE_BYTES)
            self._output = (self._output + chunk)[-4 * LONGEST_OUTPUT :]  # a character has up to four bytes


async def _feed(process: asyncio.subprocess.Process, text: bytes) -> None:
    if process.stdin is None:
        return
    with suppress(BrokenPipeError, ConnectionResetError):  # a command need not read
        process.stdin.write(text)
        await process.stdin.drain()
    process.stdin.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the process group: SIGTERM, then SIGKILL."""
    for number, wait_s in ((signal.SIGTERM, TERMINATED_S), (signal.SIGKILL, TERMINATED_S)):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await process.wait()
