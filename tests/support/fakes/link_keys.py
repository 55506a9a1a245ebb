"""A file with keys of decision links, as in a deployment."""

import base64
from pathlib import Path

from signalbox_core.process.followed_file import FollowedFile
from signalbox_gateway.auth.decision_links import LinkKeys, load_link_keys


def write_link_keys(path: Path) -> FollowedFile[LinkKeys]:
    path.write_text(base64.b64encode(b"k" * 32).decode())
    return FollowedFile(path, load_link_keys, content="link keys")
