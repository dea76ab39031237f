// What came while nobody looked: a count in the title, and a notification for who wants one.

import { page } from "./page.js";

const WANTED = "wisp-notify";
let unread = 0;

export const wantsNotice = () =>
  "Notification" in window && localStorage.getItem(WANTED) === "yes" && Notification.permission === "granted";

// Asks the browser's user for it; tells whether notifications are on now.
export async function wantNotice(wanted) {
  localStorage.setItem(WANTED, wanted ? "yes" : "no");
  if (wanted && Notification.permission === "default") await Notification.requestPermission();
  return wantsNotice();
}

export function showUnread() {
  const name = page.name.textContent;
  document.title = unread === 0 ? name : `(${unread}) ${name}`;
}

// A message has come.
export function note(text) {
  if (document.hidden) {
    unread += 1;
    showUnread();
  }
  if (document.hasFocus() || !wantsNotice()) return;
  try {
    // One at a time: the newest replaces the one before.
    const about = { body: text, icon: "/icon.svg", tag: "wisp", renotify: true };
    const notice = new Notification(page.name.textContent, about);
    notice.onclick = () => window.focus();
  } catch {
    // Some browsers have them, but not for pages.
  }
}

export function see() {
  unread = 0;
  showUnread();
}
