"""Runs agentless for a host, and says what it has done as Ansible says it: changed, diff, failed."""

from ansible.plugins.action import ActionBase
from ansible_collections.agentless.openssh.plugins.plugin_utils import states
from ansible_collections.agentless.openssh.plugins.plugin_utils.options import OPTIONS
from ansible_collections.agentless.openssh.plugins.plugin_utils.runner import Failed, OnController, OnHost


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False
    _supports_diff = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _valid, options = self.validate_argument_spec(argument_spec=OPTIONS)
        token = options.pop("token")
        try:
            told = states.bring_about(
                self._runner(options), options, token, check=self._task.check_mode, diff=self._task.diff
            )
        except Failed as failure:
            error = failure.result.get("error", {})
            verdict = "unreachable" if error.get("code") == "HOST_UNREACHABLE" else "failed"
            told = dict(failure.result, **{verdict: True})
        result.update(told)
        return result

    def _runner(self, options):
        connection = self._connection
        kind = connection.transport.rsplit(".", 1)[-1]
        if kind == "local":
            # This machine needs no ssh to reach itself.
            return OnHost(options["command"], self._low_level_execute_command, at_hand=True)
        if options["run_on"] == "host":
            return OnHost(options["host_command"], self._low_level_execute_command)
        if kind != "ssh":
            raise Failed(
                "agentless reaches hosts by ssh, and this one is reached by connection %s" % kind,
                hint="have agentless_run_on: host, with agentless installed there",
            )
        if connection.get_option("password"):
            raise Failed(
                "agentless reaches hosts without a password, and ansible_password is set",
                hint="let the controller log in by a key, or have agentless_run_on: host",
            )
        return OnController(options["command"], connection, options["ssh_config"])
