"""The relying party (WebAuthn): the domain that passkeys belong to, and the pages that may use them."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from signalbox_core.errors import Forbidden, InvalidInput
from signalbox_core.passkeys.verification import is_origin_of

NAME: Final = "Signalbox"


class RelyingParty(Struct, frozen=True, kw_only=True):
    """The domain of the passkeys and the exact origins of the pages on which they are used."""

    rp_id: str
    origins: tuple[str, ...]

    def require_origin(self, origin: str) -> None:
        """Check that a passkey was used on a permitted page.

        Raises:
            Forbidden: `passkey_wrong_origin`.
        """
        if origin not in self.origins:
            raise Forbidden(
                f"a passkey was used at {origin[:200]}, where this deployment does not permit it; "
                "open the console at its public address",
                code="passkey_wrong_origin",
            )


def read_relying_party(rp_id: str | None, origins: Sequence[str]) -> RelyingParty | None:
    """Return the relying party of the settings; None if passkeys are switched off.

    Raises:
        InvalidInput: only one of the settings is given, or an origin is outside of the domain.
    """
    if rp_id is None and not origins:
        return None
    if rp_id is None or not origins:
        raise InvalidInput(
            "SIGNALBOX_GATEWAY_PASSKEY_RP_ID and SIGNALBOX_GATEWAY_PASSKEY_ORIGINS belong together; set both",
            field="passkey_rp_id",
        )
    for origin in origins:
        if not is_origin_of(origin, rp_id):
            raise InvalidInput(
                f"SIGNALBOX_GATEWAY_PASSKEY_ORIGINS: {origin} is not at {rp_id} or below it; "
                "browsers would refuse to use its passkeys there",
                field="passkey_origins",
            )
    return RelyingParty(rp_id=rp_id, origins=tuple(origins))


def require_party(party: RelyingParty | None) -> RelyingParty:
    """Return the relying party.

    Raises:
        Forbidden: `passkeys_disabled`.
    """
    if party is None:
        raise Forbidden(
            "passkeys are not enabled; an operator enables them with SIGNALBOX_GATEWAY_PASSKEY_RP_ID",
            code="passkeys_disabled",
        )
    return party
