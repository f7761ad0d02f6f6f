// The example on screen: its labels, its text, what was said about it. Every text of a data file goes through textContent.
// The payload's shape: ItemPayload in pages/ui/review/review_item.py.

function drawCase(item, { picking, pick }) {
  const head = make("header", "facts");
  head.append(make("span", "label given", item.given), make("span", "quiet", "given"));
  if (item.suggested !== null) {
    head.append(make("span", "arrow", "→"), make("span", "label suggested", item.suggested), make("span", "quiet", "suggested"));
  }
  if (item.model) head.append(make("span", "quiet apart", `the model says ${item.model.label}, ${item.model.percent}`));
  if (item.hidden) head.append(make("span", "quiet apart", "blind: what others and the model say is shown once you have decided"));
  head.append(make("span", "id", item.id));
  const marks = new Map();
  const box = texts(item.sides, marks);
  box.className = picking ? "texts whole picking" : "texts whole";
  shade(marks, scores(item.sums));
  if (picking) letPick(marks, picking, pick);
  const parts = [head, reachable(box)];
  if (item.cut) parts.push(make("p", "quiet", "Struck out: cut off, the model never read it."));
  return [...parts, ...said(item)];
}

function letPick(marks, picked, pick) {
  for (const elements of marks.values()) {
    for (const element of elements) {
      const word = element.textContent;
      if (!/[\p{L}\p{N}]/u.test(word)) continue;
      element.classList.add("pickable");
      element.classList.toggle("picked", picked.some((one) => same(one, word)));
      element.onclick = () => pick(word);
    }
  }
}

function same(one, other) {
  return one.toLowerCase() === other.toLowerCase();
}

function said(item) {
  const lines = make("ul", "said");
  if (item.mine) lines.append(line("You", item.mine));
  for (const { who, what, settles } of item.others) lines.append(line(settles ? `${who}, settling it` : who, what));
  for (const { who, text } of item.notes) lines.append(line(who, text, "note"));
  return lines.children.length ? [lines] : [];
}

function line(who, what, name = "") {
  const element = make("li", name);
  element.append(make("b", "", who), document.createTextNode(` ${what}`));
  return element;
}

// A button with its key on it. A click takes the focus away again, or the page's keys would go to the button; the second
// click of a double click is none.
function keyButton(name, key, act, { about = "", kind = "" } = {}) {
  const button = make("button", `act ${kind}`.trim());
  button.type = "button";
  button.append(make("span", "", name));
  if (key) {
    button.append(make("kbd", "", shownKey(key)));
    button.setAttribute("aria-keyshortcuts", shownKey(key));
  }
  if (about) button.title = about;
  button.onclick = (event) => {
    if (event.detail) button.blur();
    if (event.detail < 2) act(event.timeStamp);
  };
  return button;
}

function shownKey(key) {
  return key.length === 1 ? key.toUpperCase() : key;
}

// The last decisions: first those that are not on disk yet.
function drawStrip(pending, items, reopen) {
  if (!pending.length && !items.length) return [];
  const list = make("div", "strip");
  list.append(make("span", "quiet", "Your last decisions"));
  for (const { what, where } of pending) {
    const chip = make("span", "chip pending");
    chip.append(make("b", "", what), make("span", "quiet", `${where} · saving…`));
    list.append(chip);
  }
  for (const item of items) {
    const chip = make(item.id ? "button" : "span", "chip");
    chip.append(make("b", "", item.what), make("span", "quiet", item.where));
    chip.title = item.id ? `${item.when} · open it again` : item.when;
    if (item.id) chip.onclick = () => (chip.blur(), reopen(item));
    list.append(chip);
  }
  return [list];
}
