// The page's behaviour: shows what the program says, sends what the friend does. Nothing here
// decides or guesses: ticks, dots and text are the board's real states. Text goes into text nodes
// only, never into markup.
"use strict";

const MAX_TEXT_BYTES = 1024;
const TYPING_INTERVAL_MS = 2000;
const LONGEST_RETRY_MS = 5000;

const byId = (id) => document.getElementById(id);
const page = Object.fromEntries(
  ["avatar", "name", "status", "forget", "progress", "progress-words", "progress-figures",
    "progress-bar", "trouble", "trouble-words", "trouble-help", "scroller", "empty", "messages",
    "dots", "silence", "newest", "announcer", "composer", "text", "too-long", "stop", "send", "ask"]
    .map((id) => [id, byId(id)]));

// What the program told, and what it has not confirmed yet.
let link = { phase: "searching", words: "Connecting…", help: "" };
let activity = "idle";
let transfer = null;
let notice = null;
const rows = new Map(); // key -> { message, parts }
const entryOf = new WeakMap(); // row -> what is in rows
let hasOlder = false; // there are messages before the first row
let isAsking = false; // and they are on their way
const unconfirmed = new Map(); // tag -> { text, parts }

// ---- The connection to the program ----

let socket = null;
let retryMs = 250;
let lost = false;

function connect() {
  socket = new WebSocket(`ws://${location.host}/live`);
  socket.onopen = () => {
    retryMs = 250;
  };
  socket.onmessage = (event) => handle(JSON.parse(event.data));
  socket.onclose = () => {
    socket = null;
    lost = true;
    showStatus();
    explainLoss();
    setTimeout(connect, retryMs);
    retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
  };
}

// A refused WebSocket does not say why; an ordinary request does.
async function explainLoss() {
  try {
    const answer = await fetch("/icon.svg", { cache: "no-store" });
    if (answer.status === 401) {
      link = {
        phase: "failed",
        words: "Wisp was started anew.",
        help: "Open the link that it printed in the terminal.",
      };
      lost = false;
      showStatus();
    }
  } catch {
    // Nobody listens; the status says so already.
  }
}

function tell(request) {
  if (socket === null || socket.readyState !== WebSocket.OPEN) return false;
  socket.send(JSON.stringify(request));
  return true;
}

function handle(told) {
  switch (told.type) {
    case "snapshot": takeSnapshot(told.view); break;
    case "link":
      link = told.link;
      if (link.phase !== "loading") transfer = null;
      showStatus();
      break;
    case "transfer": transfer = told.transfer; showTransfer(); break;
    case "loaded": transfer = null; showTransfer(); break;
    case "message":
      if (!rows.has(told.message.key)) notice = null;
      showMessage(told.message, told.after);
      showStatus();
      break;
    case "withdrawn": removeMessage(told.key); break;
    case "forgotten": clearMessages(); notice = null; showStatus(); break;
    case "activity": activity = told.activity; showActivity(); showStatus(); break;
    case "notice":
    case "crashed": notice = told.notice; showStatus(); break;
    case "taken": dropUnconfirmed(told.tag); break;
    case "older": takeOlder(told); break;
    default: break; // stats and the like are for the terminal
  }
}

function takeSnapshot(view) {
  lost = false;
  link = view.link;
  transfer = view.transfer;
  activity = view.activity;
  notice = view.notice;
  page.name.textContent = view.name;
  showUnread();
  clearMessages();
  hasOlder = view.has_older;
  page.messages.prepend(...view.messages.map((message) => addEntry(message).parts.row));
  markDays();
  showBelow(null);
  for (const [tag, { text }] of unconfirmed) tell({ type: "say", tag, text });
  showStatus();
  showTransfer();
  showActivity();
  scrollToEnd();
}

// ---- Status, progress, trouble ----

// A board may remember more than this page shows: whoever is online can be told to forget.
function mayForget() {
  page.forget.disabled = lost || (rows.size === 0 && link.phase !== "online");
}

function showStatus() {
  const online = !lost && link.phase === "online";
  page.avatar.dataset.phase = lost ? "searching" : link.phase;
  let words = link.words;
  if (lost) words = "The program is not answering. Trying again…";
  else if (online && activity === "thinking") words = "thinking…";
  else if (online && activity === "writing") words = "writing…";
  if (page.status.textContent !== words) page.status.textContent = words;
  mayForget();
  const failed = !lost && link.phase === "failed";
  const trouble = failed ? { message: link.words, help: link.help } : notice;
  const help = !failed && !online && link.help ? link.help : "";
  page.trouble.hidden = lost || (trouble === null && help === "");
  page["trouble-words"].textContent = trouble === null ? link.words : trouble.message;
  page["trouble-help"].textContent = trouble === null ? help : trouble.help;
  showTransfer();
  showSendable();
}

function showTransfer() {
  page.progress.hidden = lost || transfer === null;
  if (transfer === null) return;
  const what = transfer.slot === "persona" ? `“${transfer.name}”` : "the firmware";
  const verb = {
    comparing: `Looking what the board has of ${what}`,
    sending: `Sending ${what}`,
    verifying: `Checking ${what}`,
    done: `${what} is on the board`,
  }[transfer.phase];
  page["progress-words"].textContent = verb;
  const share = transfer.total === 0 ? 1 : transfer.done / transfer.total;
  const figures = [`${Math.floor(share * 100)} %`];
  if (transfer.phase === "sending") {
    if (transfer.rate > 0) figures.push(`${Math.round(transfer.rate / 1000)} kB/s`);
    if (transfer.seconds_left !== null) figures.push(`${duration(transfer.seconds_left)} left`);
  }
  page["progress-figures"].textContent = figures.join(" · ");
  page["progress-bar"].value = Math.round(share * 1000);
}

function duration(seconds) {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// ---- Messages ----

const TICKS = {
  waiting: ["◷", "waiting for the board"],
  sent: ["✓", "sent"],
  received: ["✓✓", "received"],
  read: ["✓✓", "read"],
};
const ENDINGS = {
  stopped: "stopped",
  length: "cut at the longest length",
  interrupted: "the board restarted here",
};

function make(tag, className, parent) {
  const element = document.createElement(tag);
  element.className = className;
  parent.append(element);
  return element;
}

function makeRow(speaker) {
  const row = document.createElement("li");
  row.className = `message ${speaker}`;
  const bubble = make("div", "bubble", row);
  make("span", "only-heard", bubble).textContent =
    speaker === "you" ? "You: " : `${page.name.textContent}: `;
  const words = make("span", "words", bubble);
  const about = make("span", "about", bubble);
  const time = make("time", "", about);
  const ticks = make("span", "ticks", about);
  ticks.setAttribute("role", "img");
  const below = make("div", "below", row);
  return { row, words, time, ticks, below };
}

function fillRow(parts, message) {
  parts.row.classList.toggle("writing", message.reply === "writing");
  if (parts.words.textContent !== message.text) parts.words.textContent = message.text;
  const when = new Date(message.unix_seconds * 1000);
  parts.time.textContent = when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  parts.time.dateTime = when.toISOString();
  parts.ticks.hidden = message.delivery === null;
  if (message.delivery !== null) {
    const [sign, meaning] = TICKS[message.delivery];
    parts.ticks.textContent = sign;
    parts.ticks.title = meaning;
    parts.ticks.setAttribute("aria-label", meaning);
    parts.ticks.dataset.delivery = message.delivery;
  }
}

function addEntry(message) {
  const entry = { message, parts: makeRow(message.speaker) };
  rows.set(message.key, entry);
  entryOf.set(entry.parts.row, entry);
  fillRow(entry.parts, message);
  fillBelow(entry, false);
  return entry;
}

// Older messages come in above, and what is being read stays where it is.
function takeOlder({ messages, has_older }) {
  isAsking = false;
  hasOlder = has_older;
  const fresh = messages.filter((message) => !rows.has(message.key));
  const { scrollHeight, scrollTop } = page.scroller;
  page.messages.prepend(...fresh.map((message) => addEntry(message).parts.row));
  markDays();
  page.scroller.scrollTop = scrollTop + page.scroller.scrollHeight - scrollHeight;
}

function askForOlder() {
  if (!hasOlder || isAsking || page.scroller.scrollTop > page.scroller.clientHeight) return;
  const first = entryOf.get(page.messages.firstElementChild);
  if (first !== undefined) isAsking = tell({ type: "older", before: first.message.key });
}

function showMessage(message, after) {
  // It stands before the first row: it comes when it is asked for.
  const isBeforeFirst = hasOlder && !rows.has(after) && !rows.has(message.key);
  if (isBeforeFirst) return;
  const atEnd = isAtEnd();
  let entry = rows.get(message.key);
  const wasWriting = entry === undefined || entry.message.reply === "writing";
  if (entry === undefined) entry = addEntry(message);
  // The first row has one before it that is not here.
  const staysFirst = hasOlder && !rows.has(after);
  const before = staysFirst ? entry.parts.row.previousSibling : rows.get(after)?.parts.row ?? null;
  const { row } = entry.parts;
  if (row.previousSibling !== before || row.parentNode === null) {
    page.messages.insertBefore(row, before === null ? page.messages.firstChild : before.nextSibling);
  }
  entry.message = message;
  fillRow(entry.parts, message);
  markDay(row);
  markDay(row.nextElementSibling);
  showBelow(entry);
  const isComplete = message.speaker === "wisp" && message.reply !== "writing";
  if (isComplete && wasWriting) {
    page.announcer.textContent = message.text;
    if (document.hidden) unread += 1;
    showUnread();
  }
  afterChange(atEnd || message.speaker === "you");
}

function removeMessage(key) {
  const row = rows.get(key)?.parts.row;
  const next = row?.nextElementSibling ?? null;
  row?.remove();
  rows.delete(key);
  markDay(next);
  showBelow(null);
  afterChange(false);
}

function clearMessages() {
  for (const { parts } of rows.values()) parts.row.remove();
  rows.clear();
  lastEntry = null;
  hasOlder = false;
  isAsking = false;
  afterChange(true);
}

// ---- Days, and what came while nobody looked ----

// A row says which day it is when the row before it is of another.
function markDay(row) {
  const entry = entryOf.get(row);
  if (entry === undefined) return;
  const before = entryOf.get(row.previousElementSibling);
  const isNew = before === undefined || dayOf(before) !== dayOf(entry);
  if (isNew) row.dataset.day = dayInWords(dayOf(entry));
  else delete row.dataset.day;
}

function markDays() {
  for (const row of page.messages.children) markDay(row);
}

function dayOf({ message }) {
  return new Date(message.unix_seconds * 1000).setHours(0, 0, 0, 0);
}

function dayInWords(day) {
  const today = new Date().setHours(0, 0, 0, 0);
  // A day of 23 or 25 hours is one day, too.
  const ago = Math.round((today - day) / 86_400_000);
  if (ago === 0) return "Today";
  if (ago === 1) return "Yesterday";
  const isThisYear = new Date(day).getFullYear() === new Date().getFullYear();
  const year = isThisYear ? {} : { year: "numeric" };
  return new Date(day).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long", ...year });
}

let unread = 0;

function showUnread() {
  const name = page.name.textContent;
  document.title = unread === 0 ? name : `(${unread}) ${name}`;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  showUnread();
  // It may have become tomorrow.
  markDays();
});

// The line below the newest message: how the reply ended, its speed, and answering again.
let lastEntry = null;

function showBelow(changed) {
  const last = entryOf.get(page.messages.lastElementChild) ?? null;
  for (const entry of new Set([changed, lastEntry, last])) {
    if (entry !== null) fillBelow(entry, entry === last);
  }
  lastEntry = last;
}

function fillBelow({ message, parts }, isNewest) {
  const told = [];
  if (ENDINGS[message.reply]) told.push(ENDINGS[message.reply]);
  const isLast = isNewest && message.speaker === "wisp" && message.reply !== "writing";
  if (isLast && message.timing && message.timing.decode_micros > 0 && message.timing.reply_tokens > 1) {
    const rate = (message.timing.reply_tokens - 1) / (message.timing.decode_micros / 1e6);
    told.push(`${rate.toFixed(1)} tokens/s`);
  }
  const wanted = `${isLast}|${told.join()}`;
  if (parts.below.dataset.shown === wanted) return;
  parts.below.dataset.shown = wanted;
  parts.below.replaceChildren(told.join(" · "));
  if (isLast) {
    const again = make("button", "", parts.below);
    again.type = "button";
    again.textContent = "↻ Answer again";
    again.onclick = () => tell({ type: "regenerate" });
  }
}

function showActivity() {
  const atEnd = isAtEnd();
  page.dots.hidden = activity !== "thinking";
  page.silence.hidden = activity !== "silent";
  page.stop.hidden = activity !== "thinking" && activity !== "writing";
  afterChange(atEnd);
}

// ---- Scrolling: follow the end, unless the friend reads further up ----

function isAtEnd() {
  const { scrollTop, scrollHeight, clientHeight } = page.scroller;
  return scrollHeight - scrollTop - clientHeight < 60;
}

function scrollToEnd() {
  page.scroller.scrollTop = page.scroller.scrollHeight;
  page.newest.hidden = true;
}

function afterChange(follow) {
  page.empty.hidden = rows.size > 0 || unconfirmed.size > 0;
  mayForget();
  if (follow) scrollToEnd();
  else if (!isAtEnd()) page.newest.hidden = false;
}

page.scroller.onscroll = () => {
  if (isAtEnd()) page.newest.hidden = true;
  askForOlder();
};
page.newest.onclick = scrollToEnd;

// Whoever was at the end stays there when a banner or the keyboard takes room away.
let wasAtEnd = true;
page.scroller.addEventListener("scroll", () => { wasAtEnd = isAtEnd(); });
new ResizeObserver(() => { if (wasAtEnd) scrollToEnd(); }).observe(page.scroller);

// ---- Writing ----

function dropUnconfirmed(tag) {
  const entry = unconfirmed.get(tag);
  if (entry === undefined) return;
  unconfirmed.delete(tag);
  entry.parts.row.remove();
  afterChange(true);
}

function say(text) {
  const tag = crypto.randomUUID();
  const parts = makeRow("you");
  fillRow(parts, {
    text, delivery: "waiting", reply: null, unix_seconds: Math.floor(Date.now() / 1000),
  });
  page.messages.append(parts.row);
  unconfirmed.set(tag, { text, parts });
  tell({ type: "say", tag, text });
  afterChange(true);
}

function byteLength(text) {
  return new TextEncoder().encode(text).length;
}

function showSendable() {
  const bytes = byteLength(page.text.value);
  const excess = bytes - MAX_TEXT_BYTES;
  page["too-long"].textContent = excess > 0 ? `${excess} too many` : "";
  page.send.disabled = page.text.value.trim() === "" || excess > 0;
}

function fitHeight() {
  page.text.style.height = "auto";
  page.text.style.height = `${page.text.scrollHeight + 2}px`;
}

let lastTyping = 0;
page.text.oninput = () => {
  showSendable();
  fitHeight();
  const now = Date.now();
  if (page.text.value !== "" && now - lastTyping > TYPING_INTERVAL_MS && tell({ type: "typing" })) {
    lastTyping = now;
  }
};

page.composer.onsubmit = (event) => {
  event.preventDefault();
  showSendable();
  if (page.send.disabled) return;
  say(page.text.value.trim());
  page.text.value = "";
  lastTyping = 0;
  showSendable();
  fitHeight();
  page.text.focus();
};

// Enter sends where there is a real keyboard; on a phone it makes a new line.
const hasKeyboard = matchMedia("(hover: hover) and (pointer: fine)");
page.text.onkeydown = (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  if (!hasKeyboard.matches && !event.ctrlKey) return;
  event.preventDefault();
  page.composer.requestSubmit();
};

page.stop.onclick = () => tell({ type: "stop" });
document.onkeydown = (event) => {
  if (event.key === "Escape" && !page.stop.hidden && !page.ask.open) tell({ type: "stop" });
};

page.forget.onclick = () => page.ask.showModal();
page.ask.onclose = () => {
  if (page.ask.returnValue === "yes") tell({ type: "forget" });
  page.ask.returnValue = "";
};

connect();
page.text.focus();
