"""A page that is open during a storm: it hears frames, and heals gaps as the browser does."""

import json
import random
import socket
import threading
import time
from contextlib import suppress
from typing import Any

import httpx
from websockets import exceptions
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

HEAR_SECONDS = 0.5
RECONNECT_SECONDS = 0.3


class Listener(threading.Thread):
    """Listens to one batch, reconnecting with the number it has seen."""

    def __init__(
        self,
        url: str,
        cookie: str,
        batch: str,
        chance: random.Random | None = None,
        *,
        loses: float = 0.0,
    ) -> None:
        """Lose this share of the frames that nobody asked for, as a full layer does."""
        super().__init__(name=f"listener-{batch[:8]}", daemon=True)
        self.at = 0
        self.progress: dict[str, Any] = {}
        # Every event that was heard, by number: what the database must know too.
        self.events: dict[int, dict[str, Any]] = {}
        self.contradictions: list[str] = []
        # When the page knew that it had seen everything up to a number.
        self.known_at: list[tuple[float, int]] = []
        self._chance, self._loses = chance or random.Random(), loses
        self.connections = 0
        self._address = url.replace("http", "ws", 1) + f"/ws/batches/{batch}"
        self._origin, self._cookie = Origin(url), cookie
        self._ending = threading.Event()
        self._socket: ClientConnection | None = None

    def run(self) -> None:
        while not self._ending.is_set():
            with suppress(OSError, exceptions.WebSocketException, TimeoutError):
                self._listen()
            self._ending.wait(RECONNECT_SECONDS)

    def drop(self) -> None:
        """Break the connection, as a train in a tunnel does."""
        if self._socket is not None:
            # Not close: whoever waits in a read of a closed socket waits on.
            with suppress(OSError):
                self._socket.socket.shutdown(socket.SHUT_RDWR)

    def forget(self, number: int) -> None:
        """Go back to an old number, as a page that slept does."""
        self.at = min(self.at, number)
        self.drop()

    def stop(self) -> None:
        self._ending.set()
        self.join()

    def _listen(self) -> None:
        headers = {"Cookie": self._cookie}
        with connect(
            self._address,
            additional_headers=headers,
            origin=self._origin,
            open_timeout=5,
            close_timeout=1,
            proxy=None,
        ) as line:
            self._socket = line
            self.connections += 1
            line.send(json.dumps({"since": self.at}))
            while not self._ending.is_set():
                try:
                    frame = json.loads(line.recv(timeout=HEAR_SECONDS))
                except TimeoutError:
                    continue
                is_relayed = "progress" in frame
                if is_relayed and self._chance.random() < self._loses:
                    continue
                if self._hear(frame):
                    line.send(json.dumps({"since": self.at}))
                self.known_at.append((time.time(), self.at))

    def _hear(self, frame: dict[str, Any]) -> bool:
        """Take a frame in; return whether something before it is missing."""
        to = frame.get("to", self.at)
        progress = frame.get("progress") or frame.get("snapshot") or self.progress
        is_answer = "snapshot" in frame and "from" in frame
        if is_answer and frame["events"] is None:
            self.at, self.progress = to, progress
            return False
        if to < self.at:
            return False
        if to == self.at:
            self.progress = progress
            return False
        if not frame.get("events") or frame["from"] > self.at:
            return True
        for event in frame["events"]:
            self._remember(event)
        self.at, self.progress = to, progress
        return False

    def _remember(self, event: dict[str, Any]) -> None:
        known = self.events.setdefault(event["seq"], event)
        if known != event:
            self.contradictions.append(f"event {event['seq']} was told as {known} and as {event}")


def sign_in(url: str, username: str, password: str) -> str:
    """Return the Cookie header of somebody signed in."""
    with httpx.Client(base_url=url, timeout=20, follow_redirects=False) as browser:
        browser.get("/login/")
        answer = browser.post(
            "/login/",
            data={
                "username": username,
                "password": password,
                "csrfmiddlewaretoken": browser.cookies["csrftoken"],
            },
            headers={"Referer": f"{url}/login/"},
        )
        assert answer.status_code == httpx.codes.FOUND, answer.text[:500]
        return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
