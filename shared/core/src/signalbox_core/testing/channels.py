"""FakeChannels: the live channels of a FakeRunStream, in memory."""

from signalbox_core.streams.channels import Opened, Receive
from signalbox_core.streams.run_stream import Frame


class FakeChannels:
    """Channels of a FakeRunStream; frames arrive during the append itself.

    `disconnect` and `reconnect` simulate a lost connection.
    """

    def __init__(self) -> None:
        self.opened: set[str] = set()
        self._receive: Receive = _ignore
        self._opened: Opened = _ignore
        self._is_disconnected = False

    def listen(self, receive: Receive, opened: Opened) -> None:
        """Register the callbacks as `run` does, without waiting."""
        self._receive, self._opened = receive, opened

    async def run(self, receive: Receive, opened: Opened) -> None:
        self.listen(receive, opened)
        self.reconnect()

    def open(self, key: str) -> None:
        self.opened.add(key)
        if not self._is_disconnected:
            self._opened(key)

    def close(self, key: str) -> None:
        self.opened.discard(key)

    def is_open(self, key: str) -> bool:
        return key in self.opened and not self._is_disconnected

    def disconnect(self) -> None:
        self._is_disconnected = True

    def reconnect(self) -> None:
        self._is_disconnected = False
        for key in sorted(self.opened):
            self._opened(key)

    def send(self, key: str, frame: Frame) -> None:
        if self.is_open(key):
            self._receive(key, frame)


def _ignore(*_: object) -> None:
    """Ignore the call: no callback is registered yet."""
