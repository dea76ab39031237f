// The page's behaviour: shows what the program says, sends what the friend does. Nothing here
// decides or guesses: ticks, dots and text are the board's real states.

import { connect, tell } from "./live.js";
import * as messages from "./messages.js";
import { page, state } from "./page.js";
import { showCard, showChoices, showForget } from "./settings.js";
import { showStatus, showTransfer } from "./status.js";
import { note, see, showUnread } from "./unseen.js";
import { mindEditing } from "./writing.js";

function take(told) {
  switch (told.type) {
    case "snapshot": takeSnapshot(told); break;
    case "link":
      state.link = told.link;
      if (told.link.phase !== "loading") state.transfer = null;
      showStatus();
      break;
    case "transfer": state.transfer = told.transfer; showTransfer(); break;
    case "loaded": state.transfer = null; showTransfer(); break;
    case "message": takeMessage(told); break;
    case "withdrawn": messages.remove(told.key); mindEditing(); break;
    case "forgotten":
      messages.clear();
      mindEditing();
      state.notice = null;
      showStatus();
      break;
    case "activity":
      state.activity = told.activity;
      messages.showActivity();
      showStatus();
      break;
    case "notice":
    case "crashed": state.notice = told.notice; showStatus(); break;
    case "taken": messages.settle(told.tag); break;
    case "lost": messages.lose(told.tag); break;
    case "older": messages.showOlder(told); break;
    case "card":
      state.card = told.card;
      if (told.card.name !== "") page.name.textContent = told.card.name;
      showCard();
      showStatus();
      break;
    case "choices": state.choices = told.choices; showChoices(); break;
    default: break; // stats and the like are for the terminal
  }
  showForget();
}

function takeSnapshot({ run, view }) {
  const { link, transfer, activity, notice, card, choices } = view;
  Object.assign(state, { link, transfer, activity, notice, card, choices, lost: false, shutOut: null });
  page.name.textContent = view.name;
  showUnread();
  messages.showAll(view, run !== state.run);
  state.run = run;
  messages.takeUpUnsent();
  mindEditing();
  showStatus();
  messages.showActivity();
  showCard();
  showChoices();
}

function takeMessage({ message, after }) {
  const { isNew, isComplete } = messages.show(message, after);
  if (isNew) state.notice = null;
  if (isComplete) {
    // A reply is read out once, when it is complete.
    page.announcer.textContent = message.text;
    note(message.text);
  }
  mindEditing();
  showStatus();
}

function lose(shutOut) {
  Object.assign(state, { lost: true, shutOut });
  showStatus();
  showForget();
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  see();
  // It may have become tomorrow.
  messages.markDays();
});

page.hello.onclick = () => {
  tell({ type: "greet" });
  page.text.focus();
};

connect(take, lose);
