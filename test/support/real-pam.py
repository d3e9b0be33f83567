# Asks the system's libpam what it makes of service files of ours. Reads [{"directory", "service", "type"}] from its
# input and writes [{"verdict", "told"}]: PAM's answer as a number, and what the modules said (pam_debug says its result).
import ctypes
import json
import sys

pam = ctypes.CDLL("libpam.so.0")
libc = ctypes.CDLL("libc.so.6")
libc.calloc.restype = ctypes.c_void_p


class Message(ctypes.Structure):
    _fields_ = [("style", ctypes.c_int), ("text", ctypes.c_char_p)]


class Response(ctypes.Structure):
    _fields_ = [("text", ctypes.c_void_p), ("code", ctypes.c_int)]


CONVERSE = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_int,
    ctypes.POINTER(ctypes.POINTER(Message)),
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.c_void_p,
)


class Conversation(ctypes.Structure):
    _fields_ = [("converse", CONVERSE), ("data", ctypes.c_void_p)]


told = []


def converse(count, messages, responses, _data):
    for index in range(count):
        told.append(messages[index].contents.text.decode("latin-1"))
    responses[0] = libc.calloc(count, ctypes.sizeof(Response))
    return 0


conversation = Conversation(CONVERSE(converse), None)
answers = []
for question in json.load(sys.stdin):
    told = []
    handle = ctypes.c_void_p()
    started = pam.pam_start_confdir(
        question["service"].encode(),
        b"root",
        ctypes.byref(conversation),
        question["directory"].encode(),
        ctypes.byref(handle),
    )
    call = pam.pam_acct_mgmt if question["type"] == "account" else pam.pam_open_session
    verdict = call(handle, 0) if started == 0 else started
    if started == 0:
        pam.pam_end(handle, verdict)
    answers.append({"verdict": verdict, "told": told})
json.dump(answers, sys.stdout)
