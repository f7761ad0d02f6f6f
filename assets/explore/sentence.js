// The sentence that is explained. Every text of a data file goes through textContent, never through HTML.
//
// data: stamp, and what Content in pages/ui/explore/sentence.py holds

export default function (component) {
  const state = redraw(component, draw);
  together.sentence = state;
  const board = together.board?.about === component.data.about ? together.board : null;
  lightSentence(state, board?.pinned());
}

function draw(data, state) {
  state.about = data.about;
  state.sums = scores(data.sums);
  state.marks = new Map();
  const box = make("section", "query");
  const head = make("header");
  head.append(make("b", "", data.title));
  if (data.label) head.append(labelled("label", data.label, ""));
  head.append(labelled(data.wrong ? "says wrong" : "says", data.says, data.wrong ? "≠ model says " : "model says "));
  head.append((state.caption = make("span", "caption")));
  box.append(head, reachable(texts(data.sides, state.marks)));
  if (data.cut) box.append(make("p", "note", "Struck out: cut off, the model never read it."));
  for (const [word, marks] of state.marks) {
    for (const mark of marks) {
      mark.onmouseenter = () => board(state)?.link(word);
      mark.onmouseleave = () => board(state)?.link(null);
    }
  }
  return [box];
}

function board(state) {
  return together.board?.about === state.about ? together.board : null;
}

function labelled(kind, text, before) {
  const label = make("span", kind, before + text);
  label.title = label.textContent;
  return label;
}
