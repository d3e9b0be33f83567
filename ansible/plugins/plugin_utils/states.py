"""What each state means in commands of agentless, and what a task returns of it."""

from ansible_collections.agentless.openssh.plugins.plugin_utils import words
from ansible_collections.agentless.openssh.plugins.plugin_utils.runner import Failed, here

# How long a token lives that is made for one host.
TOKEN_TTL = "5m"


def bring_about(run, options, token, check, diff):
    """`run`: runs a command at the host. `options["identity"]` is a file of the controller."""
    state = {"present": present, "renewed": renewed, "absent": absent}[options["state"]]
    try:
        return state(Task(run, options, token or None, check, diff))
    except ValueError as error:
        raise Failed(str(error)) from error


class Task:
    """One task at one host."""

    def __init__(self, run, options, token, check, diff):
        self.run = run
        self.options = options
        self.token = token
        self.check = check
        self.diff = diff

    @property
    def speaker(self):
        """Who speaks for the host, where that file is at hand: it does not travel."""
        return words.valued("--identity", self.options["identity"]) if self.run.at_hand else []

    def carry_out(self, command, really=None):
        """A command that has --dry-run. `really`: does it, where that takes more than the command."""
        preview = self.run(command + ["--dry-run"]) if self.check or self.diff else None
        text = preview and preview["result"].get("preview")
        if self.check:
            return told(preview, text)
        return told(really() if really else self.run(command), text and done(text))


def present(task):
    options = task.options
    if task.speaker:
        # A joined host is looked at by the same command, and nothing is made or spent for it.
        manual = ["--manual"] if options["manual"] else []
        return task.carry_out(words.join_words(options) + task.speaker + manual)
    status = task.run(words.status_words(options))
    found = status["result"]
    if found["state"] == "unknown":
        raise Failed(problem_lines(found["problems"]) or "it cannot be told whether this host is joined")
    command = words.join_words(options)
    if found["state"] == "not joined":
        return task.carry_out(command, lambda: enter(task, command))
    if found.get("identity") == "discarded":
        return speechless(task, status)
    # It speaks for itself; a token is only spent if the cluster no longer listens.
    return task.carry_out(command, lambda: enter(task, command) if task.token else task.run(command))


def enter(task, command):
    """Joins by a token: the one that was given, or one of its own."""
    command = command + ["--token", "-"]
    return task.run(command, task.token) if task.token else with_made_token(task, command)


def with_made_token(task, command):
    """A token for this host alone: made on the controller, gone afterwards, and in no file on the way."""
    options = task.options
    if not options["identity"]:
        raise Failed(
            "this host is not joined, and there is nothing to join it with",
            hint="give agentless_identity, or agentless_token",
        )
    program = options["command"]
    made = here(program, words.tokens_words(options, "add", "--ttl", TOKEN_TTL))
    token = made["result"]["token"]
    warnings = []
    try:
        answer = task.run(command, token)
    finally:
        try:
            here(program, words.tokens_words(options, "rm", "-"), token)
        except Failed as failure:
            warnings = ["the token made for this join ends in %s and could not be deleted: %s" % (TOKEN_TTL, failure)]
    return dict(answer, warnings=answer["warnings"] + warnings)


def speechless(task, status):
    """A host that keeps no credential, and nobody to speak for it: what can be known is on the host itself."""
    found = status["result"]
    reasons = differences(task.options, found) + [one["message"] for one in found["problems"]]
    if not reasons:
        return told(dict(status, changed=False), None)
    if task.check:
        return told(dict(status, changed=True), "\n".join(reasons))
    if not task.token and not task.options["identity"]:
        raise Failed(
            "this host keeps no credential, and something is to be done:\n" + "\n".join(reasons),
            hint="give agentless_identity, or agentless_token",
        )
    return told(enter(task, words.join_words(task.options)), "\n".join(reasons))


def differences(options, found):
    """What is asked for and is not so on the host, a line each."""
    node = found["node"]
    lines = []
    if options["hostname"] not in (None, node["hostname"]):
        lines.append("hostname: %s, not %s" % (options["hostname"], node["hostname"]))
    if options["labels"] is not None:
        wanted = {str(name): words.label_value(value) for name, value in options["labels"].items()}
        if wanted != node["labels"]:
            lines.append("labels: %s, not %s" % (pairs(wanted), pairs(node["labels"])))
    if options["address"] is not None:
        port = str(found["sshd"].get("port", 22))
        wanted = with_port(options["address"], port)
        if wanted != with_port(node["address"], port):
            lines.append("address: %s, not %s" % (wanted, node["address"]))
    for name in options["additional_principals"] or []:
        if name not in found["names"]:
            lines.append("additional principal: %s is missing" % name)
    if options["proxy_server"] is not None:
        if with_port(options["proxy_server"], "443") != with_port(found["proxy"], "443"):
            lines.append("proxy: %s, not %s" % (options["proxy_server"], found["proxy"]))
    return lines


def pairs(labels):
    return ",".join("%s=%s" % (name, labels[name]) for name in sorted(labels)) or "none"


def with_port(address, port):
    """`host`, `host:port`, `[IPv6]:port` or a bare IPv6 address, in one form."""
    host, colon, end = address.rpartition(":")
    if colon and end.isdigit() and (":" not in host or host.endswith("]")):
        return "%s:%s" % (host.strip("[]"), end)
    return "%s:%s" % (address.strip("[]"), port)


def renewed(task):
    options = task.options
    command = words.renew_words(options) + task.speaker
    if task.check or task.diff:
        due = task.run(command + ["--check"])
        lines = due["result"]["due"] + ["%s lacks our lines, or has others" % one for one in due["result"]["drift"]]
        shown = "\n".join(lines)
        if task.check:
            return told(dict(due, changed=bool(lines)), shown)
    else:
        shown = None
    answer = task.run(command + (["--repair"] if options["repair"] else []))
    drift = answer["result"]["drift"]
    if drift:
        raise Failed(
            "sshd does not read all of our lines: %s" % ", ".join(drift),
            hint="leave agentless_repair at true, or have state present put them back",
            changed=answer["changed"],
        )
    return told(answer, shown)


def absent(task):
    return task.carry_out(words.leave_words(task.options) + task.speaker)


def done(preview):
    """Without the sentences at both ends, which say that nothing was done."""
    _would, _blank, rest = preview.partition("\n\n")
    return rest.replace("\n\nNo token was spent.", "")


def problem_lines(problems):
    return "\n".join("%s\nhint: %s" % (one["message"], one["fix"]) for one in problems)


def told(answer, preview):
    """What the task returns. The preview is a diff that is ready to be shown."""
    result = dict(answer["result"])
    result.pop("preview", None)
    returned = {"changed": answer["changed"], "node": result, "warnings": answer["warnings"]}
    if preview and answer["changed"]:
        returned["diff"] = {"prepared": preview}
    return returned
