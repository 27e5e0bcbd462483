"""System calls that a confined process may not make: a seccomp filter, which no privilege is needed for.

Namespaces alone leave ways around the limits: a user namespace inside of the first, with a disk without bounds in it;
memory that belongs to no process (memfd, System V); sockets that know no network namespace (vsock, to the host of a
virtual machine). The calls for these fail, as do those that an ordinary program never makes and that faults of the
kernel were found in. A list of what is forbidden, not of what is allowed: Python and its packages go on working.
"""

from __future__ import annotations

import ctypes
import platform
import struct
import sys
from typing import Final

# name: numbers on x86_64 and aarch64 (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h)
_FORBIDDEN: Final = {
    "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180),
    "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "userfaultfd": (323, 282), "bpf": (321, 280), "perf_event_open": (298, 241),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "fanotify_init": (300, 262),
    "quotactl": (179, 60), "syslog": (103, 116), "swapon": (167, 224), "swapoff": (168, 225), "reboot": (169, 142),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294),
}  # fmt: skip
_CLONE, _CLONE3, _SOCKET = (56, 220), (435, 435), (41, 198)
_MACHINES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, AUDIT_ARCH_…
_NAMESPACES: Final = 0x7E020000  # CLONE_NEW…
_X32: Final = 0x40000000  # numbers of another ABI of x86_64
_FAMILIES: Final = (1, 2, 10)  # unix, inet, inet6

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _FIRST = 0, 4, 16  # where struct seccomp_data holds them
_ALLOW, _FAIL, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, k


def forbid(*, sockets: bool) -> None:
    """From here on, in this process and all that it starts; `sockets`: it may make some, as where no network is there.

    Raises OSError where the kernel has no such filters, or the machine is not known here.
    """
    if sys.platform != "linux" or platform.machine() not in _MACHINES:
        raise OSError(f"{platform.system()} on {platform.machine()} has no filter of system calls known here")
    instructions = filter_of(platform.machine(), _FAMILIES if sockets else ())
    code = b"".join(struct.pack("HBBI", *one) for one in instructions)
    held = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(instructions), ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if libc.prctl(_SET_SECCOMP, _FILTER, ctypes.create_string_buffer(program, len(program)), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no filter of system calls (seccomp)")


def filter_of(machine: str, families: tuple[int, ...]) -> list[Instruction]:
    """The filter, as a program for the kernel's machine of it (classic BPF)."""
    column, arch = _MACHINES[machine]
    made = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, arch),
        (_RETURN, 0, 0, _KILL),  # 32-bit calls, whose numbers are others
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        made += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _FAIL | _ENOSYS)]
    for numbers in _FORBIDDEN.values():
        made += [(_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, _FAIL | _EPERM)]
    # clone3 hands its flags over in memory, where no filter sees them: without it libc takes clone
    made += [(_EQUAL, 0, 1, _CLONE3[column]), (_RETURN, 0, 0, _FAIL | _ENOSYS)]
    made += [
        (_EQUAL, 0, 4, _CLONE[column]),
        (_LOAD, 0, 0, _FIRST),
        (_ANY_BIT, 0, 1, _NAMESPACES),
        (_RETURN, 0, 0, _FAIL | _EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    made += [(_EQUAL, 1, 0, _SOCKET[column]), (_RETURN, 0, 0, _ALLOW), (_LOAD, 0, 0, _FIRST)]
    for family in families:
        made += [(_EQUAL, 0, 1, family), (_RETURN, 0, 0, _ALLOW)]
    return [*made, (_RETURN, 0, 0, _FAIL | _EAFNOSUPPORT)]
