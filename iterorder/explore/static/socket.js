// The WebSocket of a tab; it comes back by itself when it is lost.

const LONGEST_WAIT = 5000;
const GONE = "The server does not answer. It may have been stopped: start iterorder explore again. Trying to reconnect …";
const CROWDED = "The server does not take this tab: it has too many. Close another, and this page goes on by itself.";
const ANOTHER = "A new server runs at this address. Open the address that it printed: this page then goes on by itself.";

export class Socket {
  start(handlers) {
    this.handlers = handlers;
    this.wait = 250;
    this.connect();
  }

  connect() {
    const socket = new WebSocket(`ws://${location.host}/ws`);
    socket.binaryType = "arraybuffer";
    let wasOpen = false;
    socket.onopen = () => {
      wasOpen = true;
      this.socket = socket;
      this.wait = 250;
      this.handlers.opened();
    };
    socket.onmessage = (event) => this.handlers.answered(event.data);
    socket.onclose = async () => {
      this.handlers.closed(await reason(wasOpen));
      setTimeout(() => this.connect(), this.wait);
      this.wait = Math.min(2 * this.wait, LONGEST_WAIT);
    };
  }

  send(text) { this.socket.send(text); }

  stop() {
    this.socket.onclose = null;
    this.socket.close();
  }
}

async function reason(wasOpen) {
  try {
    if (!(await fetch("/alive")).ok) return ANOTHER;
    return wasOpen ? GONE : CROWDED;
  } catch {
    return GONE;
  }
}
