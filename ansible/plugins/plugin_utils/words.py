"""What the options of the module are on the command line of agentless."""


def join_words(options):
    """`join openssh …`, but for the right to join."""
    words = ["join", "openssh"]
    words += valued("--proxy-server", options["proxy_server"])
    words += connection(options)
    words += valued("--hostname", options["hostname"])
    words += valued("--address", options["address"])
    words += valued("--openssh-config", options["openssh_config"])
    words += valued("--expires", options["expires"])
    # No label at all is said as well: on a joined host it means that there are to be none.
    if options["labels"] is not None:
        words += ["--labels", labels_text(options["labels"])]
    if options["additional_principals"] is not None:
        words += ["--additional-principals", ",".join(options["additional_principals"])]
    for login in options["prove_login"] or []:
        words += ["--prove-login", login]
    if options["provision_logins"]:
        words += ["--provision-logins", ",".join(options["provision_logins"])]
    if options["pam"] is not None:
        words += ["--pam" if options["pam"] else "--no-pam"]
    if options["discard_identity"] is not None:
        words += ["--discard-identity" if options["discard_identity"] else "--no-discard-identity"]
    if options["replace"]:
        words += ["--yes"]
    return words + reload(options) + place(options) + list(options["extra_args"] or [])


def renew_words(options):
    return ["renew"] + connection(options) + reload(options) + place(options)


def leave_words(options):
    words = ["leave", "--timeout", str(options["timeout"])]
    if options["replace"]:
        words += ["--yes"]
    return words + reload(options) + place(options)


def status_words(options):
    return ["status"] + valued("--openssh-config", options["openssh_config"]) + place(options)


def tokens_words(options, *command):
    """As the person or bot of the identity."""
    words = ["tokens"] + list(command) + valued("--proxy-server", options["proxy_server"])
    return words + connection(options) + valued("--identity", options["identity"])


def connection(options):
    words = []
    for file in options["ca_file"] or []:
        words += ["--ca-file", file]
    for pin in options["ca_pin"] or []:
        words += ["--ca-pin", pin]
    return words + ["--timeout", str(options["timeout"])]


def reload(options):
    words = [] if options["restart_sshd"] else ["--no-restart-sshd"]
    return words + valued("--sshd-restart-command", options["sshd_restart_command"])


def place(options):
    return valued("--data-dir", options["data_dir"])


def valued(flag, value):
    return [] if value is None else [flag, str(value)]


def labels_text(labels):
    return ",".join(label(str(name), labels[name]) for name in sorted(labels))


def label(name, value):
    """Values are data: blanks, commas and = in them stay what they are."""
    value = label_value(value)
    if '"' in name or '"' in value:
        raise ValueError("the label %s has a double quote in it, which agentless cannot be told" % name)
    return '"%s"="%s"' % (name, value)


def label_value(value):
    """As YAML has it: true, and not True."""
    return str(value).lower() if isinstance(value, bool) else str(value)
