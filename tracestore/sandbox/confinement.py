"""What the operating system takes from a process before it runs what it must not trust. Linux; elsewhere less.

Run as a program, it confines itself and becomes another one:

    python -I -S confinement.py ADDRESS_BYTES,CPU_SECONDS,OPEN_FILES PROGRAM ARGUMENT…

Three fences, each by the kernel: limits of resources, Landlock for files and ports, and a filter of system calls. A
fence that this kernel does not have is left out; the interpreter is the first fence, and these stand behind it. It
imports nothing but the standard library, since it is a program of its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterable, Mapping
from typing import Final

_LIBC: Final = ctypes.CDLL(None, use_errno=True)

_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2

_LIBRARIES: Final = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/nix/store",
    "/usr/share/zoneinfo",
)
"""Where a program's libraries and the rules of time zones are."""


# --- limits of resources -----------------------------------------------------------------------------


def limit_resources(limits: Mapping[int, int]) -> None:
    """Bounds this process and what it starts; files cannot be written and memory is not dumped in any case."""
    for kind, bound in {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: 0, **limits}.items():
        _, hard = resource.getrlimit(kind)
        lowest = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(kind, (lowest, lowest))


def forbid_new_rights() -> None:
    """Has nothing that this process starts ever gain rights; the other fences need it."""
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


# --- Landlock ----------------------------------------------------------------------------------------

# Numbers that all architectures share.
_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446

_EXECUTE: Final = 1 << 0
_READ_FILE: Final = 1 << 2
_READ_FOLDER: Final = 1 << 3
_RIGHTS_BY_VERSION: Final = ((1, 13), (2, 14), (3, 15), (5, 16))
"""How many rights to files a version of Landlock knows."""

_NETWORK_VERSION: Final = 4
_SCOPE_VERSION: Final = 6


def restrict_files(readable: Iterable[str], runnable: Iterable[str]) -> bool:
    """Leaves this process the right to read, and to run, some paths, and none to others or to ports.

    Returns whether this kernel can.
    """
    version = _LIBC.syscall(_CREATE_RULESET, None, 0, 1) if sys.platform == "linux" else -1
    if version < 1:
        return False
    rights = max(count for known, count in _RIGHTS_BY_VERSION if known <= version)
    handled = struct.pack(
        "<QQQ",
        (1 << rights) - 1,
        0b11 if version >= _NETWORK_VERSION else 0,
        0b01 if version >= _SCOPE_VERSION else 0,  # abstract sockets of others
    )
    size = 8 if version < _NETWORK_VERSION else 16 if version < _SCOPE_VERSION else 24
    ruleset = _LIBC.syscall(_CREATE_RULESET, handled[:size], size, 0)
    if ruleset < 0:
        return False
    for path in readable:
        _allow(ruleset, path, _READ_FILE | _READ_FOLDER)
    for path in runnable:
        _allow(ruleset, path, _READ_FILE | _READ_FOLDER | _EXECUTE)
    done: int = _LIBC.syscall(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
    return done == 0


def _allow(ruleset: int, path: str, rights: int) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not os.path.isdir(path):  # noqa: PTH112 - a program that starts in a millisecond
                rights &= ~_READ_FOLDER
            # Rights and a descriptor, without room between them.
            _LIBC.syscall(_ADD_RULE, ruleset, 1, struct.pack("<Qi", rights, descriptor), 0)
        finally:
            os.close(descriptor)


# --- the filter of system calls ----------------------------------------------------------------------

_SOCKETS: Final = "socket socketpair connect bind listen accept accept4 sendto"
_OTHERS: Final = (
    "ptrace process_vm_readv process_vm_writev pidfd_open pidfd_getfd pidfd_send_signal tkill"
)
_SYSTEM: Final = (
    "mount umount2 pivot_root chroot unshare setns reboot init_module finit_module kexec_load bpf "
    "perf_event_open userfaultfd io_uring_setup keyctl add_key request_key open_by_handle_at"
)
_RIGHTS: Final = "setuid setgid setreuid setregid setresuid setresgid setgroups"
_PROGRAMS: Final = "fork vfork execveat memfd_create"

_NUMBERS: Final[Mapping[str, Mapping[str, int]]] = {
    "x86_64": {
        "socket": 41, "connect": 42, "accept": 43, "sendto": 44, "bind": 49, "listen": 50, "socketpair": 53,
        "accept4": 288, "clone": 56, "fork": 57, "vfork": 58, "kill": 62, "ptrace": 101, "setuid": 105,
        "setgid": 106, "setreuid": 113, "setregid": 114, "setgroups": 116, "setresuid": 117, "setresgid": 119,
        "pivot_root": 155, "chroot": 161, "mount": 165, "umount2": 166, "reboot": 169, "init_module": 175,
        "tkill": 200, "tgkill": 234, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250,
        "unshare": 272, "perf_event_open": 298, "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310,
        "process_vm_writev": 311, "finit_module": 313, "memfd_create": 319, "bpf": 321, "execveat": 322,
        "userfaultfd": 323,
    },
    "aarch64": {
        "umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51, "kexec_load": 104, "init_module": 105,
        "ptrace": 117, "kill": 129, "tkill": 130, "tgkill": 131, "reboot": 142, "setregid": 143, "setgid": 144,
        "setreuid": 145, "setuid": 146, "setresuid": 147, "setresgid": 149, "setgroups": 159, "socket": 198,
        "socketpair": 199, "bind": 200, "listen": 201, "accept": 202, "connect": 203, "sendto": 206,
        "add_key": 217, "request_key": 218, "keyctl": 219, "clone": 220, "accept4": 242, "perf_event_open": 241,
        "open_by_handle_at": 265, "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271,
        "finit_module": 273, "memfd_create": 279, "bpf": 280, "execveat": 281, "userfaultfd": 282, "unshare": 97,
    },
}  # fmt: skip
_SAME: Final = {
    "pidfd_send_signal": 424,
    "io_uring_setup": 425,
    "pidfd_open": 434,
    "clone3": 435,
    "pidfd_getfd": 438,
}
_AUDIT_ARCHITECTURE: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_LOAD: Final = 0x20
_JUMP_EQUAL: Final = 0x15
_JUMP_AT_LEAST: Final = 0x35
_JUMP_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000
_NOT_PERMITTED: Final = 1
_NOT_IMPLEMENTED: Final = 38

# Offsets in what a filter sees of a call.
_NUMBER: Final = 0
_ARCHITECTURE: Final = 4
_FIRST_ARGUMENT: Final = 16

_OTHER_NUMBERS: Final = 0x40000000
"""From here on x86-64 numbers the calls of another set (x32), which reach the same functions."""

_CLONE_THREAD: Final = 0x00010000


def filter_calls(*, starts_programs: bool) -> bool:
    """Has the kernel refuse calls that open sockets, look into others or change rights; returns whether it can.

    Args:
        starts_programs: whether processes may be started and ended, as by what keeps a worker.
    """
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _NUMBERS:
        return False
    numbers = {**_NUMBERS[machine], **_SAME}
    refused = f"{_SOCKETS} {_OTHERS} {_SYSTEM} {_RIGHTS}".split()
    if starts_programs:
        refused = [
            name for name in refused if not name.startswith("pidfd") and name != "socketpair"
        ]
    else:
        refused += _PROGRAMS.split()
    lines = [
        _line(_LOAD, _ARCHITECTURE),
        _line(_JUMP_EQUAL, _AUDIT_ARCHITECTURE[machine], 1, 0),
        _line(_RETURN, _REFUSE | _NOT_PERMITTED),
        _line(_LOAD, _NUMBER),
        *_refusing(_line(_JUMP_AT_LEAST, _OTHER_NUMBERS, 0, 1), _NOT_PERMITTED),
    ]
    for name in refused:
        if name in numbers:
            lines += _refusing(_line(_JUMP_EQUAL, numbers[name], 0, 1), _NOT_PERMITTED)
    if not starts_programs:
        # Where the newer call is not there, libraries make the older one, whose flags a filter can read.
        lines += _refusing(_line(_JUMP_EQUAL, numbers["clone3"], 0, 1), _NOT_IMPLEMENTED)
        lines += _threads_only(numbers["clone"])
        lines += _to_itself_only(numbers["kill"]) + _to_itself_only(numbers["tgkill"])
    lines.append(_line(_RETURN, _ALLOW))
    return _install(lines)


def _refusing(jump: bytes, error: int) -> list[bytes]:
    return [jump, _line(_RETURN, _REFUSE | error)]


def _threads_only(clone: int) -> list[bytes]:
    """Refuses to make a process, and lets threads be made."""
    return [
        _line(_JUMP_EQUAL, clone, 0, 4),
        _line(_LOAD, _FIRST_ARGUMENT),
        _line(_JUMP_ANY_BIT, _CLONE_THREAD, 1, 0),
        _line(_RETURN, _REFUSE | _NOT_PERMITTED),
        _line(_RETURN, _ALLOW),
    ]


def _to_itself_only(call: int) -> list[bytes]:
    """Refuses to signal another process than this one; what it becomes keeps its number."""
    return [
        _line(_JUMP_EQUAL, call, 0, 4),
        _line(_LOAD, _FIRST_ARGUMENT),
        _line(_JUMP_EQUAL, os.getpid(), 1, 0),
        _line(_RETURN, _REFUSE | _NOT_PERMITTED),
        _line(_RETURN, _ALLOW),
    ]


def _line(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


def _install(lines: list[bytes]) -> bool:
    text = ctypes.create_string_buffer(b"".join(lines))
    program = struct.pack("@HP", len(lines), ctypes.addressof(text))
    done: int = _LIBC.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program, 0, 0)
    return done == 0


# --- as a program ------------------------------------------------------------------------------------


def main() -> None:
    """Confines this process and becomes the program that is named."""
    bounds, program, *arguments = sys.argv[1:]
    address_bytes, cpu_s, files = (int(each) for each in bounds.split(","))
    limit_resources(
        {
            resource.RLIMIT_AS: address_bytes,
            resource.RLIMIT_CPU: cpu_s,
            resource.RLIMIT_NOFILE: files,
        }
    )
    forbid_new_rights()
    restrict_files(("/etc/ld.so.cache",), (program, *_LIBRARIES))
    filter_calls(starts_programs=False)
    os.execve(program, [program, *arguments], {})  # noqa: S606 - no shell, and nothing of our environment


if __name__ == "__main__":
    main()
