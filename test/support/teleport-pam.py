# Goes through the PAM service "teleport" as Teleport's own SSH service does: variables first, then account and session.
# Writes what PAM answers to each call, as numbers.
import ctypes

pam = ctypes.CDLL("libpam.so.0")


class Conversation(ctypes.Structure):
    _fields_ = [("converse", ctypes.c_void_p), ("data", ctypes.c_void_p)]


handle = ctypes.c_void_p()
conversation = Conversation(None, None)
answers = [pam.pam_start(b"teleport", b"root", ctypes.byref(conversation), ctypes.byref(handle))]
for variable in [b"TELEPORT_USERNAME=alice", b"TELEPORT_LOGIN=root", b"TELEPORT_ROLES=access editor", b"EMAIL=a@example.com"]:
    answers.append(pam.pam_putenv(handle, variable))
for call in [pam.pam_acct_mgmt, pam.pam_open_session, pam.pam_close_session]:
    answers.append(call(handle, 0))
pam.pam_end(handle, 0)
print(*answers)
