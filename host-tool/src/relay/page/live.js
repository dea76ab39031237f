// The connection to the program on this computer.

const LONGEST_RETRY_MS = 5000;

let socket = null;
let retryMs = 250;

// Calls `take` with everything that the program tells, and `lose` with why when it is gone: null, or
// how to get in again.
export function connect(take, lose) {
  socket = new WebSocket(`ws://${location.host}/live`);
  socket.onopen = () => {
    retryMs = 250;
  };
  socket.onmessage = (event) => take(JSON.parse(event.data));
  socket.onclose = async () => {
    socket = null;
    lose(null);
    setTimeout(() => connect(take, lose), retryMs);
    retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
    if (await isShutOut()) {
      lose({
        phase: "failed",
        words: "Wisp was started anew.",
        help: "Open the link that it printed in the terminal.",
      });
    }
  };
}

// A refused WebSocket does not say why; an ordinary request does.
async function isShutOut() {
  try {
    const answer = await fetch("/icon.svg", { cache: "no-store" });
    return answer.status === 401;
  } catch {
    return false; // Nobody listens; the status says so already.
  }
}

export function tell(request) {
  if (socket === null || socket.readyState !== WebSocket.OPEN) return false;
  socket.send(JSON.stringify(request));
  return true;
}
