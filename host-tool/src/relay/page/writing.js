// The line to write in: send, edit, stop.

import { tell } from "./live.js";
import { lastSaid, onEdit, onRefused, say } from "./messages.js";
import { page } from "./page.js";

const MAX_TEXT_BYTES = 1024;
const TYPING_INTERVAL_MS = 2000;

let editing = null; // key of the message that is written anew
let original = ""; // its text
let draft = ""; // what was being written before
let lastTyping = 0;

function showSendable() {
  const excess = new TextEncoder().encode(page.text.value).length - MAX_TEXT_BYTES;
  page["too-long"].textContent = excess > 0 ? `${excess} bytes too long` : "";
  page.send.disabled = page.text.value.trim() === "" || excess > 0;
}

function fitHeight() {
  page.text.style.height = "auto";
  page.text.style.height = `${page.text.scrollHeight + 2}px`;
}

function write(text) {
  page.text.value = text;
  showSendable();
  fitHeight();
  page.text.focus();
}

function beginEditing(message) {
  if (editing === null) draft = page.text.value;
  editing = message.key;
  original = message.text;
  page.editing.hidden = false;
  write(message.text);
}

function endEditing(text) {
  editing = null;
  page.editing.hidden = true;
  write(text);
}

// The message may be gone, or no longer the last.
export function mindEditing() {
  if (editing === null || lastSaid()?.key === editing) return;
  // What is written already is not thrown away.
  endEditing(page.text.value === original ? draft : page.text.value);
}

onEdit(beginEditing);
// What could not be said is there to be said again, before what is being written.
onRefused((text) => {
  if (text !== "") write(page.text.value === "" ? text : `${text}\n${page.text.value}`);
});
page["end-editing"].onclick = () => endEditing(draft);

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
  const text = page.text.value.trim();
  const tag = crypto.randomUUID();
  if (editing === null) {
    say({ type: "say", tag, text });
    write("");
  } else {
    say({ type: "edit", tag, key: editing, text });
    endEditing(draft);
  }
  lastTyping = 0;
};

// Enter sends where there is a real keyboard; on a phone it makes a new line.
const hasKeyboard = matchMedia("(hover: hover) and (pointer: fine)");
// What Enter does, as the keys of a phone show it.
page.text.enterKeyHint = hasKeyboard.matches ? "send" : "enter";
page.send.title = hasKeyboard.matches ? "Send (Enter)" : "Send (Ctrl+Enter)";
page.text.onkeydown = (event) => {
  if (event.key === "ArrowUp" && page.text.value === "" && editing === null) {
    const message = lastSaid();
    if (message === undefined) return;
    event.preventDefault();
    beginEditing(message);
  }
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  if (!hasKeyboard.matches && !event.ctrlKey) return;
  event.preventDefault();
  page.composer.requestSubmit();
};

page.stop.onclick = () => tell({ type: "stop" });
document.onkeydown = (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open]") !== null) return;
  if (editing !== null) endEditing(draft);
  else if (!page.stop.hidden) tell({ type: "stop" });
};
page.text.focus();
