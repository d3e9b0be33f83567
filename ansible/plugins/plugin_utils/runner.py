"""Where the program runs: on the controller, reaching the host by ssh, or on the host itself.

Either way a command becomes an envelope of agentless, or a Failed with what it has said.
"""

import json
import os
import shlex
import subprocess
import tempfile

from ansible_collections.agentless.openssh.plugins.plugin_utils import ssh_config

# What is given by the options of the module comes from nowhere else.
OURS = ("AGENTLESS_TOKEN", "AGENTLESS_IDENTITY", "AGENTLESS_PROXY_SERVER")


class Failed(Exception):
    """`result`: what the task returns."""

    def __init__(self, message, **result):
        super().__init__(message)
        self.result = dict(result, msg=message)


class OnController:
    """Works at the host through ssh; nothing is needed there but sshd and a shell."""

    # Files of the controller can be named to it.
    at_hand = True

    def __init__(self, command, connection, include=None):
        self.command = command
        self.host = connection.get_option("host")
        try:
            words = ssh_config.words_of(option_of(connection))
            self.config = ssh_config.render(self.host, words, include)
        except ssh_config.Unsayable as error:
            raise Failed("this host cannot be reached as Ansible reaches it: %s" % error) from error
        self.sudo = needs_sudo(connection)

    def __call__(self, words, secret=None):
        with tempfile.TemporaryDirectory(prefix="agentless-") as directory:
            file = os.path.join(directory, "ssh_config")
            with open(file, "w", encoding="utf-8") as stream:
                stream.write(self.config)
            host = "[%s]" % self.host if ":" in self.host else self.host
            there = ["--host", host, "--ssh-config", file] + (["--sudo"] if self.sudo else [])
            return here(self.command, words + there, secret)


class OnHost:
    """Runs the program that is installed there, over Ansible's own connection; no Python is needed."""

    def __init__(self, command, execute, at_hand=False):
        self.command = command
        self.execute = execute
        self.at_hand = at_hand

    def __call__(self, words, secret=None):
        line = " ".join(shlex.quote(word) for word in self.command + words + ["--json"])
        # Input of some kind keeps Ansible from asking for a terminal, which would mix the two outputs.
        answer = self.execute(line, in_data=("%s\n" % (secret or "")).encode())
        return envelope(answer["rc"], answer["stdout"], answer["stderr"], self.command)


def here(command, words, secret=None):
    """Runs it on the controller. A secret goes through a pipe: neither arguments nor environment show it."""
    environment = {name: os.environ[name] for name in os.environ if name not in OURS}
    try:
        ended = subprocess.run(
            command + words + ["--json"],
            input=(secret or "").encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            check=False,
        )
    except OSError as error:
        raise Failed(
            "%s cannot be run on the controller: %s" % (command[0], error.strerror),
            hint="install agentless there, or say where it is by agentless_command",
        ) from error
    out, complaints = (text.decode("utf-8", "replace") for text in (ended.stdout, ended.stderr))
    return envelope(ended.returncode, out, complaints, command)


def envelope(status, out, complaints, command):
    """A login shell may have said something before; the envelope is the last line."""
    lines = out.strip().splitlines()
    try:
        answer = json.loads(lines[-1]) if lines else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or "changed" not in answer:
        said = (complaints.strip() or out.strip())[-2000:]
        raise Failed("%s gave no answer (status %s): %s" % (command[0], status, said or "it said nothing"))
    if "error" in answer:
        raise failed(answer)
    return answer


def failed(answer):
    """The words of the program, as a task says them."""
    error = answer["error"]
    lines = [error["message"], error.get("detail"), error.get("hint") and "hint: " + error["hint"]]
    return Failed(
        "\n".join(line for line in lines if line),
        error=error,
        changed=answer["changed"],
        status=answer["status"],
        warnings=answer["warnings"],
    )


def option_of(connection):
    """Older releases of Ansible lack some options."""

    def option(name):
        try:
            return connection.get_option(name)
        except KeyError:
            return None

    return option


def needs_sudo(connection):
    """`become` as agentless can do it: root, by sudo, without a password."""
    become = connection.become
    if become is None:
        return False
    method = become.name.rsplit(".", 1)[-1]
    user = become.get_option("become_user") or "root"
    if method != "sudo" or user != "root":
        raise Failed(
            "agentless becomes root by sudo; become_method %s and become_user %s are not for it" % (method, user),
            hint="log in as root, set these two for this task, or have agentless_run_on: host",
        )
    return connection.get_option("remote_user") != "root"
