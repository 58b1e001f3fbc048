"""Become who a server must run as, tie its life to its parent's, and replace this process with it.

Run as a file, by `python -I -S shim.py [--signal NAME] [--as IDENTITY] -- /PROGRAM ARGUMENT…`: it
imports nothing but the standard library, so that it starts in a few milliseconds.

Identities, for PostgreSQL, which refuses to run as root:
  same                 as the caller
  namespace            in a user namespace of its own, where the caller's files stay its own but nobody is root
  nobody               as the user `nobody`
  nobody-with-reach    as `nobody`, able to pass through directories closed to it (CAP_DAC_OVERRIDE)
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import sys

IDENTITIES = ("same", "namespace", "nobody", "nobody-with-reach")

# Numbers from linux/prctl.h, linux/sched.h and linux/capability.h.
_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_CLONE_NEWUSER = 0x10000000
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1


def _call(function: str, *arguments: object) -> None:
    """A C library function that answers -1 on failure; `OSError` then."""
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, function)(*arguments) == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{function}: {os.strerror(code)}")


def _prctl(option: int, *values: int) -> None:
    padded = (*values, *(0,) * (4 - len(values)))
    _call("prctl", ctypes.c_int(option), *map(ctypes.c_ulong, padded))


def die_with_parent(number: int) -> None:
    """Ask the kernel to send this process the signal `number` once its parent is gone (Linux only)."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    _prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it went before we asked
        os.kill(os.getpid(), number)


def _somebody() -> pwd.struct_passwd:
    """A user with a name who is not root: initdb looks its own user up."""
    everyone = sorted(pwd.getpwall(), key=lambda user: user.pw_name != "nobody")
    return next(user for user in everyone if user.pw_uid != 0)


def _enter_namespace() -> None:
    outer_user, outer_group, inner = os.geteuid(), os.getegid(), _somebody()
    _call("unshare", ctypes.c_int(_CLONE_NEWUSER))
    for name, text in (
        ("setgroups", "deny"),  # the kernel wants this before an unprivileged gid_map
        ("gid_map", f"{inner.pw_gid} {outer_group} 1"),
        ("uid_map", f"{inner.pw_uid} {outer_user} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


class _CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _CapabilityData(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


def _become_nobody(*, with_reach: bool) -> None:
    user = pwd.getpwnam("nobody")
    if with_reach:
        _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    if with_reach:
        bit = 1 << _CAP_DAC_OVERRIDE
        header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
        data = (_CapabilityData * 2)(_CapabilityData(bit, bit, bit))
        _call("capset", ctypes.byref(header), ctypes.byref(data))
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE)


def become(identity: str) -> None:
    """Turn this process into `identity`; `OSError` or `KeyError` where this machine does not allow it."""
    if identity == "namespace":
        _enter_namespace()
    elif identity != "same":
        _become_nobody(with_reach=identity == "nobody-with-reach")


def main(arguments: list[str]) -> None:
    """Never returns: either the program runs in this process's place, or it exits with 125."""
    split = arguments.index("--")
    options = dict(zip(arguments[:split:2], arguments[1:split:2], strict=True))
    program = arguments[split + 1 :]
    try:
        become(options.get("--as", "same"))
        # After the change of credentials, which would clear it.
        die_with_parent(signal.Signals["SIG" + options.get("--signal", "TERM")])
        os.execv(program[0], program)  # noqa: S606 - replacing this process is the point
    except (OSError, LookupError, StopIteration) as error:
        sys.stderr.write(f"cannot start {program[0]}: {error}\n")
        sys.exit(125)


if __name__ == "__main__":
    main(sys.argv[1:])
