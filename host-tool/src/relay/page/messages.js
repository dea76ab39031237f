// The conversation: one row for each message. Texts go into text nodes only, never into markup.

import { markDay } from "./days.js";
import { tell } from "./live.js";
import { make, page, state } from "./page.js";

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

const rows = new Map(); // key -> { message, parts }
const entryOf = new WeakMap(); // row -> what is in rows
const unconfirmed = new Map(); // tag -> { request, parts }: said, and not known to be stored
let hasOlder = false; // there are messages before the first row
let isAsking = false; // and they are on their way
let edit = () => {}; // what the edit button does with a message
let refuse = () => {}; // what becomes of a text that cannot be said

export const onEdit = (action) => { edit = action; };
export const onRefused = (action) => { refuse = action; };
export const count = () => rows.size;

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
  fillBelow(entry, {});
  return entry;
}

const timeOf = (row) => entryOf.get(row)?.message.unix_seconds;

export function markDays() {
  for (const row of page.messages.children) markDay(row, timeOf);
}

// Shows all anew.
export function showAll({ messages, has_older }, isAnotherRun) {
  const known = new Set(rows.keys());
  clear();
  hasOlder = has_older;
  page.messages.prepend(...messages.map((message) => addEntry(message).parts.row));
  markDays();
  showBelow(null);
  if (isAnotherRun) settleStored(known);
  sayAgain();
  scrollToEnd();
}

// Older messages come in above, and what is being read stays where it is.
export function showOlder({ messages, has_older }) {
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

// Shows a message that is new or changed. Tells whether it is one, and whether it has come to its end.
export function show(message, after) {
  const isNew = !rows.has(message.key);
  // It stands before the first row: it comes when it is asked for.
  if (hasOlder && !rows.has(after) && isNew) return { isNew: false, isComplete: false };
  const atEnd = isAtEnd();
  let entry = rows.get(message.key);
  const wasWriting = isNew || entry.message.reply === "writing";
  if (isNew) entry = addEntry(message);
  // The first row has one before it that is not here.
  const staysFirst = hasOlder && !rows.has(after);
  const before = staysFirst ? entry.parts.row.previousSibling : rows.get(after)?.parts.row ?? null;
  const { row } = entry.parts;
  if (row.previousSibling !== before || row.parentNode === null) {
    page.messages.insertBefore(row, before === null ? page.messages.firstChild : before.nextSibling);
  }
  entry.message = message;
  fillRow(entry.parts, message);
  markDay(row, timeOf);
  if (row.nextElementSibling !== null) markDay(row.nextElementSibling, timeOf);
  showBelow(entry);
  afterChange(atEnd || (isNew && message.speaker === "you"), isNew);
  const isWhole = message.speaker === "wisp" && message.reply !== "writing";
  return { isNew, isComplete: isWhole && wasWriting };
}

export function remove(key) {
  const row = rows.get(key)?.parts.row;
  const next = row?.nextElementSibling ?? null;
  row?.remove();
  rows.delete(key);
  if (next !== null) markDay(next, timeOf);
  showBelow(null);
  afterChange(false);
}

export function clear() {
  for (const { parts } of rows.values()) parts.row.remove();
  rows.clear();
  belowShown = new Set();
  hasOlder = false;
  isAsking = false;
  afterChange(true);
}

// ---- What was said here, until the program has it ----

// Requests that the program takes in a second are limited.
const BETWEEN_REPETITIONS_MS = 30;

const UNSENT = "wisp-unsent";
let recalled = JSON.parse(sessionStorage.getItem(UNSENT) ?? "[]");

// What the program has not taken stays with this tab, also over a fresh link to a program that was
// started anew: until then it is nowhere else.
function keepUnsent() {
  const requests = [...unconfirmed.values()].filter(({ request }) => request.type === "say");
  const kept = requests.map(({ request, since }) => ({ text: request.text, tag: request.tag, since }));
  sessionStorage.setItem(UNSENT, JSON.stringify([...recalled, ...kept]));
}

// Takes them up again, but for those that were taken and stored: only the word of it was lost.
export function takeUpUnsent() {
  const kept = recalled;
  recalled = [];
  const said = saidBeside(new Set());
  for (const { text, tag, since } of kept) {
    if (!takeOne(said, text, since)) say({ type: "say", tag, text }, since);
  }
  keepUnsent();
}

// The friend's messages beside those of some keys.
function saidBeside(known) {
  const messages = [...rows.values()].map(({ message }) => message);
  return messages.filter(({ speaker, key }) => speaker === "you" && !known.has(key));
}

// Whether this text is among the messages; it is taken out of them, for it may have been said twice.
function takeOne(messages, text, since) {
  const place = messages.findIndex((message) => message.text === text && message.unix_seconds >= since - 1);
  if (place >= 0) messages.splice(place, 1);
  return place >= 0;
}

// A program that ended after it had stored a message could not tell of it, and the one after it does
// not know the tags: what was said here and is there now, but was not before, needs no repetition.
function settleStored(known) {
  const fresh = saidBeside(known);
  for (const { request, since } of [...unconfirmed.values()]) {
    if (takeOne(fresh, request.text, since)) settle(request.tag);
  }
}

// A program that was started anew may have another port: there the tab finds nothing of it.
window.addEventListener("beforeunload", (event) => {
  if (state.lost && unconfirmed.size > 0) event.preventDefault();
});

// The program may not have heard it, or is another one now. Only what it has not taken is said.
function sayAgain() {
  let pause = 0;
  for (const { request, replaced } of unconfirmed.values()) {
    const last = lastSaid();
    // It was to replace another message than the one that is there.
    const isVoid = request.type === "edit" && !(last?.key === request.key && last.text === replaced);
    if (isVoid) refuse(settle(request.tag));
    else setTimeout(() => tell(request), pause);
    pause += BETWEEN_REPETITIONS_MS;
  }
}

// The program does not take it: of a new message because the conversation has become another one.
export function lose(tag) {
  const entry = unconfirmed.get(tag);
  if (entry?.request.type === "say") tell(entry.request);
  else refuse(settle(tag));
}

export function say(request, since = Math.floor(Date.now() / 1000)) {
  const parts = makeRow("you");
  fillRow(parts, { text: request.text, delivery: "waiting", reply: null, unix_seconds: since });
  page.messages.append(parts.row);
  unconfirmed.set(request.tag, { request, parts, replaced: lastSaid()?.text, since });
  keepUnsent();
  tell(request);
  afterChange(true);
}

// The program has it, or never will. Returns what was said, if it was said here.
export function settle(tag) {
  const entry = unconfirmed.get(tag);
  if (entry === undefined) return "";
  unconfirmed.delete(tag);
  keepUnsent();
  entry.parts.row.remove();
  afterChange(true);
  return entry.request.text;
}

// ---- Below a message: how the reply ended, its speed, answering again, editing ----

let belowShown = new Set();

// The newest message, and the friend's last.
function lastEntries() {
  const newest = entryOf.get(page.messages.lastElementChild) ?? null;
  let row = page.messages.lastElementChild;
  while (row !== null && entryOf.get(row)?.message.speaker !== "you") row = row.previousElementSibling;
  return { newest, said: entryOf.get(row) ?? null };
}

export const lastSaid = () => lastEntries().said?.message;

function showBelow(changed) {
  const last = lastEntries();
  const now = new Set([last.newest, last.said]);
  for (const entry of new Set([changed, ...belowShown, ...now])) {
    if (entry !== null) fillBelow(entry, last);
  }
  belowShown = now;
}

function fillBelow(entry, { newest, said }) {
  const { message, parts } = entry;
  const told = [];
  if (ENDINGS[message.reply]) told.push(ENDINGS[message.reply]);
  const isLast = entry === newest && message.speaker === "wisp" && message.reply !== "writing";
  if (isLast && message.timing && message.timing.decode_micros > 0 && message.timing.reply_tokens > 1) {
    const rate = (message.timing.reply_tokens - 1) / (message.timing.decode_micros / 1e6);
    told.push(`${rate.toFixed(1)} tokens/s`);
  }
  const offer = isLast ? "↻ Answer again" : entry === said ? "✎ Edit" : "";
  const wanted = `${offer}|${told.join()}`;
  if (parts.below.dataset.shown === wanted) return;
  parts.below.dataset.shown = wanted;
  parts.below.replaceChildren(told.join(" · "));
  if (offer === "") return;
  const button = make("button", "", parts.below);
  button.type = "button";
  button.textContent = offer;
  button.onclick = isLast ? () => tell({ type: "regenerate" }) : () => edit(entry.message);
}

export function showActivity() {
  const { activity } = state;
  const atEnd = isAtEnd();
  page.dots.hidden = activity !== "thinking";
  page.silence.hidden = activity !== "silent" || rows.size === 0 || unconfirmed.size > 0;
  page.stop.hidden = activity !== "thinking" && activity !== "writing";
  afterChange(atEnd);
}

// ---- Scrolling: follow the end, unless the friend reads further up ----

function isAtEnd() {
  const { scrollTop, scrollHeight, clientHeight } = page.scroller;
  return scrollHeight - scrollTop - clientHeight < 60;
}

export function scrollToEnd() {
  page.scroller.scrollTop = page.scroller.scrollHeight;
  page.newest.hidden = true;
}

// Who reads further up stays there, and hears of what is new.
function afterChange(follow, isNew = false) {
  page.empty.hidden = rows.size > 0 || unconfirmed.size > 0 || !page.dots.hidden;
  if (follow) scrollToEnd();
  else if (isNew && !isAtEnd()) page.newest.hidden = false;
}

// Whoever was at the end stays there when a banner or the keyboard takes room away.
let wasAtEnd = true;
page.scroller.addEventListener("scroll", () => {
  wasAtEnd = isAtEnd();
  if (wasAtEnd) page.newest.hidden = true;
  askForOlder();
});
page.newest.onclick = scrollToEnd;
new ResizeObserver(() => { if (wasAtEnd) scrollToEnd(); }).observe(page.scroller);
