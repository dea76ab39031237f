// Status, progress, trouble: what the way to the persona is like, in words.

import { duration, isOnline, page, state } from "./page.js";

export function showStatus() {
  const { link, lost, shutOut, activity, notice } = state;
  page.avatar.dataset.phase = shutOut !== null ? "failed" : lost ? "searching" : link.phase;
  let words = link.words;
  if (shutOut !== null) words = shutOut.words;
  else if (lost) words = "The program is not answering. Trying again; start it if it has ended…";
  else if (isOnline() && activity === "thinking") words = "thinking…";
  else if (isOnline() && activity === "writing") words = "writing…";
  if (page.status.textContent !== words) page.status.textContent = words;
  const failed = !lost && link.phase === "failed";
  let trouble = failed ? { message: link.words, help: link.help } : notice;
  if (lost) trouble = shutOut === null ? null : { message: shutOut.words, help: shutOut.help };
  const help = !lost && !failed && !isOnline() && link.help ? link.help : "";
  page.trouble.hidden = trouble === null && help === "";
  page["trouble-words"].textContent = trouble === null ? link.words : trouble.message;
  page["trouble-help"].textContent = trouble === null ? help : trouble.help;
  const isBusy = activity === "thinking" || activity === "writing";
  page.hello.disabled = !isOnline() || state.card === null || isBusy;
  showTransfer();
}

export function showTransfer() {
  const { transfer, lost } = state;
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
