// A test sentence with its proponents and opponents. Every text of a data file goes through textContent, never through HTML.
//
// data: stamp (which explanation this is), pinned (a card's id, or ""), review (an address that an id completes), and what
//       Content in pages/ui/parts/explanation_board.py holds

export default function (component) {
  const { data } = component;
  const state = redraw(component, build);
  state.pinned = data.pinned;
  for (const card of state.cards) card.element.classList.toggle("pinned", card.id === data.pinned);
  for (const card of state.cards) card.button.setAttribute("aria-pressed", String(card.id === data.pinned));
  light(state, null);
}

function build(data, state) {
  state.review = data.review;
  state.cards = [];
  state.sums = scores(data.query.sums);
  state.query = new Map();
  const query = make("section", "query");
  const head = make("header");
  head.append(make("b", "", data.query.title));
  if (data.query.ends.length) {
    const ends = make("span", "ends");
    for (const [word, text] of data.query.ends) append(ends, [text, word, ""], state.query);
    head.append(ends);
  }
  head.append((state.caption = make("span", "caption")));
  query.append(head, reachable(texts(data.query.sides, state.query)));
  if (data.query.cut) query.append(make("p", "note", "Struck out: cut off, the model never read it."));
  for (const [word, marks] of state.query) {
    for (const mark of marks) {
      mark.onmouseenter = () => link(state, word);
      mark.onmouseleave = () => link(state, null);
    }
  }
  const columns = make("div", "columns");
  for (const column of data.columns) columns.append(makeColumn(state, column));
  const minus = " away from it; the stronger the shade, the larger its part. Scores in nats.";
  return [query, legend("Lit words: ", " pushes towards the label, ", minus), columns];
}

function makeColumn(state, column) {
  const section = make("section", `column ${column.kind}`);
  const head = make("header");
  head.append(make("h4", "", column.title), make("span", "caption", column.detail));
  section.append(head, make("p", "meaning", column.meaning));
  if (!column.cards.length) section.append(make("p", "empty", column.empty));
  for (const card of column.cards) section.append(makeCard(state, card, column.kind));
  return section;
}

function makeCard(state, card, kind) {
  const element = make("article", `card ${kind}`);
  const entry = { id: card.id, rank: card.rank, kind, element, marks: new Map(), matches: card.matches, totals: scores(card.query_sums) };
  const head = make("header");
  entry.button = make("button", "choose");
  entry.button.append(make("span", "rank", String(card.rank)), make("b", "score", card.score));
  entry.button.title = `${kind === "plus" ? "Proponent" : "Opponent"} ${card.rank}: its words and checkpoints`;
  head.append(entry.button, makeBar(Math.max(1, card.bar * 100)), make("span", "id", card.id));
  head.lastChild.title = card.id;
  const labels = make("div", "labels");
  labels.append(make("span", "label", card.label));
  if (card.says) labels.append(make("span", "says", `≠ model says ${card.says}`));
  if (card.special) labels.append(makeEnds(card, entry.marks));
  element.append(head, labels, texts(card.sides, entry.marks));
  shade(entry.marks, scores(card.sums));
  if (card.cut) element.append(make("p", "note", "Struck out: cut off, the model never read it."));
  if (element.querySelector(".folded")) element.append(unfold(element));
  head.append(reviewLink(state.review + encodeURIComponent(card.id)));
  listen(state, entry);
  state.cards.push(entry);
  return element;
}

function makeEnds(card, marks) {
  const line = make("span", "ends", card.ends.length ? `${card.special} from ` : `${card.special} from start/end tokens`);
  line.title = "The share of the score that start and end tokens carry; every sentence has them.";
  for (const [word, text] of card.ends) append(line, [text, word, ""], marks);
  return line;
}

function reviewLink(address) {
  const link = linkAway("review", address, "Review");
  link.title = "Decide what becomes of this training sentence";
  link.onclick = link.onkeydown = (event) => event.stopPropagation();
  return link;
}

function listen(state, entry) {
  const element = entry.element;
  let down = null;
  element.onmouseenter = () => light(state, entry);
  element.onmouseleave = () => light(state, null);
  element.addEventListener("focusin", () => light(state, entry));
  element.addEventListener("focusout", () => light(state, null));
  element.onmousedown = (event) => (down = [event.clientX, event.clientY]);
  element.onclick = (event) => {
    // A drag that selects text is not a choice.
    if (event.detail && down && Math.hypot(event.clientX - down[0], event.clientY - down[1]) > 4) return;
    choose(state, entry);
  };
  for (const [word, marks] of entry.marks) {
    const partners = entry.matches.filter(([, train]) => train === word).map(([test]) => test);
    for (const mark of marks) {
      mark.onmouseenter = () => partners.forEach((test) => mark_all(state.query.get(test), "linked", true));
      mark.onmouseleave = () => partners.forEach((test) => mark_all(state.query.get(test), "linked", false));
    }
  }
}

function choose(state, entry) {
  // Shown at once; the charts follow with the server's answer.
  const pinned = state.pinned === entry.id ? "" : entry.id;
  for (const card of state.cards) card.element.classList.toggle("pinned", card.id === pinned);
  state.send("chosen", pinned);
}

// Light the test sentence by a card (hovered, else pinned), or by the sum over all cards.
function light(state, hovered) {
  const card = hovered ?? state.cards.find((entry) => entry.id === state.pinned);
  shade(state.query, card ? card.totals : state.sums);
  const name = card && `${card.kind === "plus" ? "proponent" : "opponent"} ${card.rank}`;
  state.caption.textContent = card
    ? card.totals.size ? `lit: words shared with ${name}` : `${name}: this method has no words to light`
    : state.sums.size ? "lit: sum over the sentences below" : "";
}

// Show where a word of the test sentence meets each card.
function link(state, word) {
  for (const card of state.cards) {
    const partners = new Set(card.matches.filter(([test]) => test === word).map(([, train]) => train));
    card.element.classList.toggle("without", word !== null && partners.size === 0);
    for (const [train, marks] of card.marks) mark_all(marks, "linked", partners.has(train));
  }
}

function mark_all(marks, name, on) {
  for (const mark of marks ?? []) mark.classList.toggle(name, on);
}
