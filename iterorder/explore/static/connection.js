// Questions to Python and their answers, in order, over what carries them: a WebSocket, or the comm of a notebook.
// A carrier has start({ opened, answered, closed, waits }), send(text) and stop().

// What is quicker needs no word.
const UNNOTICED = 300;
const COMPUTING = "Computing …", COMPILING = "Compiling kernels for this processor, once (up to a minute) …";

export class Connection {
  // busy: words about what is waited for, or none.
  constructor(carrier, { opened, lost, waits, busy }) {
    this.waiting = [];
    this.isOpen = false;
    this.carrier = carrier;
    this.busy = busy;
    carrier.start({
      opened: () => { this.isOpen = true; opened(); },
      answered: (reply) => this.take(typeof reply === "string" ? JSON.parse(reply) : reply),
      closed: (words) => {
        this.isOpen = false;
        this.rest();
        for (const { reject } of this.waiting.splice(0)) reject(new Error("the connection is lost"));
        lost(words);
      },
      waits,
    });
  }

  take(reply) {
    if (reply.kind === "compiling") {  // a notice; the answer comes later
      this.rest();
      this.busy(COMPILING);
      return;
    }
    this.rest();
    const next = this.waiting.shift();
    if (this.waiting.length) this.expect();
    if (next) next.resolve(reply);
  }

  ask(message) {
    if (!this.isOpen) return Promise.reject(new Error("the connection is lost"));
    return new Promise((resolve, reject) => {
      if (!this.waiting.length) this.expect();
      this.waiting.push({ resolve, reject });
      this.carrier.send(JSON.stringify(message));
    });
  }

  expect() { this.timer = setTimeout(() => this.busy(COMPUTING), UNNOTICED); }

  rest() {
    clearTimeout(this.timer);
    this.busy("");
  }

  stop() {
    this.rest();
    this.carrier.stop();
  }
}
