// Keeps the page up to date: by server-sent events, by asking now and then where those do not come
// through, and says so when what it shows is old. Without it the page is what it was when loaded.
"use strict";

const OLD_AFTER = 10_000; // ms without a word from boomerang
const ASK_EVERY = 5_000;
const TRY_STREAM_EVERY = 30_000;
const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const DAY_AND_TIME = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

const freshness = document.getElementById("freshness");
const icon = document.getElementById("icon");
const announcement = document.getElementById("announcement");
let heardAt = performance.now();
let shownAt = freshness.querySelector("time").dateTime;
let shown = { title: document.title, icon: icon.getAttribute("href") };
let isOld = false;
let stream = null;
let asking = null;

// UTC becomes the reader's own time, with the day where it was not today.
function ownTime(within) {
  const today = new Date().toDateString();
  for (const time of within.querySelectorAll("time")) {
    const instant = new Date(time.dateTime);
    const form = instant.toDateString() === today ? TIME : DAY_AND_TIME;
    const text = instant.toLocaleString([], form);
    if (time.textContent !== text) time.textContent = text;
    time.title = instant.toLocaleString();
  }
}

// Changes what differs and leaves the rest alone: what is selected, pointed at or read out.
function become(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  const same = old.nodeType === Node.ELEMENT_NODE && old.nodeName === fresh.nodeName;
  if (!same || !old.cloneNode(false).isEqualNode(fresh.cloneNode(false))) {
    old.replaceWith(fresh);
    return;
  }
  becomeAll(old, fresh);
}

function becomeAll(old, fresh) {
  const before = [...old.childNodes];
  const after = [...fresh.childNodes];
  before.slice(after.length).forEach((each) => each.remove());
  after.forEach((each, index) => (index < before.length ? become(before[index], each) : old.append(each)));
}

function show(news) {
  heardAt = performance.now();
  shownAt = new Date(news.at * 1000).toISOString();
  for (const [name, html] of Object.entries(news.parts)) {
    const part = document.getElementById(name);
    const fresh = part.cloneNode(false);
    fresh.innerHTML = html; // made and escaped by boomerang's templates
    ownTime(fresh);
    becomeAll(part, fresh);
  }
  const before = shown.icon;
  shown = { title: news.title, icon: `/status/assets/${news.level}.svg` };
  tellAge();
  // Only what is better or worse is read out: the numbers change all the time.
  if (shown.icon !== before) announcement.textContent = document.querySelector("h1").textContent;
}

function tellAge() {
  const silent = performance.now() - heardAt;
  const old = silent > OLD_AFTER;
  const time = new Date(shownAt).toLocaleString([], TIME);
  freshness.textContent = old
    ? `Connection lost. This is ${Math.round(silent / 1000)} s old, trying again`
    : `as of ${time}`;
  if (old !== isOld) {
    isOld = old;
    document.body.classList.toggle("old", old);
    announcement.textContent = old ? "Connection lost: what is shown is old." : "Connected again.";
  }
  document.title = old ? "Connection lost · boomerang" : shown.title;
  const wanted = old ? "/status/assets/warn.svg" : shown.icon;
  if (icon.getAttribute("href") !== wanted) icon.href = wanted;
}

async function ask() {
  try {
    const answer = await fetch("/status/parts", { cache: "no-store" });
    if (answer.ok) show(await answer.json());
  } catch {
    // tellAge says so
  }
}

function connect() {
  if (stream !== null) stream.close();
  stream = new EventSource("/status/live");
  stream.onmessage = (event) => {
    if (asking !== null) {
      clearInterval(asking);
      asking = null;
    }
    show(JSON.parse(event.data));
  };
  stream.onerror = () => {
    // The browser tries again by itself, unless it was refused; meanwhile ask.
    if (asking === null) asking = setInterval(ask, ASK_EVERY);
  };
}

ownTime(document);
tellAge();
setInterval(tellAge, 1000);
setInterval(() => ownTime(document), 60_000);
setInterval(() => {
  if (performance.now() - heardAt > OLD_AFTER || stream.readyState === EventSource.CLOSED) connect();
}, TRY_STREAM_EVERY);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && performance.now() - heardAt > OLD_AFTER) connect();
});
addEventListener("online", connect);
connect();
