"""How Ansible reaches a host, as a configuration file of ssh: what `agentless --ssh-config` takes.

Ansible tells ssh on its command line, and an option of the command line is a line of a configuration file. They count
for that one host only, not for a jump host on the way, just as on the command line.
"""

import shlex

# What an option with a value says in a configuration file.
VALUED = {
    "B": "BindInterface",
    "I": "PKCS11Provider",
    "b": "BindAddress",
    "c": "Ciphers",
    "i": "IdentityFile",
    "l": "User",
    "m": "MACs",
    "p": "Port",
}

FLAGS = {
    "4": "AddressFamily inet",
    "6": "AddressFamily inet6",
    "C": "Compression yes",
    "K": "GSSAPIAuthentication yes",
}

# Of no account to a connection that agentless makes: terminals, forwardings, sharing, noise.
IDLE_FLAGS = "AGMNTXYafgknqtvxy"
IDLE_VALUED = "DELORSWew"


class Unsayable(ValueError):
    """An option that has no line in a configuration file."""


def quoted(text):
    """One argument of a line."""
    text = str(text)
    if any(character in text for character in '"\r\n\0'):
        raise Unsayable("%r cannot be written into a configuration of ssh" % text)
    return '"%s"' % text


def lines_from(words):
    """Words of ssh's command line as (lines, file of -F or None)."""
    lines = []
    file = None
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if len(word) < 2 or word[0] != "-" or word == "--":
            raise Unsayable("%r is not an option of ssh" % word)
        # Flags may stand together, and a value behind its letter: -4C, -p22.
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in FLAGS:
                lines.append(FLAGS[letter])
                continue
            if letter in IDLE_FLAGS:
                continue
            if letter not in VALUED and letter not in IDLE_VALUED and letter not in "FJo":
                raise Unsayable("-%s has no line in a configuration of ssh" % letter)
            if not letters and not rest:
                raise Unsayable("-%s lacks its value" % letter)
            value, letters = letters or rest.pop(0), ""
            if letter == "F":
                file = value
            elif letter == "o":
                lines.append(one_line(value))
            elif letter == "J":
                # The rest of its line as it is, quotes and all.
                lines.append("ProxyJump %s" % one_line(value))
            elif letter in VALUED:
                lines.append("%s %s" % (VALUED[letter], quoted(value)))
    return lines, file


def one_line(text):
    """The value of -o is a line already."""
    if any(character in text for character in "\r\n\0"):
        raise Unsayable("%r is not one line" % text)
    return text.strip()


def render(host, words, include=None):
    """The file for `ssh -F FILE HOST`, by what `ssh WORDS HOST` would say.

    `include`: what stands in the place of the user's own configuration and the system's; -F among the words wins.
    """
    if not host or any(character in host for character in '*?!,"# \t\r\n\0'):
        raise Unsayable("%r is no name of a host" % host)
    lines, file = lines_from(words)
    if file is None:
        file = include
    if file is None:
        files = ["~/.ssh/config", "/etc/ssh/ssh_config"]
    else:
        files = [] if file == "none" else [file]
    own = ["Host %s" % host] + ["  " + line for line in lines]
    others = ["Host *"] + ["  Include %s" % quoted(path) for path in files]
    return "\n".join(own + others) + "\n"


def words_of(option):
    """What Ansible's ssh would be told, in its order: ssh takes the first value of each.

    `option`: gives the value of an option of the connection plugin `ssh`, or None.
    """
    words = shlex.split(option("ssh_args") or "")
    if option("host_key_checking") is False:
        words += ["-o", "StrictHostKeyChecking=no"]
    if option("port") is not None:
        words += ["-p", str(option("port"))]
    if option("private_key_file"):
        words += ["-i", option("private_key_file")]
    if option("remote_user"):
        words += ["-l", option("remote_user")]
    if option("timeout"):
        words += ["-o", "ConnectTimeout=%s" % option("timeout")]
    for name in ("ssh_common_args", "ssh_extra_args"):
        words += shlex.split(option(name) or "")
    return words
