// Who the persona is, and how the friend wants it to be.

import { tell } from "./live.js";
import { count } from "./messages.js";
import { isOnline, make, page, state } from "./page.js";
import { wantNotice, wantsNotice } from "./unseen.js";

// Thousandths, from silent to chatty; in the middle what it has learned.
const TALKATIVENESS = [0, 100, 250, 500, 750, 1000, 1500, 2000, 3000, 5000, 10_000];
const AS_LEARNED = TALKATIVENESS.indexOf(1000);

const times = (milli) => `${milli / 1000} ×`;
const clock = (minute) =>
  `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;

function minuteOf(time) {
  const [hour, minute] = time.split(":").map(Number);
  return hour * 60 + minute;
}

// ---- The card ----

const size = (bytes) => (bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
const weights = (number) => (number < 1e6 ? `${Math.round(number / 1e3)} thousand` : `${(number / 1e6).toFixed(1)} million`);

export function showCard() {
  const { card } = state;
  page.card.replaceChildren();
  page["no-card"].hidden = card !== null;
  if (card === null) return;
  const facts = [
    ["Name", card.name],
    ["Model", `${weights(card.parameters)} weights, ${card.layers} layers of ${card.dim}, ${card.vocabulary} tokens`],
    ["Remembers", `${card.context} tokens of the conversation`],
    ["File", `${size(card.bytes)}, ${card.weights}, format ${card.format_version}`],
    ["SHA-256", card.digest],
    ["Made from", card.source],
    ["Licences", card.licences],
    ["All of it", card.is_shortened ? "is in the persona's file: wisp-model inspect FILE.wisp" : ""],
  ];
  for (const [name, value] of facts) {
    if (value === "") continue;
    make("dt", "", page.card).textContent = name;
    make("dd", name === "SHA-256" ? "digest" : "", page.card).textContent = value;
  }
  showChoices();
}

// ---- The choices ----

function nearest(milli) {
  const distance = (index) => Math.abs(TALKATIVENESS[index] - milli);
  return [...TALKATIVENESS.keys()].reduce((best, index) => (distance(index) < distance(best) ? index : best));
}

export function showChoices() {
  const { choices, card } = state;
  const talkative = choices.talkativeness_milli;
  page.talkativeness.value = talkative === null ? AS_LEARNED : nearest(talkative ?? 1000);
  showTalkativeness();
  const own = card === null ? "" : ` (${card.most_unanswered})`;
  page["row-own"].textContent = `As it has learned${own}`;
  page.row.value = choices.most_unanswered ?? "";
  const ownTemperature = card?.settings.temperature_milli ?? 1000;
  const temperature = (choices.temperature_milli ?? ownTemperature) / 1000;
  page.temperature.value = temperature;
  showTemperature(temperature, choices.temperature_milli == null);
  page["temperature-own"].disabled = choices.temperature_milli == null;
  page["is-quiet"].checked = choices.quiet != null;
  page["quiet-hours"].hidden = choices.quiet == null;
  if (choices.quiet != null) {
    page["quiet-from"].value = clock(choices.quiet.from);
    page["quiet-to"].value = clock(choices.quiet.to);
  }
}

function describe(slider, output, words) {
  output.textContent = words;
  slider.setAttribute("aria-valuetext", words);
}

function showTalkativeness() {
  const milli = TALKATIVENESS[page.talkativeness.value];
  const words = milli === 0 ? "never says a word" : milli === 1000 ? "as it has learned"
    : `${times(milli)} its odds of speaking`;
  describe(page.talkativeness, page["talkativeness-words"], words);
}

function showTemperature(value, isOwn) {
  const words = isOwn ? `${value}, its own` : value === 0 ? "0, always the likeliest" : `${value}`;
  describe(page.temperature, page["temperature-words"], words);
}

// A board that is not there, or has not said who it is, cannot be told anything.
function showWishes() {
  page.wishes.disabled = state.lost || state.card === null;
}

function choose(change) {
  state.choices = { ...state.choices, ...change };
  tell({ type: "choose", choices: state.choices });
  showChoices();
}

page.talkativeness.oninput = showTalkativeness;
page.talkativeness.onchange = () => {
  const milli = TALKATIVENESS[page.talkativeness.value];
  choose({ talkativeness_milli: milli === 1000 ? null : milli });
};
page.row.onchange = () => {
  choose({ most_unanswered: page.row.value === "" ? null : Number(page.row.value) });
};
page.temperature.oninput = () => showTemperature(Number(page.temperature.value), false);
page.temperature.onchange = () => {
  choose({ temperature_milli: Math.round(page.temperature.value * 1000) });
};
page["temperature-own"].onclick = () => choose({ temperature_milli: null });
page["is-quiet"].onchange = () => {
  choose({ quiet: page["is-quiet"].checked ? { from: 22 * 60, to: 7 * 60 } : null });
};
for (const input of [page["quiet-from"], page["quiet-to"]]) {
  input.onchange = () => {
    // Half a time is none yet.
    if (page["quiet-from"].value === "" || page["quiet-to"].value === "") return;
    const [from, to] = [page["quiet-from"], page["quiet-to"]].map(({ value }) => minuteOf(value));
    page["quiet-to"].setCustomValidity(from === to ? "These are no hours." : "");
    if (page["quiet-to"].reportValidity()) choose({ quiet: { from, to } });
  };
}

page.notify.onchange = async () => {
  page.notify.checked = await wantNotice(page.notify.checked);
  page["notify-denied"].hidden = Notification.permission !== "denied";
};

// ---- The window ----

// A board may remember more than this page shows: whoever is online can be told to forget.
export function showForget() {
  showWishes();
  page.forget.disabled = state.lost || (count() === 0 && !isOnline());
}

page.open.onclick = () => {
  page.notify.checked = wantsNotice();
  page.notify.disabled = !("Notification" in window);
  showForget();
  page.settings.showModal();
};
page.done.onclick = () => page.settings.close();
// A click beside it closes it.
page.settings.onclick = (event) => {
  if (event.target === page.settings) page.settings.close();
};
page.forget.onclick = () => page.ask.showModal();
page.ask.onclose = () => {
  // What cannot be told to the program now is not done, and the settings stay to say so.
  if (page.ask.returnValue === "yes" && tell({ type: "forget" })) page.settings.close();
  page.ask.returnValue = "";
};
