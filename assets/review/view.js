// The parts of the Review page that show texts. Every text of a data file goes through textContent, never through HTML.
//
// data.part says which: item (the example itself), evidence (why it is suspected, and cards), strip (the last decisions).
// The payloads' shapes: pages/ui/review/review_item.py. Scores are above 0 for the label, below 0 against it.

const DRAW = { item: drawItem, evidence: drawEvidence, strip: drawStrip };

export default function (component) {
  const { data } = component;
  redraw(component, DRAW[data.part]);
  return data.part === "item" ? guard(data) : undefined;
}

// Keys: a key held down must not decide what nobody has read. The page's own keys listen on the document; this hears first.
const watch = { id: null, since: 0, decided: 0, mounted: 0, reading: 0, decisive: new Set() };
const ANSWER = 3000; // ms after which a decision that brought nothing new is over

function guard({ id, reading, decisive }) {
  watch.reading = reading;
  watch.decisive = new Set(decisive.map((key) => key.toLowerCase()));
  watch.decided = 0; // the example was drawn again, or another: the last decision has had its answer
  if (watch.id !== id) {
    watch.id = id;
    watch.since = Infinity;
    requestAnimationFrame(() => requestAnimationFrame(() => (watch.since = performance.now())));
  }
  if (watch.mounted++ === 0) window.addEventListener("keydown", stopEarlyKeys, true);
  return () => {
    if (--watch.mounted === 0) window.removeEventListener("keydown", stopEarlyKeys, true);
  };
}

function stopEarlyKeys(event) {
  const target = event.composedPath()[0];
  const typing = ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName) || target.isContentEditable;
  if (typing && event.key === "Escape") target.blur(); // so that the keys work again
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key.length !== 1 && event.key !== "Enter") return;
  const now = event.timeStamp; // when it was pressed: a busy browser hears of it later
  // The next example's buttons may be there before its text is: from a decision on, keys wait for the text.
  const waits = watch.decided && now - watch.decided < ANSWER;
  if (!event.repeat && !waits && now - watch.since >= watch.reading) {
    if (watch.decisive.has(event.key.toLowerCase())) watch.decided = now;
    return;
  }
  if (watch.since < now) watch.since = now; // a burst of taps is a held key by other means: it must end first
  event.stopImmediatePropagation();
}

// The example

function drawItem(data, state) {
  const head = make("header", "facts");
  head.append(make("span", "label given", data.given), make("span", "quiet", "given"));
  if (data.suggested !== null) head.append(make("span", "arrow", "→"), make("span", "label suggested", data.suggested), make("span", "quiet", "suggested"));
  if (data.model) head.append(make("span", "quiet apart", `the model says ${data.model.label}, ${data.model.percent}`));
  if (data.hidden) head.append(make("span", "quiet apart", "blind: what others and the model say is shown once you have decided"));
  head.append(make("span", "id", data.id));
  const marks = new Map();
  const box = texts(data.sides, marks);
  box.className = data.picked ? "texts whole picking" : "texts whole";
  shade(marks, scores(data.sums));
  if (data.picked) letPick(marks, new Set(data.picked), state);
  const parts = [head, reachable(box)];
  if (data.cut) parts.push(make("p", "quiet", "Struck out: cut off, the model never read it."));
  return [...parts, ...said(data)];
}

function letPick(marks, picked, state) {
  for (const [word, elements] of marks) {
    for (const element of elements) {
      if (!/[\p{L}\p{N}]/u.test(element.textContent)) continue;
      element.classList.add("pickable");
      element.classList.toggle("picked", picked.has(word));
      element.onclick = () => state.send("picked", element.textContent);
    }
  }
}

function said(data) {
  const lines = make("ul", "said");
  if (data.mine) lines.append(line("You", data.mine));
  for (const { who, what, settles } of data.others) lines.append(line(settles ? `${who}, settling it` : who, what));
  for (const { who, text } of data.notes) lines.append(line(who, text, "note"));
  return lines.children.length ? [lines] : [];
}

function line(who, what, name = "") {
  const item = make("li", name);
  item.append(make("b", "", who), document.createTextNode(` ${what}`));
  return item;
}

// The evidence

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
  head.append(makeBar(Math.max(2, card.bar * 100)), make("b", "score", card.score));
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

// The last decisions

function drawStrip(data, state) {
  if (!data.items.length) return [];
  const list = make("div", "strip");
  list.append(make("span", "quiet", "Your last decisions"));
  for (const item of data.items) {
    const chip = make(item.id ? "button" : "span", "chip");
    chip.append(make("b", "", item.what), make("span", "quiet", item.where));
    chip.title = item.id ? `${item.when} · open it again` : item.when;
    if (item.id) chip.onclick = () => (chip.blur(), state.send("reopen", { id: item.id, queue: item.queue }));
    list.append(chip);
  }
  return [list];
}
