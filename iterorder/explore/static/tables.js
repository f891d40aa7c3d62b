// CSV files that were dropped: this page keeps them, as the server does while it runs, so that a new server gets them again.

const MISSING = "This view is of a CSV file that is not on this server any more: choose the same file again under “CSV”, or drop it here.";

export class Tables {
  constructor(page) {
    this.page = page;
    this.kept = new Map();
    this.wanted = null;
  }

  // The server has no table of the view: whether one that this page keeps was sent again.
  async sendAgain(system) {
    const file = this.kept.get(system);
    if (file) {
      const answer = await this.send(file);
      return Boolean(answer) && answer.system === system;
    }
    this.wanted = system;
    this.page.say(MISSING);
    return false;
  }

  async take(file) {
    const answer = await this.send(file);
    if (!answer) return;
    this.page.know(answer);
    const wanted = this.wanted;
    if (wanted && answer.system !== wanted) {
      this.page.say(`${answer.title} has other numbers than the table of this view. Choose the file of the view, or choose ${answer.title} under “System”.`);
      return;
    }
    this.wanted = null;
    await this.page.change({ system: answer.system });
  }

  async send(file) {
    const text = await file.text().catch(() => null);  // it may have been changed or removed since
    if (text === null) { this.page.say(`${file.name} cannot be read any more: choose it again.`); return null; }
    const answer = await this.page.ask({ do: "table", name: file.name, text }).catch(() => null);
    if (answer && answer.kind === "table") {
      this.kept.set(answer.system, file);
      return answer;
    }
    this.page.say(answer ? answer.text : "The connection is lost.");
    return null;
  }
}
