// Stands before the script of every component: see pages/ui/frame/render.py.

function make(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
}

const states = new WeakMap();

// The sentence of a page and the board below it are two components; here each finds the other, by what both are about.
const together = (window.wordtrace ??= {});

// Light a sentence by a card, or by the sum over all cards.
function lightSentence(sentence, card) {
  shade(sentence.marks, card ? card.totals : sentence.sums);
  sentence.caption.textContent = card
    ? card.totals.size ? `lit: words shared with ${card.name}` : `${card.name}: this method has no words to light`
    : sentence.sums.size ? "lit: sum over the sentences below" : "";
}

// Fills a component with what `draw` makes of its data, once for every stamp; returns what the component keeps between
// drawings: how it sends, and whatever `draw` adds.
function redraw({ data, parentElement, setTriggerValue }, draw) {
  const state = states.get(parentElement) ?? {};
  states.set(parentElement, state);
  state.send = setTriggerValue;
  if (state.stamp !== data.stamp) {
    state.stamp = data.stamp;
    parentElement.querySelector(".wordtrace").replaceChildren(...draw(data, state));
  }
  return state;
}

// A real link, so that it can be reached by Tab, copied, or opened in another tab; a plain click stays in this page.
function linkHere(name, href, choose) {
  const link = make("a", name);
  link.setAttribute("href", href);
  link.onclick = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    choose();
  };
  return link;
}

// A link that opens in a tab of its own: the page stays as it is.
function linkAway(name, href, text) {
  const link = make("a", name, text);
  link.setAttribute("href", href);
  link.target = "_blank";
  link.rel = "noopener";
  return link;
}

// What finds a searched text, whatever its case.
function pattern(query) {
  return new RegExp(query.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&"), "gi");
}

// Adds a text from a place on, with what was searched for marked.
function appendSearched(element, text, query, at = 0) {
  for (const match of query ? text.matchAll(pattern(query)) : []) {
    if (match.index < at) continue;
    element.append(text.slice(at, match.index), make("mark", "found", match[0]));
    at = match.index + match[0].length;
  }
  element.append(text.slice(at));
}

// What the lines under words say, for those who see no colours, too; each line's meaning follows its sample.
function legend(
  start = "",
  plus = " above 0, ",
  minus = " below 0; the stronger the shade, the larger the word's part of the score.",
) {
  const line = make("p", "legend");
  line.append(start, sample("plus", "+ solid line"), plus, sample("minus", "− dotted line"), minus);
  return line;
}

function sample(kind, name) {
  const mark = make("mark", kind, name);
  mark.style.setProperty("--a", 0.5);
  return mark;
}

// A text, or the two of a pair, of pieces [text, word, kind]: word -1 is not lit, and the kind is the piece's class, "" for
// plain text. Its words' marks are put into `marks`, word -> elements; `plain` adds what is no word to a paragraph.
function texts(sides, marks, plain = (paragraph, text) => paragraph.append(text)) {
  const box = make("div", "texts");
  sides.forEach((pieces, side) => {
    const paragraph = make("p", "text");
    paragraph.dir = "auto"; // from the text's own letters: Hebrew and Arabic read from the right
    if (sides.length > 1) paragraph.append(make("span", "side", side === 0 ? "1" : "2"));
    for (const piece of pieces) append(paragraph, piece, marks, plain);
    box.append(paragraph);
  });
  return box;
}

function append(paragraph, [text, word, kind], marks, plain) {
  if (word >= 0) {
    const mark = make("mark", "", text);
    mark.dataset.word = word;
    marks.set(word, [...(marks.get(word) ?? []), mark]);
    paragraph.append(mark);
  } else if (kind) {
    const piece = make("span", kind, text);
    paragraph.append(...(piece.classList.contains("folded") ? [make("span", "dots", " … ")] : []), piece);
  } else {
    plain(paragraph, text);
  }
}

// The parts of a score as JSON has them, whose names are texts: word -> [score, the score in print].
function scores(sums) {
  return new Map(Object.entries(sums).map(([word, score]) => [Number(word), score]));
}

// Light words by their part of a score, the largest the strongest.
function shade(marks, scores) {
  const most = Math.max(...[...scores.values()].map(([score]) => Math.abs(score)), Number.MIN_VALUE);
  for (const [word, elements] of marks) {
    const [score, print] = scores.get(word) ?? [0, ""];
    for (const element of elements) {
      element.classList.toggle("plus", score > 0);
      element.classList.toggle("minus", score < 0);
      element.style.setProperty("--a", score ? 0.12 + 0.88 * (Math.abs(score) / most) : 0);
      element.title = score ? print : "";
    }
  }
}

// A bar that is filled to a share of its width.
function makeBar(percent) {
  const bar = make("span", "bar");
  const fill = make("i");
  fill.style.width = `${percent}%`;
  bar.append(fill);
  return bar;
}

// The signals of a suspect: name, bar and value each; what it means is its title.
function makeSignals(signals) {
  const grid = make("div", "signals");
  for (const { name, value, bar, about, strong } of signals) {
    const line = make("div", strong ? "signal strong" : "signal");
    line.title = about;
    line.append(make("span", "name", name), makeBar(Math.round(bar * 100)), make("span", "value", value));
    grid.append(line);
  }
  return grid;
}

// What scrolls can be scrolled by keyboard, too.
function reachable(box) {
  requestAnimationFrame(() => box.scrollHeight > box.clientHeight + 1 && (box.tabIndex = 0));
  return box;
}

// Shows what is folded in an element's texts, and folds it again; the click and the key are no one else's.
function unfold(element) {
  const button = make("button", "unfold", "Show the whole text");
  button.onclick = (event) => {
    event.stopPropagation();
    button.textContent = element.classList.toggle("open") ? "Show less" : "Show the whole text";
    if (event.detail) button.blur(); // after a mouse, or the page's keys would go to it
  };
  button.onkeydown = (event) => event.stopPropagation();
  return button;
}
