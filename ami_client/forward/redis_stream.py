"""Redis Streams. Requires redis: ``pip install ami-client[redis]``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Optional

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .broker import LEASE, PATIENCE, Broker, Delivery, Message, NotMine

# Members of a group are in a sorted set, by the time until which they count. A lease is a key that expires.
_SHARE = """
local time = redis.call('TIME')
local now, me, lease, parts = time[1] * 1000 + math.floor(time[2] / 1000), ARGV[1], ARGV[2], #KEYS - 1
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if parts == 0 then redis.call('ZREM', KEYS[1], me) return {} end
redis.call('ZADD', KEYS[1], now + lease, me)
local fair, mine, free = math.ceil(parts / redis.call('ZCARD', KEYS[1])), {}, {}
for i = 2, #KEYS do
  local owner = redis.call('GET', KEYS[i])
  if not owner then free[#free + 1] = i
  elseif owner == me then
    if #mine < fair then redis.call('PEXPIRE', KEYS[i], lease) mine[#mine + 1] = i - 2
    else redis.call('DEL', KEYS[i]) end
  end
end
for _, i in ipairs(free) do
  if #mine < fair then redis.call('SET', KEYS[i], me, 'PX', lease) mine[#mine + 1] = i - 2 end
end
return mine
"""
# KEYS are leases. Either all messages are added or none. Answers expire if nobody reads them.
_PUBLISH = """
for _, key in ipairs(KEYS) do if redis.call('GET', key) ~= ARGV[1] then return 0 end end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[2]) end
for i = 5, #ARGV, 2 do
  local stream = ARGV[4] .. ':' .. ARGV[i]
  redis.call('XADD', stream, 'MAXLEN', '~', ARGV[3], '*', 'body', ARGV[i + 1])
  if string.sub(ARGV[i], 1, 8) == 'replies.' then redis.call('EXPIRE', stream, 60)
  elseif redis.call('XLEN', stream) == 1 then redis.call('SADD', ARGV[4] .. ':channels', ARGV[i]) end
end
return 1
"""
_RELEASE = "for _, key in ipairs(KEYS) do if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end end"
_MEMBER = "ami"  # a part has one reader at a time, which takes over unacknowledged messages


class RedisStream(Broker):
    """A Redis server. Each channel is a stream, ``<name>:<channel>``, with a field ``body``.

    Arguments:
        url: ``redis://user:password@host:6379/0``, ``rediss://`` for TLS, ``unix://path``.
        name: the beginning of all keys' names.
        maxlen: how many messages a stream keeps, approximately.
    """

    errors = (redis.RedisError, OSError)

    def __init__(self, url: str, name: str = "ami", *, maxlen: int = 1_000_000) -> None:
        self._url = url
        self._name = name
        self._maxlen = maxlen
        redis.ConnectionPool.from_url(url)  # a malformed URL raises ValueError here

    def __repr__(self) -> str:
        return f"<RedisStream {self._name}>"

    def open(self) -> None:
        options: dict[str, Any] = {"protocol": 2, "retry": Retry(NoBackoff(), 0), "socket_keepalive": True}
        limits = {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE / 2}
        self._redis: Any = redis.Redis.from_url(self._url, **limits, **options)
        self._share, self._publish, self._release = map(self._redis.register_script, (_SHARE, _PUBLISH, _RELEASE))
        self._leases: list[str] = []
        self._position: dict[str, str] = {}  # stream -> identifier of the last message, or ">"
        self._wanted: tuple[Sequence[str], Optional[str]] = (), None
        self._redis.ping()

    def close(self) -> None:
        if hasattr(self, "_redis"):
            try:
                self._release(self._leases, [self.member])
                self._redis.close()
            except self.errors:
                pass
            self._redis.connection_pool.disconnect()

    def share(self, group: str, parts: Sequence[str]) -> set[str]:
        if not parts:
            self._release(self._leases, [self.member])
        leases = [f"{self._name}:lease:{group}:{part}" for part in parts]
        mine = self._share([f"{self._name}:members:{group}", *leases], [self.member, round(LEASE * 1000)])
        self._leases = [leases[place] for place in mine]
        return {parts[place] for place in mine}

    def keep(self) -> None:
        self.publish([])

    def publish(self, messages: Sequence[Message]) -> None:
        arguments = [part for message in messages for part in (message.channel, message.body)]
        head: list[Any] = [self.member, round(LEASE * 1000), self._maxlen, self._name]
        if not self._publish(self._leases, [*head, *arguments]):
            raise NotMine

    def subscribe(self, channels: Sequence[str], group: Optional[str], limit: int) -> None:
        self._wanted, self._position, self._limit = (channels, group), {}, limit
        is_new = group is None or self._redis.set(f"{self._name}:group:{group}", 1, nx=True)
        self._find_streams(is_new)

    def _find_streams(self, from_now: bool) -> None:
        channels, group = self._wanted
        if "events.*" in channels:
            known = (channel.decode() for channel in self._redis.smembers(f"{self._name}:channels"))
            channels = [channel for channel in known if channel.startswith("events.")]
        for stream in (f"{self._name}:{channel}" for channel in channels):
            if stream in self._position:
                continue
            if group is None:
                last = self._redis.xrevrange(stream, count=1) if from_now else []
                self._position[stream] = last[0][0].decode() if last else "0"
            else:
                self._position[stream] = "0"  # unacknowledged deliveries first
                try:
                    self._redis.xgroup_create(stream, group, "$" if from_now else "0", mkstream=True)
                except redis.ResponseError as error:
                    if "BUSYGROUP" not in str(error):
                        raise

    def receive(self, timeout: float) -> list[Delivery]:
        channels, group = self._wanted
        if "events.*" in channels:
            self._find_streams(False)
        if not self._position:
            self._redis.blpop(f"{self._name}:nothing", timeout)  # there is no server yet
            return []
        block = max(1, round(timeout * 1000))
        if group is None:
            found = self._redis.xread(self._position, self._limit, block)
        else:
            found = self._redis.xreadgroup(group, _MEMBER, self._position, self._limit, block)
        return list(self._deliveries(found, group))

    def _deliveries(self, found: Any, group: Optional[str]) -> Iterable[Delivery]:
        for name, entries in found:
            stream = name.decode()
            again = group is not None and self._position[stream] != ">"
            if group is None or (again and entries):
                self._position[stream] = entries[-1][0].decode()
            elif again:
                self._position[stream] = ">"
            for number, fields in entries:
                if fields:
                    yield Delivery(fields[b"body"], (stream, number), again)
                elif group is not None:  # the stream was trimmed, and this message is lost
                    self._redis.xack(stream, group, number)

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        _, group = self._wanted
        if group is None:
            return
        numbers: dict[str, list[bytes]] = {}
        for delivery in deliveries:
            token: Any = delivery.token
            stream, number = token
            numbers.setdefault(stream, []).append(number)
        for stream, some in numbers.items():
            self._redis.xack(stream, group, *some)
