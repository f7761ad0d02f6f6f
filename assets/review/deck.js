// The example on screen and those that come next, fetched ahead: a decision puts the next one there at once and is saved
// behind it. A press counts for the example that was on screen when it was made, in the order of the presses; the server is
// told all that it has not answered, again until it has, and answers each press once. DeckPayload: pages/ui/review/deck.py.

const AGAIN = 3000; // ms without an answer after which presses are sent again
const TOGETHER = 400; // ms that presses wait for the answer to those before, so that they go together
const decks = new WeakMap();

export default function (component) {
  const deck = decks.get(component.parentElement) ?? new Deck(component.parentElement.querySelector(".wordtrace"));
  decks.set(component.parentElement, deck);
  deck.post = (value) => component.setTriggerValue("pressed", value);
  deck.receive(component.data);
  deck.enter();
  return () => deck.leave();
}

class Deck {
  constructor(root) {
    this.root = root;
    this.token = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
    this.seq = 0;
    this.pending = []; // presses that the server has not answered
    this.done = []; // decisions of this deck that stand, for undo
    this.failed = new Map(); // by press: why it was not saved
    this.cases = new Map();
    this.shown = null;
    this.since = Infinity; // when what is shown had been painted
    this.waits = 0; // the press whose answer says what is shown next
    this.proven = null; // the example whose evidence is on screen
    this.answered = 0;
    this.sent = 0; // the last press that was sent, and when
    this.sentAt = -Infinity;
    this.rest("");
    this.told = "";
    this.parts = Object.fromEntries(["case", "over", "labels", "verdicts", "steps", "status", "last"].map((n) => [n, make("div", n)]));
    this.parts.status.setAttribute("role", "status");
    root.replaceChildren(...Object.values(this.parts));
  }

  rest(mode) {
    this.mode = mode; // "", or what takes the keys: mask, note, find, keys
    this.picked = [];
    this.typed = "";
    this.waiting = "";
  }

  enter() {
    window.addEventListener("keydown", this.onKey, true);
    window.addEventListener("beforeunload", this.onLeaving);
    document.addEventListener("wt-proven", this.onProven);
    document.addEventListener("wt-evidence", this.onEvidence);
    this.timer ??= setInterval(() => this.tick(), 250);
  }

  leave() {
    window.removeEventListener("keydown", this.onKey, true);
    window.removeEventListener("beforeunload", this.onLeaving);
    document.removeEventListener("wt-proven", this.onProven);
    document.removeEventListener("wt-evidence", this.onEvidence);
    clearInterval(this.timer);
    this.timer = undefined;
  }

  // What the server says

  receive(data) {
    if (data.stamp === this.stamp) return;
    if (!this.keys || data.workspace !== this.data.workspace) this.keys = new Keys(data);
    this.stamp = data.stamp;
    this.data = data;
    const answered = data.answered.token === this.token ? data.answered.seq : 0;
    this.pending = this.pending.filter((press) => press.seq > answered);
    for (const { seq, why } of data.answered.token === this.token ? data.failures : []) {
      if (this.done.some((press) => press.seq === seq) || !this.failed.has(seq)) this.failed.set(seq, why);
      this.done = this.done.filter((press) => press.seq !== seq);
    }
    this.answered = answered;
    if (answered >= this.waits) this.waits = 0;
    for (const item of data.cases) this.cases.set(item.id, item);
    this.order = data.cases.map((item) => item.id);
    if (!this.pending.length) this.show(data.at);
    else if (this.shown === null && !this.waits) this.show(this.next(null));
    this.draw();
    this.flush();
  }

  show(id) {
    if (id === this.shown) return;
    this.shown = id;
    this.since = Infinity;
    this.rest("");
    this.announce();
    requestAnimationFrame((now) => this.shown === id && (this.since = now)); // the frame that paints it
  }

  next(after) {
    const gone = new Set();
    for (const press of this.pending) {
      if (press.decides) gone.add(press.id);
      if (press.kind === "undo") gone.delete(press.id);
    }
    if (this.data.alone) return after;
    const at = this.order.indexOf(after);
    return [...this.order.slice(at + 1), ...this.order.slice(0, Math.max(at, 0))].find((id) => id !== after && !gone.has(id)) ?? null;
  }

  // What the reviewer does

  press(kind, more = {}) {
    const ms = Math.max(0, Math.round(performance.now() - this.since)) || 0;
    const press = { seq: ++this.seq, kind, id: this.shown ?? "", ms, proven: this.proven === this.shown, ...more };
    press.at = performance.now();
    this.pending.push(press);
    this.told = "";
    return press;
  }

  decide(kind, more = {}) {
    const press = this.press(kind, { ...more, decides: true });
    this.done.push(press);
    this.show(this.next(press.id));
    this.after();
  }

  label(name) {
    const keeps = name === this.cases.get(this.shown).given;
    this.decide(keeps ? "keep" : "relabel", keeps ? {} : { label: name });
  }

  undo() {
    const last = this.done.pop();
    if (last) {
      this.press("undo", { id: last.id, of: last.seq });
      this.show(last.id);
    } else if (this.data.undo) {
      this.waits = this.press("undo", { action: this.data.undo }).seq;
    } else {
      this.told = "Nothing of yours is left to take back.";
    }
    this.after();
  }

  // The server says what is shown next.
  move(kind, more = {}) {
    this.waits = this.press(kind, more).seq;
    this.after();
  }

  pick(word) {
    const left = this.picked.filter((one) => !same(one, word));
    this.picked = left.length < this.picked.length ? left : [...this.picked, word];
    this.draw();
  }

  turn(mode) {
    this.rest(mode);
    this.draw();
    this.parts.over.querySelector("textarea, input")?.focus();
  }

  saveNote() {
    const text = this.parts.over.querySelector("textarea").value.trim();
    if (text) this.press("note", { text });
    this.rest("");
    this.after();
  }

  after() {
    this.draw();
    this.flush();
  }

  // Presses go together while those before them wait for an answer, and again where none comes.
  flush() {
    const unsent = this.pending.some((press) => press.seq > this.sent);
    const waited = performance.now() - this.sentAt;
    if (!this.pending.length || waited < (!unsent ? AGAIN : this.sent > this.answered ? TOGETHER : 0)) return;
    this.sent = this.seq;
    this.sentAt = performance.now();
    this.post({ token: this.token, presses: this.pending, showing: this.shown ?? "" });
  }

  tick() {
    this.flush();
    this.drawStatus();
  }

  onLeaving = (event) => this.pending.length && event.preventDefault(); // the browser asks whether to leave

  onProven = (event) => (this.proven = event.detail);

  // The evidence has come: the example's words are lit, and what is shown is said.
  onEvidence = (event) => {
    this.cases.set(event.detail.id, event.detail);
    if (this.data) this.draw();
    this.announce();
  };

  announce() {
    document.dispatchEvent(new CustomEvent("wt-shown", { detail: this.shown }));
  }

  // Keys

  onKey = (event) => {
    const target = event.composedPath()[0];
    const typing = ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName) || target.isContentEditable;
    if (typing) return this.onTyping(event, target);
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("[role=dialog]")) return;
    if (["BUTTON", "A", "SUMMARY"].includes(target.tagName) && ["Enter", " "].includes(event.key)) return;
    const act = this.meaning(event.key);
    if (!act) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!event.repeat) act(event.timeStamp);
  };

  onTyping(event, target) {
    const ours = this.parts.over.contains(target);
    if (event.key === "Escape") {
      target.blur(); // so that the keys work again
      if (ours) this.turn("");
    } else if (ours && event.key === "Enter" && (this.mode === "find" || event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      if (this.mode === "note") this.saveNote();
      else this.parts.over.querySelector("button.match")?.click();
    }
    if (ours) event.stopImmediatePropagation();
  }

  // What a key does now: a function of when it was pressed, or nothing.
  meaning(key) {
    if (this.waiting) return () => this.rekey(key);
    if (key === "Escape") return this.mode || this.typed ? () => this.turn("") : null;
    if (this.mode === "mask") return this.maskMeaning(key);
    if (this.mode === "keys") return () => {};
    if (key === "?") return () => this.turn("keys");
    const found = this.keys.after(this.typed + key);
    if (!found.length) {
      const typed = this.typed;
      this.typed = "";
      return typed ? () => this.tell(`${typed}${key} is no label's number.`) : null;
    }
    const whole = found.find(({ rest }) => !rest);
    return whole ? (at) => this.act(whole.action, at) : () => this.type(key);
  }

  maskMeaning(key) {
    if (key === "Enter") return (at) => this.picked.length && this.readable(at) && this.decide("mask", { words: this.picked });
    const word = /^[1-9]$/.test(key) && (this.cases.get(this.shown).words ?? [])[Number(key) - 1];
    return word ? () => this.pick(word) : this.keys.after(key).length ? () => {} : null;
  }

  type(key) {
    this.typed += key;
    this.draw();
  }

  rekey(key) {
    this.told = key === "Escape" ? "" : this.keys.give(this.waiting, key);
    this.waiting = "";
    this.draw();
  }

  // Whether a press counts: there is an example on screen, and has been for long enough to be seen.
  readable(at) {
    if (this.shown === null || this.waits) this.tell("Not counted: the next example is still on its way.");
    else if (!(at - this.since >= this.data.reading)) this.tell("Not counted: that press came before this example was on screen.");
    else return true;
    return false;
  }

  act(action, at) {
    this.typed = "";
    if (action.does === "undo") return this.undo();
    if (action.does === "more") return this.press("more"), this.after();
    if (action.does === "keys") return this.turn("keys");
    if (!this.readable(at)) return;
    if (action.does === "label") this.label(action.label);
    else if (action.does === "mask") this.turn("mask");
    else if (action.does === "note") this.turn("note");
    else if (action.does === "find") this.turn("find");
    else if (["redo", "back", "forward"].includes(action.does)) this.move(action.does);
    else this.decide(action.does);
  }

  tell(message) {
    this.told = message;
    this.draw();
  }

  // On screen

  draw() {
    const item = this.cases.get(this.shown);
    const options = { picking: this.mode === "mask" ? this.picked : null, pick: (word) => this.pick(word) };
    const drawn = JSON.stringify([item?.stamp, options.picking, this.shown]);
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      this.parts.case.replaceChildren(...(item ? drawCase(item, options) : this.coming()));
    }
    this.drawPanel(item);
    this.drawButtons(item);
    this.drawStatus();
    const pending = this.pending.filter((press) => press.decides).map((press) => ({ what: saying(press), where: press.id }));
    const reopen = ({ id, queue }) => this.move("reopen", { id, queue });
    this.parts.last.replaceChildren(...drawStrip(pending.reverse(), this.data.last, reopen));
  }

  coming() {
    return this.data.at === null ? [] : [make("p", "quiet coming", "The next example is on its way…")];
  }

  drawPanel(item) {
    const panel = JSON.stringify([this.mode, this.picked, this.waiting, this.mode === "keys" && this.told, this.shown, item?.words]);
    if (panel === this.panel) return;
    this.panel = panel;
    const close = () => this.turn("");
    const made = {
      mask: () => drawMask(item, this.picked, { pick: (word) => this.pick(word), done: (at) => this.maskMeaning("Enter")(at), close }),
      note: () => drawNote(() => this.saveNote(), close),
      find: () => drawFind(this.data.labels, this.keys, (name, at) => this.readable(at) && (this.rest(""), this.label(name)), close),
      keys: () => drawKeys(this.keys, {
        waiting: this.waiting,
        message: this.told,
        wait: (id) => ((this.waiting = id), (this.told = ""), this.draw()),
        reset: () => (this.keys.reset(), (this.panel = ""), this.draw()),
        close,
      }),
    }[this.mode];
    this.parts.over.replaceChildren(...(made ? [made()] : []));
  }

  drawButtons(item) {
    const hidden = this.mode !== "";
    const bars = { labels: [], verdicts: [], steps: [] };
    const left = this.data.at !== null || item;
    if (!hidden) {
      for (const { id, name, does, label, about } of this.shownActions(item)) {
        if (!left && !["undo", "redo"].includes(does)) continue;
        const bar = does === "label" || does === "find" ? "labels" : this.data.steps.some((one) => one.does === does) ? "steps" : "verdicts";
        const kind = does === "label" && label === item?.suggested ? "primary" : "";
        const why = does === "label" && label === item?.given ? "The given label: keeps it" : about;
        const action = this.keys.actions.find((one) => one.id === id);
        bars[bar].push([name, this.keys.of(id), why, kind, this.typed, action]);
      }
    }
    for (const [bar, buttons] of Object.entries(bars)) {
      const drawn = JSON.stringify(buttons);
      if (this.parts[bar].drawn === drawn) continue; // what has the focus keeps it
      this.parts[bar].drawn = drawn;
      this.parts[bar].replaceChildren(
        ...buttons.map(([name, key, about, kind, typed, action]) => {
          const begun = typed && key.startsWith(typed) ? "begun" : "";
          return keyButton(name, key, (at) => this.act(action, at), { about, kind: `${kind} ${begun}`.trim() });
        }),
      );
    }
  }

  // All actions; of many labels the few that are likely here, whose keys are where they always are.
  shownActions(item) {
    const labels = this.data.labels.map(({ name }) => name);
    if (labels.length <= this.data.most) return this.keys.actions.filter(({ does }) => does !== "find");
    const used = this.done.map(({ label }) => label).reverse();
    const likely = [item?.given, item?.suggested, item?.model?.label, ...used, ...labels].filter((name) => labels.includes(name));
    const few = new Set([...new Set(likely)].slice(0, this.data.few));
    return this.keys.actions.filter(({ does, label }) => does !== "label" || few.has(label));
  }

  drawStatus() {
    const late = this.pending.length && performance.now() - this.pending[0].at > 2 * AGAIN;
    const lines = [...this.failed].map(([seq, why]) => [why, "failed", seq]);
    const count = this.pending.filter((press) => press.decides || ["undo", "note"].includes(press.kind)).length;
    if (late) lines.push([`${count || 1} not saved yet: the server does not answer. Keep this page open; it goes on trying.`, "failed"]);
    else if (this.told && this.mode !== "keys") lines.push([this.told, "failed"]);
    else if (this.typed) lines.push([`${this.typed}…`, ""]);
    else lines.push([count ? `Saving ${count}…` : this.data.said, ""]);
    const drawn = JSON.stringify(lines);
    if (this.status === drawn) return;
    this.status = drawn;
    this.parts.status.replaceChildren(
      ...lines.map(([text, kind, seq]) => {
        const element = make("p", `told ${kind}`.trim(), text || "\u00a0");
        if (seq !== undefined) element.append(keyButton("Dismiss", "", () => (this.failed.delete(seq), this.drawStatus())));
        return element;
      }),
    );
  }
}

function saying({ kind, label, words }) {
  return label ? `→ ${label}` : words ? `${kind} ${words.map((word) => `“${word}”`).join(", ")}` : kind;
}
