// What is on the page, and what the program told about it.

// Every element with a name, by that name.
export const page = Object.fromEntries(
  [...document.querySelectorAll("[id]")].map((element) => [element.id, element]));

export const state = {
  link: { phase: "searching", words: "Connecting…", help: "" },
  // The program does not answer.
  lost: false,
  // How to get in again, if it answers and does not let this tab in.
  shutOut: null,
  activity: "idle",
  transfer: null,
  notice: null,
  card: null,
  choices: {},
};

export const isOnline = () => !state.lost && state.link.phase === "online";

export function make(tag, className, parent) {
  const element = document.createElement(tag);
  element.className = className;
  parent.append(element);
  return element;
}

export function duration(seconds) {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
