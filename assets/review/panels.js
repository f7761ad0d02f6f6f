// What takes the keys for a while: words to mask, a note, a label to find, the keys themselves.

function drawMask(item, picked, { pick, done, close }) {
  const panel = make("section", "panel");
  panel.setAttribute("aria-label", "Mask words");
  const words = make("div", "bar-of");
  for (const [number, word] of (item?.words ?? []).slice(0, 9).entries()) {
    const chosen = picked.some((one) => same(one, word));
    const button = keyButton(word, String(number + 1), () => pick(word), { kind: chosen ? "primary" : "" });
    button.setAttribute("aria-pressed", String(chosen));
    words.append(button);
  }
  if (!item?.words) words.append(make("span", "quiet", "Reading the words…"));
  const foot = make("div", "bar-of");
  const count = `${picked.length} word${picked.length === 1 ? "" : "s"}`;
  const ready = keyButton(picked.length ? `Mask ${count}` : "Pick words here, or click any in the text", "Enter", done, { kind: "primary" });
  ready.disabled = !picked.length;
  foot.append(ready, keyButton("Cancel", "Escape", close));
  panel.append(words, foot, make("p", "quiet", item?.masking ?? ""));
  return panel;
}

function drawNote(save, close) {
  const panel = make("section", "panel");
  panel.setAttribute("aria-label", "Note");
  const box = make("label", "", "What should others know about this example?");
  const text = make("textarea");
  text.maxLength = 2000;
  text.rows = 3;
  box.append(text);
  const foot = make("div", "bar-of");
  foot.append(keyButton("Save note", "Ctrl+Enter", save, { kind: "primary" }), keyButton("Cancel", "Escape", close));
  panel.append(box, foot);
  return panel;
}

function drawFind(labels, keys, choose, close) {
  const panel = make("section", "panel");
  panel.setAttribute("aria-label", "Another label");
  const box = make("label", "", "Which label? Type a part of its name; Enter takes the first.");
  const text = make("input");
  const found = make("div", "bar-of");
  const list = () => {
    const part = text.value.trim().toLowerCase();
    const fit = labels.filter(({ name }) => name.toLowerCase().includes(part)).slice(0, 12);
    found.replaceChildren(...fit.map(({ name }) => keyButton(name, keys.of(`label:${name}`), (at) => choose(name, at), { kind: "match" })));
  };
  text.oninput = list;
  list();
  box.append(text);
  const foot = make("div", "bar-of");
  foot.append(keyButton("Cancel", "Escape", close));
  panel.append(box, found, foot);
  return panel;
}

// The list of all keys, where each can be changed: a click on a key waits for another.
function drawKeys(keys, { waiting, message, wait, reset, close }) {
  const panel = make("section", "panel keys");
  panel.setAttribute("aria-label", "Keys");
  panel.append(make("p", "", "Click a key, then press the one you would rather have. Kept in this browser for this workspace."));
  if (message) panel.append(make("p", "told failed", message));
  const list = make("dl");
  for (const action of keys.actions) {
    const key = keys.of(action.id);
    const button = make("button", "act", waiting === action.id ? "press a key…" : key ? shownKey(key) : "none");
    button.type = "button";
    button.setAttribute("aria-label", `Key of ${action.name}: ${key ? shownKey(key) : "none"}`);
    button.onclick = () => (button.blur(), wait(action.id));
    const value = make("dd");
    value.append(button);
    list.append(make("dt", "", action.name), value);
  }
  const foot = make("p", "foot");
  foot.append(keyButton("Done", "Escape", close, { kind: "primary" }), keyButton("The usual keys", "", reset));
  panel.append(list, foot);
  return panel;
}
