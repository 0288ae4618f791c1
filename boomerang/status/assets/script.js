// Keeps the page up to date: by server-sent events, by asking now and then where those do not come
// through, and says so when what it shows is old. Without it the page is what it was when loaded.
"use strict";

const OLD_AFTER = 10_000; // ms without a word from boomerang
const ASK_EVERY = 5_000;
const TRY_STREAM_EVERY = 30_000;

const freshness = document.getElementById("freshness");
let heardAt = performance.now();
let shownAt = freshness.querySelector("time").dateTime;
let level = document.getElementById("icon").getAttribute("href");
let stream = null;
let asking = null;

function ownTime(within) {
  for (const time of within.querySelectorAll("time")) {
    const instant = new Date(time.dateTime);
    time.textContent = instant.toLocaleTimeString([], { hour12: false });
    time.title = instant.toLocaleString();
  }
}

function show(news) {
  heardAt = performance.now();
  shownAt = new Date(news.at * 1000).toISOString();
  for (const [name, html] of Object.entries(news.parts)) {
    const part = document.getElementById(name);
    part.innerHTML = html; // made and escaped by boomerang's templates
    ownTime(part);
  }
  document.title = news.title;
  const icon = `/status/assets/${news.level}.svg`;
  if (icon !== level) {
    level = icon;
    document.getElementById("icon").href = icon;
    document.getElementById("announcement").textContent = document.querySelector("h1").textContent;
  }
  tellAge();
}

function tellAge() {
  const silent = performance.now() - heardAt;
  const old = silent > OLD_AFTER;
  const time = new Date(shownAt).toLocaleTimeString([], { hour12: false });
  const text = old
    ? `connection lost: this is ${Math.round(silent / 1000)} s old, trying again`
    : `as of ${time}`;
  freshness.classList.toggle("old", old);
  freshness.textContent = text;
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
setInterval(() => {
  if (performance.now() - heardAt > OLD_AFTER || stream.readyState === EventSource.CLOSED) connect();
}, TRY_STREAM_EVERY);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && performance.now() - heardAt > OLD_AFTER) connect();
});
addEventListener("online", connect);
connect();
