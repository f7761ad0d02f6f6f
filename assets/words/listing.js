// The words of the mistakes, one a line. Words of a data file go through textContent, never through HTML.
//
// data: stamp, sort (the column the list is in order of), rows and tokens
// row: WordRow in pages/ui/words/listing.py

const COLUMNS = [
  ["word", "word", ""],
  ["against", "against", "sum of what the word carries below 0: it raised the loss on the right label"],
  ["bars", "", ""],
  ["support", "for", "sum of what the word carries above 0: it lowered the loss on the right label"],
  ["score", "on balance", "against and for together; it depends on where the stored lists end"],
  ["mistakes", "mistakes", "wrong test predictions that it pulls against"],
  ["examples", "examples", "training examples through which it pulls against them"],
];

export default function (component) {
  redraw(component, draw);
}

function draw(data, state) {
  const lines = [makeHead(data.sort), ...data.rows.map((row) => makeRow(state, row))];
  if (data.tokens.length) {
    lines.push(make("p", "apart", "Apart: start and end tokens, and pieces that different words share, as “fun” in “funnier”"));
    lines.push(...data.tokens.map((row) => makeRow(state, row)));
  }
  return lines;
}

function makeHead(sort) {
  const head = make("div", "line head");
  for (const [key, name, about] of COLUMNS) {
    const cell = make("span", key === sort ? `${key} sorted` : key, name);
    if (about) cell.title = about;
    head.append(cell);
  }
  return head;
}

function makeRow(state, row) {
  const line = row.href ? linkHere("line", row.href, () => state.send("opened", row.word)) : make("div", "line");
  const word = make("bdi", "word", row.written);
  const bars = make("span", "bars");
  for (const [side, share] of [["minus", row.bars[0]], ["plus", row.bars[1]]]) {
    const half = make("span", side);
    const fill = make("i");
    fill.style.width = `${share * 100}%`;
    half.append(fill);
    bars.append(half);
  }
  const cells = ["score", "mistakes", "examples"].map((key) => make("span", key, row[key]));
  line.append(word, make("span", "against", row.against), bars, make("span", "support", row.support), ...cells);
  return line;
}
