// Training examples that speak for and against a label, beside each other. Every text of a data file goes through textContent,
// never through HTML.
//
// data: stamp (which explanation this is), pinned (a card's id, or ""), choices (how many there were), review (an address that an
//       id completes), label, about (what the sentence on the page is about, too), columns (Column in
//       pages/ui/parts/explanation_board.py)

export default function (component) {
  const { data } = component;
  const state = redraw(component, build);
  show(state, data.pinned);
  if (data.pinned && !state.seen) state.cards.find((card) => card.id === data.pinned)?.element.scrollIntoView({ block: "nearest" });
  state.seen = true;
  together.board = { about: data.about, pinned: () => pinned(state), link: (word) => link(state, word) };
  light(state, null);
}

function build(data, state) {
  state.review = data.review;
  state.about = data.about;
  state.cards = [];
  const columns = make("div", "columns");
  for (const column of data.columns) columns.append(makeColumn(state, column));
  const lit = state.cards.some((card) => card.totals.size);
  const minus = " away from it; the stronger the shade, the more.";
  return [...(lit ? [legend("Lit words: ", ` pulls towards “${data.label}”, `, minus)] : []), columns];
}

function makeColumn(state, column) {
  const section = make("section", `column ${column.kind}`);
  const head = make("header");
  head.append(make("h2", "", column.title), make("span", "caption", column.name));
  section.append(head, make("p", "meaning", column.meaning));
  if (!column.cards.length) section.append(make("p", "empty", column.empty));
  for (const card of column.cards) section.append(makeCard(state, card, column));
  return section;
}

function makeCard(state, card, column) {
  const element = make("article", `card ${column.kind}`);
  const name = `${column.kind === "plus" ? "proponent" : "opponent"} ${card.rank}`;
  const entry = { id: card.id, name, card, element, marks: new Map(), matches: card.matches, totals: scores(card.query_sums) };
  const head = make("header");
  entry.button = make("button", "choose");
  entry.button.append(make("span", "rank", String(card.rank)), make("b", "score", card.share));
  entry.button.title = `${card.share} of the strongest score shown (the score: ${card.raw}). Opens what makes it`;
  entry.button.setAttribute("aria-label", `${name}, ${card.share} of the strongest: what makes its score`);
  head.append(entry.button, makeBar(Math.max(1, card.bar * 100)), make("span", "id", card.id));
  head.lastChild.title = card.id;
  head.append(reviewLink(state.review + encodeURIComponent(card.id), card.id));
  const labels = make("div", "labels");
  labels.append(make("span", "label", card.label));
  if (card.says) labels.append(make("span", "says", `≠ model says ${card.says}`));
  if (card.doubt) labels.append(make("span", "doubt", `suspect: ${card.doubt}?`));
  if (card.state) labels.append(make("span", "says", card.state));
  element.append(head, labels, texts(card.sides, entry.marks));
  shade(entry.marks, scores(card.sums));
  for (const note of [card.note, card.rest, card.foot]) if (note) element.append(make("p", "note", note));
  if (card.cut) element.append(make("p", "note", "Struck out: cut off, the model never read it."));
  if (element.querySelector(".folded")) element.append(unfold(element));
  listen(state, entry);
  state.cards.push(entry);
  return element;
}

function reviewLink(address, id) {
  const link = linkAway("review", address, "Review");
  link.title = "Decide what becomes of this training sentence";
  link.setAttribute("aria-label", `Review ${id}`);
  link.onclick = link.onkeydown = (event) => event.stopPropagation();
  return link;
}

// What makes a card's score, in the card itself, so that it covers nothing.
function makeDetail({ card }) {
  const box = make("div", "detail");
  box.append(...bars(card.words.length ? "Its words" : "", card.words), ...bars("Training", card.checkpoints));
  if (!card.words.length) box.prepend(make("p", "note", "This method cannot be split over words."));
  box.append(make("p", "note", `Shares of this score, ${card.raw}.`));
  return box;
}

function bars(title, parts) {
  if (!parts.length || !title) return [];
  const grid = make("div", "parts");
  for (const [name, share, bar] of parts) {
    const line = make("span", bar < 0 ? "part minus" : "part plus");
    const fill = make("i");
    fill.style.width = `${Math.abs(bar) * 100}%`;
    line.append(fill);
    grid.append(make("span", "name", name), line, make("span", "value", share));
  }
  return [make("h3", "", title), grid];
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
      mark.onmouseenter = () => partners.forEach((test) => markAll(sentence(state)?.marks.get(test), true));
      mark.onmouseleave = () => partners.forEach((test) => markAll(sentence(state)?.marks.get(test), false));
    }
  }
}

function choose(state, entry) {
  // Shown at once; the address follows with the server's answer.
  const chosen = state.chosen === entry.id ? "" : entry.id;
  show(state, chosen);
  state.send("chosen", chosen);
}

function show(state, chosen) {
  state.chosen = chosen;
  for (const card of state.cards) {
    const open = card.id === chosen;
    card.element.classList.toggle("pinned", open);
    card.button.setAttribute("aria-expanded", String(open));
    if (open && !card.detail) card.element.append((card.detail = makeDetail(card)));
    if (card.detail) card.detail.hidden = !open;
  }
}

function sentence(state) {
  return together.sentence?.about === state.about ? together.sentence : null;
}

function pinned(state) {
  return state.cards.find((card) => card.id === state.chosen);
}

// Light the test sentence by a card (hovered, else pinned), or by the sum over all cards.
function light(state, hovered) {
  const found = sentence(state);
  if (found) lightSentence(found, hovered ?? pinned(state));
}

// Show where a word of the test sentence meets each card.
function link(state, word) {
  for (const card of state.cards) {
    const partners = new Set(card.matches.filter(([test]) => test === word).map(([, train]) => train));
    card.element.classList.toggle("without", word !== null && partners.size === 0);
    for (const [train, marks] of card.marks) markAll(marks, partners.has(train));
  }
}

function markAll(marks, on) {
  for (const mark of marks ?? []) mark.classList.toggle("linked", on);
}
