"""One plugin process and its side of the daemon's protocol: JSON lines on stdin and stdout.

The plugin says its manifest, its log and then a heartbeat, which means that it is ready; a request opens a
session, answered by `stream` messages, at most one `error`, and `end`. Sessions run side by side, asked for by
any number of threads; one reader hands each message to the session that waits for it.
"""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from llmflow_bundle.errors import VerifyFailed

from llmflow_runner.environment import Installed, without_network

START_TIMEOUT = 120.0  # seconds without a heartbeat after which the daemon, too, gives up
LONGEST_LINE = 5 << 20  # bytes of an event: the daemon's PLUGIN_STDIO_MAX_BUFFER_SIZE
HALF = re.compile(
    "[\ud800-\udfff]"
)  # of a character, which JSON may hold: the daemon, too, puts U+FFFD there
STOP_TIMEOUT = 5.0  # seconds between asking a plugin to end and ending it
NO_CONTEXT: Mapping[str, Any] = {
    "conversation_id": None,
    "message_id": None,
    "app_id": None,
    "endpoint_id": None,
    "context": {},
}
PASSED_ON = ("PATH", "HOME", "LANG", "TZ")  # the rest of our environment is none of a plugin's business

Events = queue.SimpleQueue[dict[str, Any] | None]  # of one session; None: the process has ended
ANSWERED: dict[str, Any] = {"data": {"type": "answered"}}  # Dify said something to the session's plugin
Dify = Callable[
    [dict[str, Any]], Iterable[Any]
]  # what answers a plugin's question to Dify; raises to refuse it


class PluginError(Exception):
    """What a plugin answered instead: `kind` is the SDK's name of the error, `text` is for the user."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind, self.text = kind, text


def refused(asked: Mapping[str, Any]) -> Iterable[Any]:
    """What the daemon answers to a plugin of models, which may not ask back."""
    raise PermissionError(f"you can not invoke dify from model ({asked['type']})")


def surroundings() -> dict[str, str]:
    """The environment of a plugin's process."""
    env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**env, "INSTALL_METHOD": "local", "PYTHONDONTWRITEBYTECODE": "1"}


def launch(place: Installed, alone: bool = False) -> subprocess.Popen[str]:
    """Start a plugin's process as the daemon does, its three streams open to us; `alone`: with no network."""
    return subprocess.Popen(
        [*(without_network() if alone else ()), str(place.python), "-m", "main"],
        cwd=place.folder,
        env=surroundings(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        process_group=0,  # Ctrl-C is ours to handle, not the plugin's
    )


def end(process: subprocess.Popen[str], timeout: float = STOP_TIMEOUT) -> None:
    """End a plugin's process: closing its stdin would only make the SDK spin."""
    process.terminate()
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass
class Plugin:
    """A running plugin, safe to share between threads; use it in a `with`, so that no process is left behind."""

    place: Installed
    start_timeout: float = START_TIMEOUT
    stop_timeout: float = STOP_TIMEOUT
    alone: bool = False  # start it with no network
    started: float = 0.0  # seconds from launch to readiness
    logs: list[str] = field(default_factory=list)
    _process: subprocess.Popen[str] | None = None
    _readers: list[threading.Thread] = field(default_factory=list)
    _writing: threading.Lock = field(default_factory=threading.Lock)
    _sessions: dict[str, Events] = field(default_factory=dict)
    _heard: threading.Event = field(default_factory=threading.Event)  # a heartbeat, or the end
    _ended: bool = False

    def __enter__(self) -> Plugin:
        """Start the process and wait until it is ready; raises VerifyFailed (PLUGIN-START-FAILED)."""
        begun = time.monotonic()
        self._process = launch(self.place, self.alone)
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read, self._drain)]
        try:
            for reader in self._readers:
                reader.start()
            if not self._heard.wait(self.start_timeout):
                raise self._silent("it said nothing in time")
            if self._ended:
                raise self._silent("it ended")
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
        """End the process, and with it every session."""
        if self._process is None:
            return
        end(self._process, self.stop_timeout)
        for reader in self._readers:
            reader.join(self.stop_timeout)  # they come to the streams' end, and tell whoever still waits
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream:
                with suppress(BrokenPipeError):  # a request that it ended without reading
                    stream.close()
        self._process = None

    def ask(
        self,
        data: Mapping[str, Any],
        timeout: float = 300.0,
        message_id: str | None = None,
        dify: Dify | None = None,
    ) -> Generator[dict[str, Any], None, None]:
        """Send one request, for a message of Dify where one is named, and yield what it streams, as it comes.

        Whoever stops iterating abandons the session: as the daemon does, nobody tells the plugin, and what it
        still says to the session is dropped. What the plugin asks of Dify on the way is answered by what `dify`
        yields for the request, several at once as they come, and refused without one. Raises PluginError for an
        error that the plugin answers, VerifyFailed (PLUGIN-NO-ANSWER) where nothing comes, and Dify answers nothing,
        for `timeout` seconds, or the process ends.
        """
        id_ = str(uuid.uuid4())
        error: PluginError | None = None
        answers = refused if data.get("type") == "model" else dify
        with self._session(id_) as events:
            about = {"session_id": id_, **NO_CONTEXT, "message_id": message_id}
            self._send({**about, "event": "request", "data": data})
            while True:
                message = self._next(events, time.monotonic() + timeout)["data"]
                match message["type"]:
                    case "stream":
                        yield message["data"]
                    case "invoke":
                        asked = (about, message["data"], answers, events)
                        threading.Thread(target=self._answer, args=asked, daemon=True).start()
                    case "error":
                        error = PluginError(message["data"]["error_type"], message["data"]["message"])
                    case "end":
                        break
        if error:
            raise error

    def _answer(
        self, about: Mapping[str, Any], asked: dict[str, Any], dify: Dify | None, events: Events
    ) -> None:
        """Answer a backwards invocation, as Dify would through the daemon; each answer shows that Dify is there."""
        said = {"backwards_request_id": asked["backwards_request_id"], "message": "", "data": None}

        def send(**more: Any) -> None:
            self._send({**about, "event": "backwards_response", "data": {**said, **more}})
            events.put(ANSWERED)

        try:
            if dify is None:
                raise LookupError("nothing stands in for Dify here")
            for data in dify(asked):
                send(event="response", message="stream", data=data)
            send(event="end")
        except Exception as exc:  # noqa: BLE001 - whatever goes wrong in Dify reaches the plugin as an error
            with suppress(VerifyFailed):  # where the process has ended the reader tells the session
                send(event="error", message=str(exc))

    def _send(self, message: Mapping[str, Any]) -> None:
        process = self._process
        if process is None or process.stdin is None:
            raise self._silent("it is not running")
        line = HALF.sub("\ufffd", json.dumps(message, ensure_ascii=False)) + "\n"
        try:
            with self._writing:
                process.stdin.write(line)
                process.stdin.flush()
        except (BrokenPipeError, ValueError) as exc:  # ValueError: another thread has closed the pipe
            raise self._silent("it ended") from exc

    @contextmanager
    def _session(self, id_: str) -> Iterator[Events]:
        """The events of one session, kept until the block ends."""
        events: Events = queue.SimpleQueue()
        self._sessions[id_] = events
        if self._ended:  # looked at once the session is listed: the reader tells those that it finds listed
            events.put(None)
        try:
            yield events
        finally:
            del self._sessions[id_]

    def _next(self, events: Events, deadline: float) -> dict[str, Any]:
        """A session's next event; what belongs to others, heartbeats too, does not extend the deadline."""
        try:
            event = events.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise self._silent("it said nothing in time") from None
        if event is None:
            raise self._silent("it ended")
        return event

    def _read(self) -> None:
        """Hand on what stdout says, and tell every session when nothing more will come."""
        stdout = self._process.stdout if self._process else None
        for line in stdout or ():
            if len(line) > LONGEST_LINE // 4 and len(line.encode()) > LONGEST_LINE:
                self._note(
                    f"it said a line of more than {LONGEST_LINE >> 20} MiB, for which the daemon ends it"
                )
                break
            if line.strip():  # events are parted by empty lines
                self._hand_on(line)
        self._ended = True
        self._heard.set()
        for events in tuple(self._sessions.values()):
            events.put(None)

    def _hand_on(self, line: str) -> None:
        """Queue an event for its session, drop it where none waits; other lines are kept with the log."""
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            self._note(line)  # a stray print
            return
        match event.get("event"):
            case "session":
                if events := self._sessions.get(str(event.get("session_id"))):
                    events.put(event)
            case "heartbeat":
                self._heard.set()
            case "log":
                self._note(str(event.get("data", {}).get("message", "")))

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
