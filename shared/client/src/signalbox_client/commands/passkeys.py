"""`signalbox passkeys` and `revoke-passkey`. Passkeys are registered in the console, by a browser."""

import argparse

from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.renderers import format_time, print_json, table


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
    heads = ("passkey", "name", "registered", "revoked")
    context.console.print(table(heads, rows) if rows else "no passkeys")
    return 0


async def revoke_passkey(context: CommandContext, options: argparse.Namespace) -> int:
    await context.client.revoke_passkey(options.passkey)
    if not context.as_json:
        context.print(f"revoked {options.passkey}")
    return 0
