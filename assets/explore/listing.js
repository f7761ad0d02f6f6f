// The list of test sentences. Texts of a data file go through textContent, never through HTML.
//
// data: stamp, query (the searched text), rows (TestRow in pages/ui/explore/listing.py)

const states = new WeakMap();
const AFTER = 120, BEFORE = 50; // characters

export default function ({ data, parentElement, setTriggerValue }) {
  const state = states.get(parentElement) ?? {};
  states.set(parentElement, state);
  state.choose = (id) => setTriggerValue("chosen", id);
  if (state.stamp === data.stamp) return;
  state.stamp = data.stamp;
  const root = parentElement.querySelector(".list");
  root.replaceChildren(...data.rows.map((row) => makeRow(state, row, data.query)));
}

function makeRow(state, row, query) {
  // A real link, so that it can be copied or opened in another tab; a plain click stays in this page.
  const link = make("a", row.wrong ? "row wrong" : "row");
  link.setAttribute("href", row.href);
  link.onclick = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    state.choose(row.id);
  };
  const texts = make("span", "texts");
  for (const text of row.pair === null ? [row.text] : [row.text, row.pair]) texts.append(highlighted(text, query));
  const labels = make("span", "labels");
  labels.append(make("span", "label", row.label), make("span", "arrow", row.wrong ? "≠" : "="), make("span", "label", row.predicted));
  const confidence = make("span", "confidence");
  confidence.append(make("b", "", row.percent), makeBar(row.confidence * 100));
  const id = make("span", "id", row.id);
  id.title = row.id;
  link.append(texts, labels, confidence, id);
  return link;
}

function highlighted(text, query) {
  const line = make("span", "text");
  line.dir = "auto"; // from the text's own letters: Hebrew and Arabic read from the right
  const found = query ? new RegExp(query.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&"), "gi") : null;
  // Two lines are shown: where the first match is far into the text, they begin shortly before it.
  const first = found ? text.search(found) : -1;
  let at = first > AFTER ? Math.max(text.lastIndexOf(" ", first - BEFORE) + 1, first - 2 * BEFORE) : 0;
  if (/[\udc00-\udfff]/.test(text[at] ?? "")) at += 1; // not inside a character
  if (at) line.append(make("span", "dots", "… "));
  for (const match of found ? text.matchAll(found) : []) {
    if (match.index < at) continue;
    line.append(document.createTextNode(text.slice(at, match.index)), make("mark", "", match[0]));
    at = match.index + match[0].length;
  }
  line.append(document.createTextNode(text.slice(at)));
  return line;
}
