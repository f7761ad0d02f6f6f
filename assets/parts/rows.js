// A list of training examples: suspects, members of a cluster, rows of a fix list; or of causes and words. Texts of a data
// file go through textContent, never through HTML.
//
// data: stamp, query (the searched text), choosable, chosen (ids; of this and other pages), heads (over the lines, over their
// signals; or none), rows
// openable: a click on a row's name, or on an action without an address, opens it
// row: Row in pages/ui/parts/payloads.py

export default function (component) {
  const state = redraw(component, draw);
  const chosen = new Set(component.data.chosen);
  for (const [id, box] of state.boxes) {
    box.checked = chosen.has(id);
    box.closest(".row").classList.toggle("chosen", box.checked);
  }
}

function draw(data, state) {
  state.boxes = new Map();
  const lit = data.rows.some((row) => Object.values(row.sums).some(([score]) => score !== 0));
  return [
    ...(lit ? [legend()] : []),
    ...(data.heads ? [makeHeads(data)] : []),
    ...data.rows.map((row) => makeRow(state, row, data)),
  ];
}

function makeHeads({ heads, choosable, rows }) {
  const line = make("div", choosable ? "row heads choosable" : "row heads");
  if (choosable) line.append(make("span"));
  line.append(make("span", "", heads[0]));
  if (rows.some((row) => row.signals.length)) line.append(make("span", "signals", heads[1]));
  return line;
}

function makeRow(state, row, data) {
  const element = make("article", data.choosable ? "row choosable" : "row");
  if (data.choosable) element.append(makeBox(state, row));
  const body = make("div", "body");
  const head = make("header", "head");
  if (row.name) head.append(makeName(state, row));
  for (const [text, kind] of row.labels) head.append(make("span", kind, text));
  if (row.state) head.append(make("span", "state", row.state));
  if (!row.name) {
    const right = make("span", "right");
    const id = make("span", "id", row.id);
    id.title = row.id;
    for (const [text, href] of row.actions) right.append(href ? linkAway("", href, text) : makeOpener(state, row, "", text));
    right.append(id);
    head.append(right);
  }
  body.append(head, makeTexts(row, data.query));
  if (row.reason) body.append(make("p", "reason", row.reason));
  const foot = make("footer", "foot");
  if (row.foot) foot.append(make("span", "quiet", row.foot));
  for (const [text, href] of row.links) foot.append(linkAway("", href, text));
  if (body.querySelector(".folded")) foot.append(unfold(element));
  if (foot.children.length) body.append(foot);
  element.append(body);
  if (row.signals.length) element.append(makeSignals(row.signals));
  return element;
}

function makeBox(state, row) {
  const label = make("label", "box");
  const box = make("input");
  box.type = "checkbox";
  box.setAttribute("aria-label", `choose ${row.id}`);
  box.onchange = () => {
    box.closest(".row").classList.toggle("chosen", box.checked);
    state.send("ticked", { id: row.id, on: box.checked });
  };
  state.boxes.set(row.id, box);
  label.append(box);
  return label;
}

function makeName(state, row) {
  if (!row.href) return makeOpener(state, row, "name", row.name);
  const link = linkHere("name", row.href, () => state.send("opened", row.id));
  link.textContent = row.name;
  return link;
}

function makeOpener(state, row, name, text) {
  const button = make("button", name || "opener", text);
  button.onclick = () => (button.blur(), state.send("opened", row.id));
  return button;
}

function makeTexts(row, query) {
  const marks = new Map();
  const box = texts(row.sides, marks, (paragraph, text) => appendSearched(paragraph, text, query));
  const sums = scores(row.sums);
  shade(marks, sums);
  for (const [word, elements] of marks) for (const mark of sums.get(word)?.[0] ? [] : elements) mark.classList.add("found");
  return box;
}
