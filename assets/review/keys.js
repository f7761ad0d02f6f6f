// Which key does what. The order of labels is fixed: a label's key never moves. A reviewer may give any action another
// key; that is kept in this browser, for this workspace.

const PLAIN = /^[^\s]$/u;

class Keys {
  constructor({ workspace, labels, verdicts, steps }) {
    this.place = `wordtrace.keys.${workspace}`;
    this.actions = [
      ...labels.map(({ name, key }) => ({ id: `label:${name}`, name, key, does: "label", label: name })),
      ...verdicts.map((one) => ({ id: `does:${one.does}`, ...one })),
      ...steps.map((one) => ({ id: `does:${one.does}`, ...one })),
    ];
    this.own = this.load();
  }

  load() {
    try {
      return JSON.parse(localStorage.getItem(this.place)) ?? {};
    } catch {
      return {}; // no storage here, or not ours: the usual keys
    }
  }

  save() {
    try {
      localStorage.setItem(this.place, JSON.stringify(this.own));
    } catch {
      // the keys hold until the page is left
    }
  }

  of(id) {
    const action = this.actions.find((one) => one.id === id);
    return this.own[id] ?? action?.key ?? "";
  }

  // The actions whose key begins with what was typed, each with the rest of its key.
  after(typed) {
    const text = typed.toLowerCase();
    return this.actions
      .map((action) => ({ action, key: this.of(action.id).toLowerCase() }))
      .filter(({ key }) => key && key.startsWith(text))
      .map(({ action, key }) => ({ action, rest: key.slice(text.length) }));
  }

  // Give an action a key; "" where that went well, else why not. Who had it before has none.
  give(id, key) {
    if (!PLAIN.test(key)) return "Take a key that types one character.";
    const longer = this.actions.find((one) => one.id !== id && this.of(one.id).length > 1 && this.of(one.id).startsWith(key));
    if (longer) return `${key} begins the numbers of labels, such as ${this.of(longer.id)} for ${longer.name}. Take a letter.`;
    for (const one of this.actions) {
      if (one.id !== id && this.of(one.id).toLowerCase() === key.toLowerCase()) this.own[one.id] = "";
    }
    this.own[id] = key.toLowerCase();
    this.save();
    return "";
  }

  reset() {
    this.own = {};
    this.save();
  }
}
