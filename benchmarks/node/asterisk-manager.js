// Node's asterisk-manager at work. The jobs and the result are those of clients/common.py.
'use strict';

const fs = require('fs');
const AsteriskManager = require('asterisk-manager');

const HOST = '127.0.0.1';
const USERNAME = 'bench';
const SECRET = 'bench';

const job = JSON.parse(process.argv[2]);
const begun = process.hrtime.bigint();
const meter = { calls: 0, read: 0 };
let started;

const seconds = (since) => Number(process.hrtime.bigint() - since) / 1e9;
const cpuSeconds = () => (process.cpuUsage().user + process.cpuUsage().system) / 1e6;
const ask = (ami, action) =>
  new Promise((resolve, reject) => ami.action(action, (error, answer) => (error ? reject(error) : resolve(answer))));

function peakRss() {
  try {
    // Not maxRSS, which on Linux begins with the size of the process that started this one.
    return Number(/^VmHWM:\s*(\d+)/m.exec(fs.readFileSync('/proc/self/status', 'ascii'))[1]) * 1024;
  } catch {
    return process.resourceUsage().maxRSS * 1024;
  }
}

function start() {
  meter.calls = meter.read = 0;
  started = { wall: process.hrtime.bigint(), cpu: cpuSeconds(), rss: peakRss() };
}

function stop(connectionBytes = 0) {
  const cpu = cpuSeconds() - started.cpu;
  return {
    calls: meter.calls,
    read: meter.read,
    cpu_seconds: cpu,
    wall_seconds: seconds(started.wall),
    active_seconds: seconds(begun),
    warm_rss: started.rss,
    peak_rss: peakRss(),
    connection_bytes: connectionBytes,
  };
}

function handler(event) {
  meter.calls += 1;
  meter.read += (event.channel || '').length;
}

// An action is held back until the login is answered, and so is a promise of its answer.
async function connect(count) {
  const managers = [];
  for (let number = 0; number < count; number++) {
    managers.push(new AsteriskManager(job.port, HOST, USERNAME, SECRET, true));
  }
  await Promise.all(managers.map((ami) => ask(ami, { action: 'ping' })));
  return managers;
}

// One handler of all events, or one on each of the names.
async function events() {
  const [ami] = await connect(1);
  const names = job.names.length ? job.names.map((name) => name.toLowerCase()) : ['managerevent'];
  names.forEach((name) => ami.on(name, handler));
  await ask(ami, { action: 'Replay', events: job.warm_up });
  start();
  await ask(ami, { action: 'Replay', events: job.count });
  return stop();
}

// The callback of a Ping sends the next one; `depth` are in flight.
async function pings() {
  const [ami] = await connect(1);
  const ping = (count) =>
    new Promise((resolve) => {
      let toSend = count - job.depth;
      let toCome = count;
      const pong = (error, answer) => {
        meter.calls += 1;
        meter.read += answer.response.length + answer.ping.length;
        toCome -= 1;
        if (toSend > 0) {
          toSend -= 1;
          ami.action({ action: 'Ping' }, pong);
        } else if (!toCome) {
          resolve();
        }
      };
      for (let number = 0; number < job.depth; number++) ami.action({ action: 'Ping' }, pong);
    });
  await ping(job.warm_up);
  start();
  await ping(job.count);
  return stop();
}

// One handler of all events on each connection.
async function trickle() {
  const managers = await connect(job.connections);
  managers.forEach((ami) => ami.on('managerevent', handler));
  await ask(managers[0], { action: 'Trickle', events: job.warm_up });
  start();
  await ask(managers[0], { action: 'Trickle', events: job.count });
  return stop();
}

// Connections that nobody uses. The first one is there before, with what is loaded and made once.
async function idle() {
  const inUse = () => {
    global.gc();
    return process.memoryUsage().rss;
  };
  const first = await connect(1);
  const before = inUse();
  const managers = await connect(job.connections);
  const grown = inUse() - before;
  start();
  await new Promise((resolve) => setTimeout(resolve, job.seconds * 1000));
  first.concat(managers).forEach((ami) => ami.listeners('close'));
  return stop(grown / job.connections);
}

({ events, pings, trickle, idle })[job.kind]().then((result) => {
  console.log(JSON.stringify(result));
  process.exit(0);
});
