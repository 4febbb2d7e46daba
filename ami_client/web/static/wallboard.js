// Draws what the server tells of: "whole" is all that there is, "change" what has changed since; null is what is gone.
// Whatever came from a telephone is set as text, and nothing else is ever set as markup. What is there stays in its
// place and is changed there, so that the focus, the screen reader and the eye keep theirs.

import { NAMES, WORDS } from "./words.js";

const SILENCE = 15_000; // milliseconds: the server says something every five seconds
const RETRY = 2_000; // milliseconds; the browser itself does not try again after an error of a proxy

const ENDPOINT_STATES = {
  not_inuse: "free", inuse: "busy", busy: "busy", ringing: "ringing", ringinuse: "ringing", onhold: "hold",
  unavailable: "unavailable", invalid: "unavailable",
};
const AGENT_STATES = ["free", "ringing", "busy", "paused", "unavailable"];
const CALL_STATES = ["queued", "ringing", "up", "held", "new"];
const PHONE_STATES = ["busy", "ringing", "hold", "free", "unavailable", "unknown"];

const $ = id => document.getElementById(id);

// -- settings: in the address for televisions, ?lang=ru&theme=dark, else as chosen here, else the browser's

const asked = new URLSearchParams(location.search);

function setting(name, allowed, otherwise) {
  let kept = null;
  try { kept = localStorage.getItem("wallboard-" + name); } catch { /* storage is switched off */ }
  return [asked.get(name), kept].find(value => allowed.includes(value)) ?? otherwise;
}

function keep(name, value) {
  asked.delete(name);
  history.replaceState(null, "", asked.size ? `?${asked}` : location.pathname);
  try { localStorage.setItem("wallboard-" + name, value); } catch { /* storage is switched off */ }
}

const languages = Object.keys(WORDS);
const preferred = navigator.languages.map(tag => tag.slice(0, 2)).find(tag => languages.includes(tag)) ?? "en";
let language = setting("lang", languages, preferred);
let theme = setting("theme", ["light", "dark"], "auto");
let words = WORDS[language];

function applySettings() {
  words = WORDS[language];
  document.documentElement.lang = language;
  document.documentElement.dataset.theme = theme;
  for (const element of document.querySelectorAll("[data-word]")) put(element, words[element.dataset.word]);
  const other = languages.find(one => one !== language);
  $("language").lang = other;
  put($("language"), NAMES[other]);
  put($("theme"), words.themes[theme]);
  draw();
}

// -- what the server has told

const SECTIONS = ["calls", "queues", "endpoints"];
let state = null; // as the server's look at things, but sections are Maps
let version = null;
let offset = 0; // milliseconds that the server's clock is ahead
let heard = Date.now();
let lost = null; // when the connection was lost, or null
let source = null;

function received(message) {
  const told = JSON.parse(message.data);
  offset = told.time * 1000 - Date.now();
  heard = Date.now();
  lost = null;
  if (message.type === "whole") {
    version ??= told.version;
    if (told.version !== version) return location.reload(); // the page is older than the server
    for (const name of SECTIONS) told[name] = new Map(Object.entries(told[name]));
    state = told;
  } else if (state) {
    for (const [name, value] of Object.entries(told)) {
      if (!SECTIONS.includes(name)) state[name] = value;
      else for (const [key, one] of Object.entries(value)) one === null ? state[name].delete(key) : state[name].set(key, one);
    }
  }
  draw();
}

function connect() {
  source?.close();
  source = new EventSource("events");
  source.addEventListener("whole", received);
  source.addEventListener("change", received);
  source.onerror = failed;
}

function failed() {
  lost ??= Date.now();
  draw();
  if (source.readyState === EventSource.CLOSED) setTimeout(again, RETRY);
}

async function again() {
  if (source.readyState !== EventSource.CLOSED) return;
  try {
    const answer = await fetch("./", { method: "HEAD", cache: "no-store" });
    if (answer.status === 401) return location.reload(); // there is a new token
  } catch { /* it is not there yet */ }
  connect();
}

function look() {
  if (Date.now() - heard > SILENCE) { // the cable is out, and nobody says so
    lost ??= heard;
    heard = Date.now();
    connect();
    draw();
  }
  tick();
}

// -- drawing

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function make(tag, classes, ...children) {
  const element = document.createElement(tag);
  if (classes) element.className = classes;
  element.append(...children);
  return element;
}

// Make the children of a list what they are to be: one for each key, in order, made once and then updated.
function list(parent, keys, create, update) {
  const old = parent.byKey ?? new Map();
  const kept = new Map();
  let place = parent.firstElementChild;
  for (const key of keys) {
    const child = old.get(key) ?? create(key);
    kept.set(key, child);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
    update(child, key);
  }
  for (const [key, child] of old) if (!kept.has(key)) child.remove();
  parent.byKey = kept;
}

function mark(element, name) {
  if (element.dataset.state !== name) element.dataset.state = name;
}

const format = (seconds, parts) => new Date(seconds * 1000).toLocaleTimeString(language, { hourCycle: "h23", ...parts });
const minute = seconds => format(seconds, { hour: "2-digit", minute: "2-digit" });
const time = seconds => format(seconds, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = number => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  return (hours ? `${hours}:${two(Math.floor(whole / 60) % 60)}` : Math.floor(whole / 60)) + ":" + two(whole % 60);
}

const clocks = new Map(); // an element, and since when it counts

// A clock of something at a server; where that is out of date it stands.
function count(element, since, server) {
  const end = staleSince(server);
  if (since === null || end !== null) clocks.delete(element);
  else clocks.set(element, since);
  put(element, since === null ? "–" : duration((end ?? now()) - since));
}

function tick() {
  put($("clock"), time(now()));
  for (const [element, since] of clocks) {
    if (element.isConnected) put(element, duration(now() - since));
    else clocks.delete(element);
  }
}

// Since when, by the server's clock, what is shown of a server is out of date; null while it is not.
function staleSince(name) {
  if (lost !== null) return (lost + offset) / 1000;
  return state.servers.find(one => one.name === name && one.state === "stale")?.since ?? null;
}

const stale = name => staleSince(name) !== null;
const now = () => (Date.now() + offset) / 1000; // by the server's clock
const byName = ([, one], [, other]) => one.name.localeCompare(other.name, language, { numeric: true });
const sum = counts => Object.values(counts).reduce((total, one) => total + one, 0);

function draw() {
  drawTrouble();
  if (!state) return;
  put($("rate"), lost === null && state.rate !== null ? String(state.rate) : "–");
  drawServers();
  drawQueues();
  drawCalls();
  drawEndpoints();
  tick();
}

function drawTrouble() {
  const lines = [];
  if (lost !== null) lines.push(words.unreachable(time(staleSince())));
  else if (!state) lines.push(words.connecting);
  else {
    if (!state.servers.length) lines.push(words.noServers);
    for (const one of state.servers) {
      if (one.state === "stale") lines.push(words.stale(one.name, time(one.since)));
      else if (one.state === "syncing") lines.push(words.syncing(one.name));
      else if (one.missing.length) lines.push(words.missing(one.name, one.missing.join(", ")));
    }
  }
  const isStale = lost !== null || (state?.servers.some(one => one.state === "stale") ?? false);
  document.body.classList.toggle("stale", isStale);
  put($("trouble"), lines.join("\n"));
  document.title = (isStale ? "⚠ " : "") + words.title;
}

function drawServers() {
  list($("servers"), state.servers.map(one => one.name), () => make("li", "", make("bdi"), make("span", "hint")), (item, name) => {
    const one = state.servers.find(one => one.name === name);
    mark(item, lost === null ? one.state : "stale");
    put(item.firstChild, name);
    put(item.lastChild, words.servers[item.dataset.state]);
  });
}

function numbers(...names) {
  const terms = make("dl", "numbers");
  const values = names.map(name => {
    const term = make("dt"), value = make("dd", "number");
    term.dataset.word = name;
    put(term, words[name]);
    terms.append(make("div", name, term, value));
    return value;
  });
  return [terms, values];
}

function makeQueue() {
  const card = make("article", "card");
  const name = make("h3", "", make("bdi"));
  const [terms, [waiting, longest, level]] = numbers("waiting", "longest", "level");
  const agents = make("ul", "chips agents"), members = make("ul", "chips members"), hour = make("p", "hint");
  const server = make("p", "hint server", make("bdi"));
  card.append(name, server, terms, agents, hour, members);
  card.parts = { name: name.firstChild, server: server.firstChild, waiting, longest, level, agents, members, hour };
  return card;
}

function drawQueues() {
  const several = state.servers.length > 1;
  const queues = [...state.queues].sort(byName);
  put($("queues-count"), String(queues.length));
  $("queues-none").hidden = queues.length > 0;
  list($("queues"), queues.map(([key]) => key), makeQueue, (card, key) => {
    const queue = state.queues.get(key), parts = card.parts;
    card.classList.toggle("old", stale(queue.server));
    put(parts.name, queue.name);
    put(parts.server, several ? queue.server : "");
    mark(card, queue.waiting ? "waiting" : "calm");
    put(parts.waiting, String(queue.waiting));
    count(parts.longest, queue.oldest, queue.server);
    put(parts.level, queue.level === null ? "–" : `${queue.level} %`);
    const period = state.time - state.since >= 3600 ? words.hour : words.since(minute(state.since));
    const served = `${period}: ${words.served(queue.answered, queue.abandoned)}`;
    put(parts.hour, queue.within ? `${served}, ${words.within(queue.within)}` : served);
    parts.agents.setAttribute("aria-label", words.agents);
    list(parts.agents, AGENT_STATES.filter(name => queue.agents[name]), makeChip, (chip, name) => drawChip(chip, name, words.states[name], String(queue.agents[name])));
    list(parts.members, queue.members.map((_, number) => number), makeChip, (chip, number) => {
      const [name, one] = queue.members[number];
      drawChip(chip, one, name, words.states[one]);
    });
  });
}

function makeChip() {
  return make("li", "", make("bdi"), make("span", "number"));
}

function drawChip(chip, name, first, second) {
  mark(chip, name);
  put(chip.firstChild, first);
  put(chip.lastChild, second);
}

function makeCall() {
  const row = make("tr"), cells = ["state", "duration number", "party caller", "party with", "party queue"].map(classes => make("td", classes));
  row.append(...cells);
  return row;
}

const party = ([name, number]) => name && number ? `${name} ${number}` : name || number;

function drawParties(cell, parties) {
  list(cell, parties.map((_, number) => number), () => make("bdi"), (one, number) => put(one, party(parties[number])));
}

function drawCalls() {
  const calls = [...state.calls].sort(([, one], [, other]) => other.started - one.started);
  const counts = state.counts.calls, total = sum(counts);
  drawCounts($("calls-count"), CALL_STATES, counts, total);
  $("calls-none").hidden = calls.length > 0;
  $("calls").closest(".scrolls").hidden = calls.length === 0;
  put($("calls-more"), total > calls.length ? words.more(total - calls.length) : "");
  list($("calls"), calls.map(([key]) => key), makeCall, (row, key) => {
    const call = state.calls.get(key), [one, long, caller, others, queue] = row.children;
    row.classList.toggle("old", stale(call.server));
    mark(row, call.state);
    put(one, words.states[call.state] ?? call.state);
    count(long, call.started, call.server);
    drawParties(caller, [call.caller]);
    drawParties(others, call.with);
    drawParties(queue, [[call.queue, ""]]);
  });
}

function drawEndpoints() {
  const phones = [...state.endpoints].sort(byName);
  const counts = {};
  for (const [name, number] of Object.entries(state.counts.endpoints)) {
    const shown = ENDPOINT_STATES[name] ?? "unknown";
    counts[shown] = (counts[shown] ?? 0) + number;
  }
  const total = sum(counts);
  drawCounts($("endpoints-count"), PHONE_STATES, counts, total);
  $("endpoints-none").hidden = phones.length > 0;
  put($("endpoints-more"), total > phones.length ? words.more(total - phones.length) : "");
  list($("endpoints"), phones.map(([key]) => key), makeChip, (chip, key) => {
    const phone = state.endpoints.get(key), shown = ENDPOINT_STATES[phone.state] ?? "unknown";
    chip.classList.toggle("old", stale(phone.server));
    drawChip(chip, shown, phone.name, words.states[shown]);
  });
}

function drawCounts(element, order, counts, total) {
  const parts = order.filter(name => counts[name]).map(name => `${words.states[name].toLowerCase()} ${counts[name]}`);
  put(element, parts.length ? `${total}: ${parts.join(", ")}` : String(total));
}

// -- begin

$("language").onclick = () => {
  language = languages[(languages.indexOf(language) + 1) % languages.length];
  keep("lang", language);
  applySettings();
};
$("theme").onclick = () => {
  const themes = Object.keys(words.themes);
  theme = themes[(themes.indexOf(theme) + 1) % themes.length];
  keep("theme", theme);
  applySettings();
};
applySettings();
connect();
setInterval(look, 1000);
