// The evidence on the example on screen: why it is suspected, and cards. Every text of a data file goes through textContent,
// never through HTML. EvidencePayload: pages/ui/review/review_item.py. Scores are above 0 for the label, below 0 against it.
//
// The deck may be ahead of it: it says what it shows, and what is of another example is drawn pale.

export default function (component) {
  const { data, parentElement } = component;
  redraw(component, drawEvidence);
  const root = parentElement.querySelector(".wordtrace");
  const onShown = (event) => follow(root, data, event.detail);
  document.addEventListener("wt-shown", onShown);
  document.dispatchEvent(new CustomEvent("wt-evidence", { detail: data.item }));
  return () => document.removeEventListener("wt-shown", onShown);
}

function follow(root, data, id) {
  const late = id !== data.item.id;
  root.classList.toggle("late", late);
  root.setAttribute("aria-busy", String(late));
  if (!late) document.dispatchEvent(new CustomEvent("wt-proven", { detail: id }));
}

function drawEvidence(data) {
  const parts = [];
  if (data.reason) parts.push(make("p", "reason", data.reason));
  if (data.signals.length) parts.push(makeSignals(data.signals));
  const groups = data.groups.filter((group) => group.cards.length);
  if (groups.length) parts.push(legend(), ...groups.map(makeGroup));
  if (!parts.length) parts.push(make("p", "quiet", "No other example shares a word with this one."));
  return parts;
}

function makeGroup(group) {
  const section = make("section", `group ${group.kind}`);
  section.append(make("h4", "", group.title));
  for (const card of group.cards) section.append(makeCard(card));
  return section;
}

function makeCard(card) {
  const element = make("article", "card");
  const head = make("header");
  head.append(make("span", "label", card.label));
  if (card.says) head.append(make("span", "says", `≠ model says ${card.says}`));
  head.append(makeBar(Math.max(2, card.bar * 100)), make("b", "score", card.share));
  head.lastChild.title = `${card.share} of the strongest score shown of its kind (the score: ${card.score})`;
  const marks = new Map();
  const box = texts(card.sides, marks);
  shade(marks, scores(card.sums));
  element.append(head, box);
  if (card.special) element.append(make("p", "quiet", card.special));
  const foot = make("footer");
  if (element.querySelector(".folded")) foot.append(unfold(element));
  if (card.href) foot.append(linkAway("", card.href, "Explore"));
  if (foot.children.length) element.append(foot);
  element.title = card.id;
  return element;
}
