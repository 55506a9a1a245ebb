"""Chromium's virtual authenticator (CDP domain WebAuthn): a passkey device without a person."""

from typing import Final

from playwright.sync_api import Page

_OPTIONS: Final = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class VirtualAuthenticator:
    """A device that is attached to one page."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("WebAuthn.enable", {"enableUI": False})
        made = self._session.send("WebAuthn.addVirtualAuthenticator", {"options": _OPTIONS})
        self._id = {"authenticatorId": made["authenticatorId"]}

    def verify_user(self, is_verified: bool) -> None:
        """Whether the device recognizes the person's fingerprint, face or PIN from now on."""
        self._session.send("WebAuthn.setUserVerified", {**self._id, "isUserVerified": is_verified})

    def set_counter(self, count: int) -> None:
        """Replace the passkey by a copy of itself whose counter is at `count`."""
        (credential,) = self._session.send("WebAuthn.getCredentials", self._id)["credentials"]
        self._session.send("WebAuthn.clearCredentials", self._id)
        self._session.send(
            "WebAuthn.addCredential", {**self._id, "credential": {**credential, "signCount": count}}
        )
