// Days between messages: a row says which day it is when the row before it is of another.

// `timeOf` tells when the message of a row was written, in seconds since 1970; undefined for none.
export function markDay(row, timeOf) {
  const time = timeOf(row);
  if (time === undefined) return;
  const before = timeOf(row.previousElementSibling);
  const isNew = before === undefined || dayOf(before) !== dayOf(time);
  if (isNew) row.dataset.day = dayInWords(dayOf(time));
  else delete row.dataset.day;
}

function dayOf(seconds) {
  return new Date(seconds * 1000).setHours(0, 0, 0, 0);
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
