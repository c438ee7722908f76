"""Makes a serial port of this machine out of standard input and output, for clients that want a port.

The first line on standard error is the port's name. Ends with standard input.
"""

import os
import pty
import select
import sys
import tty

PIECE_BYTES = 4096


def main() -> None:
    ours, theirs = pty.openpty()
    tty.setraw(theirs)  # kept open: a client may open and close the port as often as it likes
    print(os.ttyname(theirs), file=sys.stderr, flush=True)
    while True:
        ready, _, _ = select.select([0, ours], [], [])
        if 0 in ready:
            piece = os.read(0, PIECE_BYTES)
            if not piece:
                return
            os.write(ours, piece)
        if ours in ready:
            write_all(1, os.read(ours, PIECE_BYTES))


def write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


main()
