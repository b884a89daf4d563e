"""The names of the commands."""

from __future__ import annotations

#: Where each command is; an alias is another name of the same one.
COMMANDS = {
    "adopt": ("runner.cli.adopting", "adopt"),
    "apply": ("runner.cli.changing", "apply"),
    "backup": ("runner.cli.safeguarding", "backup"),
    "backups": ("runner.cli.safeguarding", "backups"),
    "completion": ("runner.cli.completing", "completion"),
    "deploy": ("runner.cli.deploying", "deploy"),
    "doctor": ("runner.cli.examining", "doctor"),
    "drift": ("runner.cli.rehearsing", "drift"),
    "history": ("runner.cli.inspecting", "history"),
    "lint": ("runner.cli.reviewing", "lint"),
    "new": ("runner.cli.authoring", "new"),
    "plan": ("runner.cli.planning", "plan"),
    "protect": ("runner.cli.safeguarding", "protect"),
    "rehearse": ("runner.cli.rehearsing", "rehearse"),
    "repair": ("runner.cli.mending", "repair"),
    "report": ("runner.cli.reporting", "report"),
    "restore": ("runner.cli.safeguarding", "restore"),
    "rollback": ("runner.cli.changing", "rollback"),
    "stamp": ("runner.cli.changing", "stamp"),
    "status": ("runner.cli.standing", "status"),
    "transfer": ("runner.cli.transferring", "transfer"),
    "unlock": ("runner.cli.mending", "unlock"),
    "verify": ("runner.cli.inspecting", "verify"),
}
ALIASES = {"current": "status", "upgrade": "apply", "downgrade": "rollback"}
