"""One plugin process and its side of the daemon's protocol: JSON lines on stdin and stdout.

The plugin says its manifest, its log and then a heartbeat, which means that it is ready; a request opens a
session, answered by `stream` messages, at most one `error`, and `end`.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmflow_bundle.errors import VerifyFailed

from llmflow_runner.environment import Installed

START_TIMEOUT = 120.0  # seconds without a heartbeat after which the daemon, too, gives up
STOP_TIMEOUT = 5.0  # seconds between asking a plugin to end and ending it
NO_CONTEXT: Mapping[str, Any] = {
    "conversation_id": None,
    "message_id": None,
    "app_id": None,
    "endpoint_id": None,
    "context": {},
}
PASSED_ON = ("PATH", "HOME", "LANG", "TZ")  # the rest of our environment is none of a plugin's business


class PluginError(Exception):
    """What a plugin answered instead: `kind` is the SDK's name of the error, `text` is for the user."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind, self.text = kind, text


@dataclass
class Plugin:
    """A running plugin; use it in a `with`, so that no process is left behind."""

    place: Installed
    start_timeout: float = START_TIMEOUT
    stop_timeout: float = STOP_TIMEOUT
    started: float = 0.0  # seconds from launch to readiness
    logs: list[str] = field(default_factory=list)
    _lines: queue.Queue[dict[str, Any] | None] = field(default_factory=queue.Queue)
    _process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Plugin:
        """Start the process and wait until it is ready; raises VerifyFailed (PLUGIN-START-FAILED)."""
        begun = time.monotonic()
        env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self._process = subprocess.Popen(
            [str(self.place.python), "-m", "main"],
            cwd=self.place.folder,
            env={**env, "INSTALL_METHOD": "local", "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            process_group=0,  # Ctrl-C is ours to handle, not the plugin's
        )
        for read in (self._read, self._drain):
            threading.Thread(target=read, daemon=True).start()
        try:
            while self._next(begun + self.start_timeout).get("event") != "heartbeat":
                pass
        except BaseException:
            self.stop()
            raise
        self.started = time.monotonic() - begun
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process's id; raises VerifyFailed where it does not run."""
        if self._process is None:
            raise self._silent("it is not running")
        return self._process.pid

    def stop(self) -> None:
        """End the process: closing its stdin would only make the SDK spin."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(self.stop_timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream:
                stream.close()
        self._process = None

    def ask(self, data: Mapping[str, Any], timeout: float = 300.0) -> Iterator[dict[str, Any]]:
        """Send one request and yield what it streams, as it comes.

        Raises PluginError for an error that the plugin answers, VerifyFailed (PLUGIN-NO-ANSWER) where nothing
        comes for `timeout` seconds or the process ends.
        """
        session = str(uuid.uuid4())
        self._send({"session_id": session, **NO_CONTEXT, "event": "request", "data": data})
        error: PluginError | None = None
        while True:
            message = self._next(time.monotonic() + timeout, session)
            match message["type"]:
                case "stream":
                    yield message["data"]
                case "error":
                    error = PluginError(message["data"]["error_type"], message["data"]["message"])
                case "end":
                    break
        if error:
            raise error

    def _send(self, message: Mapping[str, Any]) -> None:
        if self._process is None or self._process.stdin is None:
            raise self._silent("it is not running")
        try:
            self._process.stdin.write(json.dumps(message, ensure_ascii=False) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as exc:
            raise self._silent("it ended") from exc

    def _next(self, deadline: float, session: str | None = None) -> dict[str, Any]:
        """The next event, or the next message of a session; heartbeats do not extend the deadline."""
        while True:
            try:
                event = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise self._silent("it said nothing in time") from None
            if event is None:
                raise self._silent("it ended")
            if session is None:
                return event
            if event.get("event") == "session" and event.get("session_id") == session:
                return dict(event["data"])

    def _read(self) -> None:
        """Queue the events of stdout; other lines, stray prints, are kept with the log."""
        stdout = self._process.stdout if self._process else None
        for line in stdout or ():
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            if not isinstance(event, dict):
                self._note(line)
            elif event.get("event") == "log":
                self._note(str(event.get("data", {}).get("message", "")))
            else:
                self._lines.put(event)
        self._lines.put(None)

    def _drain(self) -> None:
        stderr = self._process.stderr if self._process else None
        for line in stderr or ():
            self._note(line)

    def _note(self, line: str) -> None:
        if line.strip():
            self.logs.append(line.rstrip()[:500])
            del self.logs[:-100]

    def _silent(self, why: str) -> VerifyFailed:
        id_ = "PLUGIN-NO-ANSWER" if self.started else "PLUGIN-START-FAILED"
        what = "The plugin did not answer" if self.started else "The plugin did not start"
        return VerifyFailed(id_, f"{what}: {why}", where="\n".join(self.logs[-5:]))
