"""Options of the module `node`, as Ansible checks them. What they mean is in plugins/modules/node.py."""


def listed(elements="str"):
    return {"type": "list", "elements": elements}


OPTIONS = {
    "state": {"choices": ["present", "renewed", "absent"], "default": "present"},
    "run_on": {"choices": ["controller", "host"], "default": "controller"},
    "command": {"type": "list", "elements": "str", "default": ["agentless"]},
    "host_command": {"type": "list", "elements": "str", "default": ["agentless"]},
    "ssh_config": {"type": "path"},
    "proxy_server": {"type": "str"},
    "ca_file": listed("path"),
    "ca_pin": listed(),
    "timeout": {"type": "int", "default": 600},
    "token": {"type": "str", "no_log": True},
    "identity": {"type": "path"},
    "manual": {"type": "bool", "default": True},
    "discard_identity": {"type": "bool"},
    "hostname": {"type": "str"},
    "address": {"type": "str"},
    "labels": {"type": "dict"},
    "additional_principals": listed(),
    "expires": {"type": "str"},
    "openssh_config": {"type": "str"},
    "data_dir": {"type": "str"},
    "restart_sshd": {"type": "bool", "default": True},
    "sshd_restart_command": {"type": "str"},
    "prove_login": listed(),
    "provision_logins": listed(),
    "pam": {"type": "bool"},
    "repair": {"type": "bool", "default": True},
    "replace": {"type": "bool", "default": False},
    "extra_args": listed(),
}
