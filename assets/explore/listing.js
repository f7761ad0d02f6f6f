// The list of test sentences. Texts of a data file go through textContent, never through HTML.
//
// data: stamp, query (the searched text), rows (TestRow in pages/ui/explore/listing.py)

const HEADINGS = ["Text", "Label, and what the model says", "How sure", "Id"];

const AFTER = 120, BEFORE = 50; // characters

export default function (component) {
  redraw(component, (data, state) => {
    const head = make("div", "heads");
    head.append(...HEADINGS.map((name) => make("span", "", name)));
    return [head, ...data.rows.map((row) => makeRow(state, row, data.query))];
  });
}

function makeRow(state, row, query) {
  const link = linkHere(row.wrong ? "row wrong" : "row", row.href, () => state.send("chosen", row.id));
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
  // Two lines are shown: where the first match is far into the text, they begin shortly before it.
  const first = query ? text.search(pattern(query)) : -1;
  let at = first > AFTER ? Math.max(text.lastIndexOf(" ", first - BEFORE) + 1, first - 2 * BEFORE) : 0;
  if (/[\udc00-\udfff]/.test(text[at] ?? "")) at += 1; // not inside a character
  if (at) line.append(make("span", "dots", "… "));
  appendSearched(line, text, query, at);
  return line;
}
