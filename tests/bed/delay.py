# SPDX-License-Identifier: ISC
"""A TCP proxy that delivers every byte a fixed time after it came: a long way
to the server, without loss and without a limit to the bandwidth.

Runs as a process of its own, so that who measures is not disturbed:
    python3 -m bed.delay LISTEN_PORT SERVER_PORT MILLISECONDS
"""
import asyncio
import sys
from pathlib import Path

CHUNK = 65536
IN_FLIGHT = 4096        # chunks


class DelayProxy:
    """Connections to .port reach `server_port`, `ms` later each way."""

    def __init__(self, bed, server_port, ms):
        self.port = bed.port()
        self._process = bed.spawn(
            [sys.executable, "-m", "bed.delay", self.port, server_port, ms],
            env={"PYTHONPATH": Path(__file__).parent.parent,
                 "PYTHONDONTWRITEBYTECODE": 1})
        self._process.wait_output("listening", stream="stdout")


async def _receive(reader, queue, delay):
    """What comes in, with the time at which it is due; None at the end."""
    loop = asyncio.get_running_loop()
    try:
        while chunk := await reader.read(CHUNK):
            await queue.put((loop.time() + delay, chunk))
    except ConnectionError:
        pass
    await queue.put((loop.time() + delay, None))


async def _send(writer, queue):
    loop = asyncio.get_running_loop()
    try:
        while True:
            due, chunk = await queue.get()
            await asyncio.sleep(max(0, due - loop.time()))
            if chunk is None:
                break
            writer.write(chunk)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def _one_way(reader, writer, delay):
    queue = asyncio.Queue(IN_FLIGHT)
    receive = asyncio.create_task(_receive(reader, queue, delay))
    await _send(writer, queue)
    receive.cancel()


async def _serve(port, server_port, delay):
    async def connect(reader, writer):
        try:
            to_server = await asyncio.open_connection("127.0.0.1", server_port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_one_way(reader, to_server[1], delay),
                             _one_way(to_server[0], writer, delay))

    server = await asyncio.start_server(connect, "127.0.0.1", port)
    print("listening", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]),
                       float(sys.argv[3]) / 1000))
