"""`signalbox passkeys` and `revoke-passkey`. Passkeys are registered in the console, by a browser."""

import argparse
from collections.abc import Callable

from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.renderers import format_time, print_json, table


def add_passkey_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    listing = add(
        "passkeys",
        "list your passkeys",
        passkeys,
        details="Passkeys sign decisions where an approval's policy requires it. Register them in the console.",
    )
    listing.add_argument("--subject", metavar="SUBJECT", help="list those of another subject, as an admin")
    revocation = add(
        "revoke-passkey",
        "revoke a passkey for good",
        revoke_passkey,
        details="Decisions that it has signed stay valid. An admin can revoke anyone's.",
    )
    revocation.add_argument("passkey", metavar="PASSKEY", help="the id, as `signalbox passkeys` shows it")


async def passkeys(context: CommandContext, options: argparse.Namespace) -> int:
    found = await context.client.passkeys(subject=options.subject)
    if context.as_json:
        print_json(context.console, found)
        return 0
    rows = [
        (
            item.id,
            item.name,
            format_time(item.created_at),
            f"{format_time(item.revoked_at)} by {item.revoked_by}" if item.revoked_at else "",
        )
        for item in found
    ]
    context.console.print(table(("passkey", "name", "registered", "revoked"), rows) if rows else "no passkeys")
    return 0


async def revoke_passkey(context: CommandContext, options: argparse.Namespace) -> int:
    await context.client.revoke_passkey(options.passkey)
    if not context.as_json:
        context.print(f"revoked {options.passkey}")
    return 0
