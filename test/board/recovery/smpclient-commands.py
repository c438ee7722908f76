"""One command of PyPI's smpclient to a bootloader in serial recovery: PORT echo TEXT | upload FILE | reset."""

import asyncio
import sys

from smpclient import SMPClient
from smpclient.generics import success
from smpclient.requests.os_management import EchoWrite, ResetWrite
from smpclient.transport.serial import SMPSerialTransport

# What bootloader/ builds: lines of 128 characters, 1 KiB in all (BOOT_MAX_LINE_INPUT_LEN, BOOT_SERIAL_MAX_RECEIVE_SIZE).
LINE_CHARACTERS = 128
RECEIVE_BYTES = 1024
ANSWER_SECONDS = 20.0


def transport() -> SMPSerialTransport:
    try:
        from smpclient.transport.serial import BufferParams
    except ImportError:  # before 7.2
        return SMPSerialTransport(
            max_smp_encoded_frame_size=RECEIVE_BYTES,
            line_length=LINE_CHARACTERS,
            line_buffers=RECEIVE_BYTES // LINE_CHARACTERS,
        )
    return SMPSerialTransport(
        BufferParams(line_length=LINE_CHARACTERS, line_buffers=RECEIVE_BYTES // LINE_CHARACTERS)
    )


async def main(port: str, command: str, *parameters: str) -> None:
    async with SMPClient(transport(), port, timeout_s=ANSWER_SECONDS) as client:
        if command == "echo":
            answer = await client.request(EchoWrite(d=parameters[0]), timeout_s=3.0)
            if not success(answer):
                raise SystemExit(f"no echo: {answer}")
            print(answer.r)
        elif command == "upload":
            with open(parameters[0], "rb") as file:
                image = file.read()
            async for offset in client.upload(image, use_sha=False):
                last = offset
            print(f"{last} of {len(image)} bytes")
        elif command == "reset":
            answer = await client.request(ResetWrite())
            # MCUboot answers with a return code of 0 and nothing else, which smpclient reads as an error.
            if not success(answer) and answer.rc != 0:
                raise SystemExit(f"the bootloader does not restart: {answer}")
            print("reset")
        else:
            raise SystemExit(f'no command "{command}"')


asyncio.run(main(*sys.argv[1:]))
