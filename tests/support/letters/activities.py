"""Activities of the letters pipeline."""

import hashlib

from temporalio import activity

from signalbox_core.pipeline.deps import ActivityDeps
from support.letters.contract import Attachment, Letter


class LetterActivities:
    """Writes letters to an object store and sends them to `outgoing`."""

    def __init__(self, deps: ActivityDeps) -> None:
        self._objects = deps.objects
        self.outgoing: list[tuple[Letter, bytes]] = []

    @activity.defn(name="letters.write")
    async def write(self, names: tuple[str, ...]) -> tuple[Letter, ...]:
        """Write one letter per name. Idempotent by name."""
        return tuple([await self._write(name) for name in names])

    async def _write(self, name: str) -> Letter:
        body = f"attachment for {name}".encode()
        key = f"letters/{name}.txt"
        await self._objects.put_new(key, body, "text/plain")
        attachment = Attachment(key=key, sha256=hashlib.sha256(body).hexdigest())
        return Letter(name=name, text=f"Dear {name}", attachment=attachment)

    @activity.defn(name="letters.send")
    async def send(self, letter: Letter) -> None:
        """Send a letter with its file. Idempotent by name."""
        body = await self._objects.get(letter.attachment.key)
        self.outgoing.append((letter, body))

    @activity.defn(name="letters.send_other_file")
    async def send_other_file(self, letter: Letter) -> None:
        """Send a letter with a file that was not shown. Idempotent by name."""
        self.outgoing.append((letter, await self._objects.get("letters/minh.txt")))
