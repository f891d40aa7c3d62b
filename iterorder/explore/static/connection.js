// The WebSocket of this tab: one question at a time, answered in order; it comes back by itself when it is lost.

const LONGEST_WAIT = 5000;

export class Connection {
  constructor({ opened, lost }) {
    this.waiting = [];
    this.opened = opened;
    this.lost = lost;
    this.wait = 250;
    this.connect();
  }

  connect() {
    const socket = new WebSocket(`ws://${location.host}/ws`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.socket = socket;
      this.wait = 250;
      this.opened();
    };
    socket.onmessage = (event) => {
      const next = this.waiting.shift();
      if (next) next.resolve(typeof event.data === "string" ? JSON.parse(event.data) : event.data);
    };
    socket.onclose = async () => {
      this.socket = null;
      for (const { reject } of this.waiting.splice(0)) reject(new Error("the connection is lost"));
      this.lost(await whatIsThere());
      setTimeout(() => this.connect(), this.wait);
      this.wait = Math.min(2 * this.wait, LONGEST_WAIT);
    };
  }

  ask(message) {
    if (!this.socket) return Promise.reject(new Error("the connection is lost"));
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.socket.send(JSON.stringify(message));
    });
  }
}

async function whatIsThere() {
  try {
    return (await fetch("/alive")).ok ? "busy" : "another";
  } catch {
    return "nothing";
  }
}
