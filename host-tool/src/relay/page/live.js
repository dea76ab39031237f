// The connection to the program on this computer.

const LONGEST_RETRY_MS = 5000;

let socket = null;
let retryMs = 250;

const SHUT_OUT = {
  words: "Wisp was started anew.",
  help: "Open the link that it printed in the terminal.",
};

// Calls `take` with everything that the program tells, and `lose` when it is gone: with null, or with
// how to get in again.
export function connect(take, lose) {
  socket = new WebSocket(`ws://${location.host}/live`);
  socket.onopen = () => {
    retryMs = 250;
  };
  socket.onmessage = (event) => take(JSON.parse(event.data));
  socket.onclose = async () => {
    socket = null;
    // Said once, or the two would alternate with every try.
    lose((await isShutOut()) ? SHUT_OUT : null);
    setTimeout(() => connect(take, lose), retryMs);
    retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
  };
}

// A refused WebSocket does not say why; an ordinary request does.
async function isShutOut() {
  try {
    const answer = await fetch("/icon.svg", { cache: "no-store", signal: AbortSignal.timeout(2000) });
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
