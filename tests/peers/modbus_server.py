"""A Modbus RTU relay board played by pymodbus, as a peer for hw/tests/pymodbus.rs.

Usage: modbus_server.py PORT [UNIT] [COILS]

Prints "ready" when it listens. Discrete inputs start as 1, 0, 1, 0, ... so that order and packing show.
"""

import asyncio
import sys

from pymodbus.framer import FramerType
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice


def board(unit, coils):
    # pymodbus keeps bits in words: a count that is no multiple of 16 is rounded up.
    off = SimData(0, values=[False] * coils, datatype=DataType.BITS)
    alternating = SimData(0, values=[n % 2 == 0 for n in range(coils)], datatype=DataType.BITS)
    # A device with separate blocks must have all four; nobody asks for the registers.
    unused = SimData(0, values=0, datatype=DataType.REGISTERS)
    return SimDevice(unit, simdata=([off], [alternating], [unused], [unused]))


async def main(port, unit=1, coils=16):
    server = ModbusSerialServer(
        board(unit, coils), framer=FramerType.RTU, port=port, baudrate=9600, broadcast_enable=True
    )
    await server.serve_forever(background=True)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))
