"""`signalbox-admin keys new|import|list|rotate|revoke --kind sender|api`: its arguments."""

import argparse

from signalbox_admin import key_actions
from signalbox_admin.command_line import KEY_FILE_VARIABLES, Subparsers, add_command
from signalbox_core.crypto.api_keys import Role
from signalbox_core.signatures import Algorithm
from signalbox_core.subjects import SUBJECT_KINDS


def add_parser(subparsers: Subparsers) -> None:
    """Add `keys`; each of its commands sets `run`, a function from arguments to an exit code."""
    group = add_command(
        subparsers,
        "keys",
        "manage the keys of event senders and API users",
        "--kind sender (the default) manages keys that sign events for the webhook receiver, --kind api "
        "those that call the gateway. Services reload a changed key file within seconds.",
    )
    actions = group.add_subparsers(required=True, metavar="COMMAND", title="commands")
    _add_new(actions)
    _add_import(actions)
    _add_list(actions)
    _add_rotate(actions)
    _add_revoke(actions)


def _add_new(actions: Subparsers) -> None:
    new = _action(
        actions,
        "new",
        "create a key",
        "A sender's private key is written to a file with mode 0600; an API key is printed once.",
        adds_key=True,
    )
    _add_grant_arguments(new)
    new.add_argument("--private", metavar="FILE", help="sender: the new file for the private key")
    new.set_defaults(
        run=lambda args: key_actions.new_sender(args) if args.kind == "sender" else key_actions.new_api(args)
    )


def _add_import(actions: Subparsers) -> None:
    imported = _action(
        actions, "import", "add a sender's public key or HMAC secret, or an existing API key", adds_key=True
    )
    _add_grant_arguments(imported)
    imported.add_argument(
        "--alg",
        default=Algorithm.ED25519.value,
        choices=[each.value for each in Algorithm],
        help="sender: the signature algorithm (default: %(default)s)",
    )
    imported.add_argument("--public", metavar="FILE", help="sender: the public key in PEM")
    imported.add_argument(
        "--secret",
        metavar="FILE",
        help="sender: the file with the HMAC secret, which stays where it is; api: the file with the API key",
    )
    imported.set_defaults(
        run=lambda args: (
            key_actions.import_sender(args) if args.kind == "sender" else key_actions.import_api(args)
        )
    )


def _add_list(actions: Subparsers) -> None:
    listed = _action(actions, "list", "list the keys, without secrets")
    listed.add_argument("--json", action="store_true", help="print JSON")
    listed.set_defaults(
        run=lambda args: key_actions.print_records(key_actions.records(args), as_json=args.json)
    )


def _add_rotate(actions: Subparsers) -> None:
    rotated = _action(actions, "rotate", "create a key's successor; the old key expires after the overlap")
    rotated.add_argument("--keyid", required=True, metavar="ID", help="the key to replace, see `list`")
    rotated.add_argument(
        "--new-keyid",
        metavar="ID",
        help="sender: the keyid of the new key (default: sender, date and six hex digits)",
    )
    rotated.add_argument("--private", metavar="FILE", help="sender: the new file for the new private key")
    rotated.add_argument(
        "--overlap-hours",
        type=float,
        default=24.0,
        metavar="HOURS",
        help="how long the old key stays valid (default: 24)",
    )
    rotated.add_argument(
        "--expires-in-days",
        type=float,
        metavar="DAYS",
        help="api: how long the new key is valid (default: until it is revoked)",
    )
    rotated.set_defaults(
        run=lambda args: (
            key_actions.rotate_api(args) if args.kind == "api" else key_actions.rotate_sender(args)
        )
    )


def _add_revoke(actions: Subparsers) -> None:
    revoked = _action(actions, "revoke", "make a key invalid")
    revoked.add_argument("--keyid", required=True, metavar="ID", help="the key to revoke, see `list`")
    revoked.set_defaults(run=key_actions.revoke)


def _action(
    actions: Subparsers, name: str, summary: str, details: str = "", *, adds_key: bool = False
) -> argparse.ArgumentParser:
    action = add_command(actions, name, summary, details)
    users = "; human, service, agent: an API key of that kind of user (api is human)" if adds_key else ""
    action.add_argument(
        "--kind",
        choices=[*KEY_FILE_VARIABLES, *(SUBJECT_KINDS if adds_key else ())],
        default="sender",
        help=f"sender: signs events (the default); api: calls the gateway{users}",
    )
    action.add_argument(
        "--file",
        metavar="FILE",
        help=f"the key file (default: ${KEY_FILE_VARIABLES['sender']} or ${KEY_FILE_VARIABLES['api']})",
    )
    return action


def _add_grant_arguments(action: argparse.ArgumentParser) -> None:
    action.add_argument("--keyid", metavar="ID", help="sender: the keyid that signatures carry")
    action.add_argument("--sender", metavar="NAME", help="sender: whose key it is")
    action.add_argument(
        "--tenant", required=True, metavar="NAME", help="the tenant; for a sender also * for any tenant"
    )
    action.add_argument(
        "--events",
        default="*",
        metavar="PATTERNS",
        help="sender: the events it may sign, such as 'run.*,invoice.*' (default: all)",
    )
    action.add_argument("--roles", default="", metavar="ROLES", help=f"api: one or more of {','.join(Role)}")
    action.add_argument("--name", metavar="TEXT", help="api: the display name of the key's owner")
    action.add_argument(
        "--group",
        action="append",
        default=[],
        metavar="GROUP",
        help="api: a group of the key's user, for the policies of approvals; may be repeated",
    )
    action.add_argument(
        "--expires-in-days",
        type=float,
        metavar="DAYS",
        help="api: how long the key is valid (default: until it is revoked)",
    )
