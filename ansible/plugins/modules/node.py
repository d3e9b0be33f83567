# Copyright: the agentless authors
# Apache License 2.0 (see LICENSE)
"""Documentation of the action plugin of the same name, which does everything on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node
short_description: Joins an OpenSSH host to a Teleport cluster, renews what is due, or leaves
version_added: "0.1.0"
author:
  - The agentless authors
description:
  - Runs the program C(agentless) on the controller, which reaches the host through the system's C(ssh) as Ansible
    itself does. The host needs nothing but sshd and a POSIX shell, not even Python.
  - Joining is rehearsed on a throw-away sshd, proven by a handshake, and undone to the byte if anything fails.
options:
  state:
    description:
      - V(present) joins, or makes sure that the host is joined as wished, and puts back what others have taken out.
      - V(renewed) renews what is due on a joined host. It needs O(identity) where the host keeps no credential.
      - V(absent) undoes the join to the byte, and deletes the node record where somebody may.
    type: str
    choices: [present, renewed, absent]
    default: present
  run_on:
    description: Where the program runs. With V(host) it must be installed there, and reaches the cluster itself.
    type: str
    choices: [controller, host]
    default: controller
  command:
    description: The program on the controller, and words that come first.
    type: list
    elements: str
    default: [agentless]
  host_command:
    description: The program on the host, with O(run_on=host).
    type: list
    elements: str
    default: [agentless]
  ssh_config:
    description:
      - Configuration of ssh on the controller that counts after what Ansible says, in the place of your own and the
        system's.
    type: path
  proxy_server:
    description: Web address of the Teleport proxy. A joined host remembers it.
    type: str
  ca_file:
    description: PEM files of authorities to trust for the proxy's web certificate, where the program runs.
    type: list
    elements: path
  ca_pin:
    description: Pins of the cluster's host authority.
    type: list
    elements: str
  timeout:
    description:
      - Seconds to keep trying a cluster that is busy. A cluster takes about 480 joins at once from one address and two
        a second from there on; 600 is enough for 1500 hosts at once.
    type: int
    default: 600
  token:
    description:
      - A join token, for hosts that are not joined yet. It travels through a pipe.
      - A host that is joined is not asked for one, and spends none, unless something about it is to change and nobody
        speaks for it.
    type: str
  identity:
    description:
      - Identity of a person or a bot, a file or tbot's output directory on the controller. It never leaves the
        controller, and wins over O(token) where the program runs there.
      - With O(run_on=host) it makes a token of five minutes for each host that joins, which is deleted afterwards.
    type: path
  manual:
    description:
      - With O(identity) no token is made at all - certificates are signed and the node record is written by the
        identity itself, over one connection. That is not limited in number, and leaves no credential on the host.
      - If V(false), a token is made for each host, used, and deleted.
    type: bool
    default: true
  discard_identity:
    description:
      - Whether the host keeps no credential of its own. By default a host that is reached from the controller keeps
        none.
    type: bool
  hostname:
    description: Name of the node in the cluster. By default what the host calls itself.
    type: str
  address:
    description: Where the proxy dials the host. By default where the controller reaches it.
    type: str
  labels:
    description: Labels of the node. Others that it had are taken away; left out, they stay.
    type: dict
  additional_principals:
    description: Further names that clients dial.
    type: list
    elements: str
  expires:
    description: Lets the node record end unless it is renewed in time, such as V(24h).
    type: str
  openssh_config:
    description: Configuration file of sshd. By default C(/etc/ssh/sshd_config).
    type: str
  data_dir:
    description: Where the program keeps its state on the host. By default C(/var/lib/agentless).
    type: str
  restart_sshd:
    description: Whether sshd is told of its new configuration.
    type: bool
    default: true
  sshd_restart_command:
    description: How sshd is told, where its unit is not known.
    type: str
  prove_login:
    description: Logins that are rehearsed as well before anything changes.
    type: list
    elements: str
  provision_logins:
    description: Accounts that are made first, where they are missing.
    type: list
    elements: str
  pam:
    description: Whether PAM runs the hooks in C(/etc/agentless/pam.d). By default where sshd uses PAM.
    type: bool
  repair:
    description: With O(state=renewed), also put our lines back where somebody has taken them out of sshd's configuration.
    type: bool
    default: true
  replace:
    description: Replace the record that an earlier join of this very host has left.
    type: bool
    default: false
  extra_args:
    description: Further words for C(agentless join openssh).
    type: list
    elements: str
attributes:
  check_mode:
    description: Nothing is changed and no token is spent; the rehearsal runs all the same.
    support: full
  diff_mode:
    description: Shows each file as a unified diff, the reload, and the node record.
    support: full
"""

EXAMPLES = r"""
- name: Join, without any token
  agentless.openssh.node:
    proxy_server: teleport.example.com:443
    identity: /opt/tbot/out
    labels:
      env: prod

- name: Leave
  agentless.openssh.node:
    state: absent
    identity: /opt/tbot/out
"""

RETURN = r"""
node:
  description: The result of the envelope that the program prints with C(--json).
  returned: success
  type: dict
error:
  description: Its error, with C(code), C(message), C(hint), and C(restored).
  returned: when the program has failed
  type: dict
"""
