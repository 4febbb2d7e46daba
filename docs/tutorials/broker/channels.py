"""Process 3: asks the PBX, through the broker."""

import asyncio
import sys

from ami_client.forward import Client

(url,) = sys.argv[1:] or ("redis://localhost:6379/ami#pbx1",)


async def main():
    async with Client(url) as pbx:
        answer = await pbx.ping()
        print("pbx1 answers:", answer["ping"])
        packets = await pbx.core_show_channels()
        print("channels:", len(packets) - 2)


asyncio.run(main())
