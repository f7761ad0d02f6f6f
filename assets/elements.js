// Stands before the script of every component: see pages/shared/render.py.

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
