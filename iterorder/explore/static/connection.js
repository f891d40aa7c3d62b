// Questions to Python and their answers, in order, over what carries them: a WebSocket, or the comm of a notebook.
// A carrier has start({ opened, answered, closed, waits }), send(text) and stop().

export class Connection {
  constructor(carrier, { opened, lost, waits }) {
    this.waiting = [];
    this.isOpen = false;
    this.carrier = carrier;
    carrier.start({
      opened: () => { this.isOpen = true; opened(); },
      answered: (reply) => {
        const next = this.waiting.shift();
        if (next) next.resolve(typeof reply === "string" ? JSON.parse(reply) : reply);
      },
      closed: (words) => {
        this.isOpen = false;
        for (const { reject } of this.waiting.splice(0)) reject(new Error("the connection is lost"));
        lost(words);
      },
      waits,
    });
  }

  ask(message) {
    if (!this.isOpen) return Promise.reject(new Error("the connection is lost"));
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.carrier.send(JSON.stringify(message));
    });
  }

  stop() { this.carrier.stop(); }
}
