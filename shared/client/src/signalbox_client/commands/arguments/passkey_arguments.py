"""The arguments of the commands about passkeys."""

from signalbox_client.commands import passkeys as passkey_commands
from signalbox_client.commands.command_context import AddCommand


def add_passkeys(add: AddCommand) -> None:
    listing = add(
        "passkeys",
        "list your passkeys",
        passkey_commands.passkeys,
        details="Passkeys sign decisions where an approval's policy requires it. "
        "The console registers them; a command cannot sign.",
    )
    listing.add_argument("--subject", metavar="SUBJECT", help="list another subject's passkeys (admins only)")
    revocation = add(
        "revoke-passkey",
        "revoke a passkey permanently",
        passkey_commands.revoke_passkey,
        details="Decisions that it has signed stay valid. An admin can revoke anyone's.",
    )
    revocation.add_argument("passkey", metavar="PASSKEY", help="the id, as `signalbox passkeys` shows it")
