// Stands before the script of every component: see pages/ui/frame/render.py.

function make(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
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

const FOLDED = 1, UNREAD = 2, FOLDED_UNREAD = 3;

// A text, or the two of a pair, of pieces [text, word, kind]. Its words' marks are put into `marks`, word -> elements; `plain`
// adds what is no word to a paragraph.
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
  } else if (kind === FOLDED || kind === FOLDED_UNREAD) {
    paragraph.append(make("span", "dots", " … "), make("span", kind === FOLDED ? "folded" : "folded unread", text));
  } else if (kind === UNREAD) {
    paragraph.append(make("span", "unread", text));
  } else {
    plain(paragraph, text);
  }
}

// The parts of a score as JSON has them: its names are texts.
function scores(sums) {
  return new Map(Object.entries(sums ?? {}).map(([word, score]) => [Number(word), score]));
}

// Light words by their part of a score, the largest the strongest; `scores`: word -> score.
function shade(marks, scores) {
  const most = Math.max(...[...scores.values()].map(Math.abs), Number.MIN_VALUE);
  for (const [word, elements] of marks) {
    const score = scores.get(word) ?? 0;
    for (const element of elements) {
      element.classList.toggle("plus", score > 0);
      element.classList.toggle("minus", score < 0);
      element.style.setProperty("--a", score ? 0.12 + 0.88 * (Math.abs(score) / most) : 0);
      element.title = score ? signed(score) : "";
    }
  }
}

const SUPERSCRIPT = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

function signed(score) {
  const sign = score < 0 ? "−" : "+", size = Math.abs(score);
  if (size >= 0.001 && size < 1000) return sign + size.toPrecision(3);
  const [mantissa, exponent] = size.toExponential(2).split("e");
  return `${sign}${mantissa}×10${[...exponent.replace("+", "")].map((digit) => SUPERSCRIPT[digit]).join("")}`;
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
