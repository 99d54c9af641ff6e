// Puts people, phones and the coach together, and listens for news.
"use strict";

const WIDE = window.matchMedia("(min-width: 1100px)");
const state = { people: [], menu: null, phones: new Map(), shown: [], unread: new Map() };
const RECONNECT_MS = 1500;
const castNode = document.getElementById("cast");
const phonesNode = document.getElementById("phones");
const statusNode = document.getElementById("status");
const coachNode = document.getElementById("coach");

async function read(name, query) {
  const response = await fetch(`/_sim/${name}${query ? `?${new URLSearchParams(query)}` : ""}`);
  return response.json();
}

async function post(name, given) {
  try {
    const response = await fetch(`/_sim/${name}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(given) });
    const answer = await response.json();
    if (!response.ok) say(answer.error, true);
    else if (name === "act") refresh();
    return answer;
  } catch {
    say("本地微信没有应答", true);
    return null;
  }
}

function say(text, bad = false) {
  statusNode.textContent = text;
  statusNode.classList.toggle("bad", bad);
}

const coach = new Coach(coachNode, post);

function mostPhones() {
  return WIDE.matches ? Math.max(1, Math.floor((phonesNode.clientWidth - 16) / 376)) : 1;
}

function fromAddress() {
  const named = decodeURIComponent(location.hash.slice(1)).split(",").filter(Boolean);
  return state.people.filter((person) => named.includes(person.nickname) || named.includes(person.openid)).map((person) => person.openid);
}

function show(openids) {
  state.shown = openids.slice(-mostPhones());
  for (const openid of state.shown) {
    state.unread.delete(openid);
    if (state.phones.has(openid)) continue;
    const person = state.people.find((one) => one.openid === openid);
    const phone = new Phone(person, post, () => show(state.shown.filter((one) => one !== openid)));
    phone.update(person, state.menu);
    state.phones.set(openid, phone);
    phone.load();
  }
  const nodes = state.shown.map((openid) => state.phones.get(openid).node);
  if (nodes.some((node, index) => phonesNode.children[index] !== node) || phonesNode.children.length !== nodes.length) {
    phonesNode.replaceChildren(...nodes);
    for (const openid of state.shown) { const talk = state.phones.get(openid).talk; talk.scrollTop = talk.scrollHeight; }
  }
  if (!nodes.length) phonesNode.append(make("p", { class: "empty" }, "从左边选一个人。"));
  drawCast();
}

function toggle(openid) {
  const open = state.shown.includes(openid);
  if (!WIDE.matches || mostPhones() === 1) show([openid]);
  else show(open ? state.shown.filter((one) => one !== openid) : [...state.shown, openid]);
}

function drawCast() {
  const focused = document.activeElement?.dataset?.openid;
  castNode.replaceChildren(...state.people.map((person) => {
    const count = state.unread.get(person.openid);
    return make("button", { type: "button", "data-openid": person.openid, "aria-pressed": String(state.shown.includes(person.openid)), onclick: () => toggle(person.openid) },
      face(person.nickname, person.index),
      make("span", { class: "who" }, make("span", { class: "name" }, person.nickname), make("span", { class: "hint" }, person.hint)),
      count ? make("span", { class: "unread" }, String(count), make("span", { class: "visually-hidden" }, " 条新消息")) : null);
  }));
  if (focused) castNode.querySelector(`[data-openid="${CSS.escape(focused)}"]`)?.focus();
}

async function refresh() {
  const [people, menu] = await Promise.all([read("people"), read("menu")]);
  state.people = people.map((person, index) => ({ ...person, index: index % 6 }));
  if (JSON.stringify(menu.menu) !== JSON.stringify(state.menu)) state.menu = menu.menu;
  for (const person of state.people) state.phones.get(person.openid)?.update(person, state.menu);
  drawCast();
}

async function start() {
  await refresh();
  const [clock, callbacks, faults] = await Promise.all([read("clock"), read("callbacks", { limit: 1 }), read("inject")]);
  coach.showClock(clock);
  coach.showCallback(callbacks[0]);
  coach.showFaults(faults);
  for (const phone of state.phones.values()) phone.load();
  if (!state.shown.length) {
    const named = fromAddress();
    show(named.length ? named : state.people.slice(0, mostPhones()).map((person) => person.openid));
  }
}

const NEWS = {
  line({ openid, line }) {
    const phone = state.phones.get(openid);
    phone?.add(line);
    if (!state.shown.includes(openid) && line.side === "account") {
      state.unread.set(openid, (state.unread.get(openid) ?? 0) + 1);
      drawCast();
    }
    if (!state.people.some((person) => person.openid === openid)) refresh();
  },
  callback({ callback }) { coach.showCallback(callback); },
  clock({ clock }) { coach.showClock(clock); },
  menu() { refresh(); },
  reset() { state.unread.clear(); start(); },
};

function listen() {
  const news = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/_sim/events`);
  news.onopen = () => { say("已连接"); start(); };
  news.onclose = () => {
    say("连接断开，正在重连…", true);
    setTimeout(listen, RECONNECT_MS);
  };
  news.onmessage = (message) => { const item = JSON.parse(message.data); NEWS[item.type]?.(item); };
}

document.getElementById("coach-toggle").addEventListener("click", (event) => {
  coachNode.hidden = !coachNode.hidden;
  event.currentTarget.setAttribute("aria-expanded", String(!coachNode.hidden));
  if (!coachNode.hidden) coachNode.querySelector("button")?.focus();
  if (state.people.length) show(state.shown);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !coachNode.hidden && coachNode.contains(document.activeElement)) document.getElementById("coach-toggle").click();
});
if (decodeURIComponent(location.hash).includes("教练")) document.getElementById("coach-toggle").click();
window.addEventListener("resize", () => show(state.shown));
setInterval(() => coach.tick(), 1000);
listen();
